import type { Millis } from '../model/ids.ts'

/** Who mends a repository or a network sees it work within half a minute. */
const MAX_BACKOFF_MS = 30_000
const JITTER = 0.1

export interface PollState {
  /** Milliseconds between polls of a healthy source. */
  readonly intervalMs: Millis
  /** Polls that have failed in a row. */
  readonly failures: number
  /** Returns [0, 1). */
  readonly random: () => number
}

/**
 * Milliseconds until the next poll: the interval, doubled for every failure in a row up to 30 s
 * (or the interval, where that is longer), with 10 % jitter either way so that sources do not march in step.
 */
export function pollDelay({ intervalMs, failures, random }: PollState): Millis {
  const longest = Math.max(intervalMs, MAX_BACKOFF_MS)
  const base = Math.min(longest, intervalMs * 2 ** Math.min(failures, 30))
  const delay = base * (1 - JITTER + 2 * JITTER * random())
  return Math.round(failures > 0 ? Math.min(delay, longest) : delay)
}
