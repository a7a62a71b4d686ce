import type { Millis } from '../model/ids.ts'

/** Time as an argument: the real one in production, a virtual one in the simulator. */
export interface Clock {
  /** Wall clock, milliseconds since 1970; may jump. */
  now(): Millis
  /** Monotonic milliseconds from an arbitrary start; for deadlines and leases. */
  monotonic(): Millis
  /** Resolves after `ms`, or rejects with the signal's reason. */
  sleep(ms: Millis, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      const onAbort = () => {
        clearTimeout(timer)
        reject(signal?.reason)
      }
      const timer = setTimeout(
        () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        },
        Math.max(0, ms),
      )
      signal?.addEventListener('abort', onAbort, { once: true })
    }),
}
