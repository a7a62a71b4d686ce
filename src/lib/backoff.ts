import type { Millis } from '../model/ids.ts'

/**
 * Exponential back-off with full jitter (AWS architecture blog, 2015): a random delay between
 * 0 and `base * 2^attempt`, at most `cap`. `random` returns [0, 1).
 */
export function fullJitter(attempt: number, base: Millis, cap: Millis, random: () => number): Millis {
  return Math.floor(random() * Math.min(cap, base * 2 ** Math.min(attempt, 30)))
}
