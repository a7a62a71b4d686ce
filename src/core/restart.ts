import type { Millis } from '../model/ids.ts'

/** Kubernetes' crash-loop back-off: 10 s, doubled, at most 5 minutes, forgotten after 10 minutes of running. */
const RESTART_BASE: Millis = 10_000
const RESTART_CAP: Millis = 300_000
export const CALM_AFTER: Millis = 600_000

/** Retrying a call to a driver or to the control plane is cheap, so it begins sooner and stays shorter. */
const RETRY_BASE: Millis = 1_000
const RETRY_CAP: Millis = 60_000

const doubled = (base: Millis, times: number, cap: Millis): Millis => Math.min(cap, base * 2 ** Math.min(Math.max(times, 0), 30))

/**
 * How long to wait, in milliseconds, after the `failures`-th end in a row before the next start:
 * none after the first (a lone crash costs nothing), then 10 s, 20 s, ... 300 s.
 */
export function restartDelay(failures: number): Millis {
  return failures <= 1 ? 0 : doubled(RESTART_BASE, failures - 2, RESTART_CAP)
}

/** How long to wait, in milliseconds, before trying again what failed `tries` times in a row: 1 s, 2 s, ... 60 s. */
export function retryDelay(tries: number): Millis {
  return doubled(RETRY_BASE, tries - 1, RETRY_CAP)
}

/** Ends in a row, this one counted; an attempt that ran long enough starts a new row. */
export function endsInARow(before: number, ranFor: Millis): number {
  return ranFor >= CALM_AFTER ? 1 : before + 1
}
