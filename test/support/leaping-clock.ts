import { setTimeout as wait } from 'node:timers/promises'
import type { Clock } from '../../src/lib/clock.ts'
import type { Millis } from '../../src/model/ids.ts'

/** Less than what a control plane takes for its own sleep, and than what is between two heartbeats. */
const STEP: Millis = 1_500
/** Turns of the event loop in which everybody who woke may do what he woke for. */
const TURNS = 8

export interface LeapingClock extends Clock {
  /** Time passes at once, in steps: whoever sleeps wakes in between and does its work. Real I/O goes on meanwhile. */
  leap(ms: Millis): Promise<void>
}

/** The real clock, which can be moved ahead: for tests with real git and long silences. */
export function createLeapingClock(): LeapingClock {
  let ahead = 0
  const sleepers = new Set<{ readonly due: Millis; readonly wake: () => void }>()
  const monotonic = (): Millis => performance.now() + ahead
  return {
    now: () => Date.now() + ahead,
    monotonic,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        signal?.throwIfAborted()
        const leave = (): void => {
          sleepers.delete(sleeper)
          clearTimeout(timer)
          signal?.removeEventListener('abort', onAbort)
        }
        const onAbort = (): void => {
          leave()
          reject(signal?.reason)
        }
        const wake = (): void => {
          leave()
          resolve()
        }
        const sleeper = { due: monotonic() + Math.max(0, ms), wake }
        const timer = setTimeout(wake, Math.max(0, ms))
        sleepers.add(sleeper)
        signal?.addEventListener('abort', onAbort, { once: true })
      }),
    async leap(ms) {
      for (let left = ms; left > 0; left -= STEP) {
        ahead += Math.min(STEP, left)
        const due = [...sleepers].filter((sleeper) => sleeper.due <= monotonic()).sort((a, b) => a.due - b.due)
        for (const { wake } of due) wake()
        for (let turn = 0; turn < TURNS; turn += 1) await wait(0)
      }
    },
  }
}
