import { expect, it } from 'vitest'
import { endsInARow, restartDelay, retryDelay } from '../../src/core/restart.ts'

const seconds = (delay: (count: number) => number, counts: readonly number[]) => counts.map((count) => delay(count) / 1000)

it('restarts at once after the first end, then after 10 s, doubled, at most 5 min', () => {
  expect(seconds(restartDelay, [0, 1, 2, 3, 4, 5, 6, 7, 8, 1_000_000])).toEqual([0, 0, 10, 20, 40, 80, 160, 300, 300, 300])
})

it('retries a call after 1 s, doubled, at most 1 min', () => {
  expect(seconds(retryDelay, [1, 2, 3, 4, 5, 6, 7, 8, 1_000_000])).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60])
})

it('counts ends in a row until one ran for ten minutes', () => {
  expect(endsInARow(4, 599_999)).toBe(5)
  expect(endsInARow(4, 600_000)).toBe(1)
  expect(endsInARow(0, 0)).toBe(1)
})
