import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { distance, suggest } from '../../src/manifest/suggest.ts'

const words = fc.string({ maxLength: 8 })

describe('suggest', () => {
  it.each([
    ['replica', 'replicas'],
    ['Replicas', 'replicas'],
    ['containerport', 'containerPort'],
    ['tempalte', 'template'],
    ['mod', 'mode'],
    ['xyz', null],
    ['strategies-of-mine', null],
    ['r'.repeat(1000), null],
  ])('%s: %s', (word, expected) => {
    expect(suggest(word, ['mode', 'replicas', 'strategy', 'template', 'containerPort'])).toBe(expected)
  })

  it('takes the first of equally near names', () => expect(suggest('cat', ['bat', 'rat'])).toBe('bat'))

  it('measures a distance: zero for the same, symmetric, no shortcut through a third word', () => {
    fc.assert(
      fc.property(words, words, words, (a, b, c) => {
        expect(distance(a, a)).toBe(0)
        expect(distance(a, b)).toBe(distance(b, a))
        expect(distance(a, c)).toBeLessThanOrEqual(distance(a, b) + distance(b, c))
        expect(distance(a, `${a}x`)).toBe(1)
      }),
    )
  })
})
