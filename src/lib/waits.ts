import type { Millis } from '../model/ids.ts'
import type { Clock } from './clock.ts'

/** Starts every wait, settles as the first of them does, and aborts the others. */
export async function firstOf(signal: AbortSignal, waits: readonly ((signal: AbortSignal) => Promise<void>)[]): Promise<void> {
  const over = new AbortController()
  const either = AbortSignal.any([signal, over.signal])
  try {
    await Promise.race(waits.map((wait) => wait(either)))
  } finally {
    over.abort()
  }
}

/** Sleeps `ms`, and just wakes early on abort. */
export async function pause(clock: Clock, ms: Millis, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  try {
    await clock.sleep(ms, signal)
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
