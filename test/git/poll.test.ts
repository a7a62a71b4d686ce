import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { pollDelay } from '../../src/git/poll.ts'

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }).map((value) => () => value)

describe('the delay until the next poll', () => {
  it('is the interval, 10 % more or less', () => {
    expect(pollDelay({ intervalMs: 30_000, failures: 0, random: () => 0 })).toBe(27_000)
    expect(pollDelay({ intervalMs: 30_000, failures: 0, random: () => 0.5 })).toBe(30_000)
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 600_000 }), random, (intervalMs, source) => {
        const delay = pollDelay({ intervalMs, failures: 0, random: source })
        expect(delay).toBeGreaterThanOrEqual(Math.floor(intervalMs * 0.9))
        expect(delay).toBeLessThanOrEqual(Math.ceil(intervalMs * 1.1))
      }),
    )
  })

  it('G1: doubles with every failure, up to 30 seconds', () => {
    const delays = [0, 1, 2, 3, 4, 5, 100].map((failures) => pollDelay({ intervalMs: 2000, failures, random: () => 0.5 }))
    expect(delays).toEqual([2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
  })

  it('never exceeds 30 seconds after failures, and never falls below nine tenths of the interval', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 30_000 }), fc.integer({ min: 1, max: 5000 }), random, (intervalMs, failures, source) => {
        const delay = pollDelay({ intervalMs, failures, random: source })
        expect(delay).toBeLessThanOrEqual(30_000)
        expect(delay).toBeGreaterThanOrEqual(Math.floor(intervalMs * 0.9))
      }),
    )
  })

  it('keeps an interval that is longer than that', () => {
    expect(pollDelay({ intervalMs: 3_600_000, failures: 3, random: () => 0.5 })).toBe(3_600_000)
  })
})
