import type { Millis } from '../model/ids.ts'
import type { Clock } from './clock.ts'

/**
 * Starts every wait, settles as the first of them does, and aborts the others. Loops call it without end with one
 * signal, so it is not joined by `AbortSignal.any`: Node 20 keeps some 50 bytes of each such join as long as the signal lives.
 */
export async function firstOf(signal: AbortSignal, waits: readonly ((signal: AbortSignal) => Promise<void>)[]): Promise<void> {
  const over = new AbortController()
  const end = (): void => over.abort(signal.reason)
  if (signal.aborted) end()
  else signal.addEventListener('abort', end, { once: true })
  try {
    await Promise.race(waits.map((wait) => wait(over.signal)))
  } finally {
    signal.removeEventListener('abort', end)
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
