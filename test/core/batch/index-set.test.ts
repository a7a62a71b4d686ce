import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  countIndexes,
  countWritten,
  formatIndexes,
  hasIndex,
  missingIndexes,
  parseIndexes,
  withIndexes,
} from '../../../src/core/batch/index-set.ts'
import { times } from './make.ts'

const setOf = (numbers: Iterable<number>) => withIndexes([], numbers)

describe('a set of completion numbers', () => {
  const texts: [string, number[]][] = [
    ['', []],
    ['0', [0]],
    ['0-1', [1, 0]],
    ['0-5,7', [7, 5, 4, 3, 2, 1, 0, 0]],
    ['3,5,99998-99999', [99_999, 5, 3, 99_998]],
  ]
  it.each(texts)('is written as %j', (text, numbers) => {
    expect(formatIndexes(setOf(numbers))).toBe(text)
    expect(parseIndexes(text)).toEqual(setOf(numbers))
  })

  it('is as a set of numbers is, whatever is in it', () => {
    const numbers = fc.array(fc.nat(60), { maxLength: 40 })
    fc.assert(
      fc.property(numbers, numbers, fc.nat(70), (one, two, end) => {
        const plain = new Set([...one, ...two])
        const set = withIndexes(setOf(one), two)
        expect(set.every(([from, to], index) => from <= to && from > (set[index - 1]?.[1] ?? -2) + 1)).toBe(true)
        expect(countIndexes(set)).toBe(plain.size)
        expect(times(70, (index) => hasIndex(set, index))).toEqual(times(70, (index) => plain.has(index)))
        expect([...missingIndexes(set, end)]).toEqual(times(end, (index) => index).filter((index) => !plain.has(index)))
        expect(parseIndexes(formatIndexes(set))).toEqual(set)
        expect(countWritten(formatIndexes(set))).toBe(plain.size)
      }),
    )
  })

  it('takes no more room than bits do, where ranges would take more than a store', () => {
    const every = (distance: number) => setOf(times(100_000 / distance, (index) => index * distance))
    for (const set of [every(1), every(2), every(3), every(7), every(64)]) {
      const text = formatIndexes(set)
      expect(text.length).toBeLessThanOrEqual(25_001)
      expect(parseIndexes(text)).toEqual(set)
      expect(countWritten(text)).toBe(countIndexes(set))
    }
    expect(formatIndexes(every(2))).toMatch(/^x5{25000}$/)
    expect(formatIndexes(every(1))).toBe('0-99999')
  })
})
