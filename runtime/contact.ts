import type { Clock } from '../src/lib/clock.ts'
import { pause } from '../src/lib/waits.ts'
import type { Millis } from '../src/model/ids.ts'

/**
 * How long ago a leader is known to have heard this agent. Counted, on the monotonic clock, from when the newest frame that
 * was answered was sent: the leader heard it then or later, so that whatever waits for so long here ends before the leader,
 * who counts from what it heard, replaces it. Where only one direction is cut nothing is answered either.
 */
export interface Contact {
  /** Of now, for a frame that asks for an answer. */
  stamp(): Millis
  /** A leader whose orders are obeyed answered what was sent then. */
  answered(at: Millis): void
  isLostFor(ms: Millis): boolean
  /** Resolves once no contact was had for so long, or when the signal aborts. */
  lostFor(ms: Millis, signal: AbortSignal): Promise<void>
  /** Resolves at the next contact, or when the signal aborts. */
  regained(signal: AbortSignal): Promise<void>
}

/** Begins as if a leader had been heard: an agent that starts leaves what it finds running. */
export function createContact(clock: Clock): Contact {
  let last = clock.monotonic()
  const waiting = new Set<() => void>()
  const left = (ms: Millis): Millis => last + ms - clock.monotonic()
  return {
    stamp: () => clock.monotonic(),
    answered(at) {
      last = Math.max(last, Math.min(at, clock.monotonic()))
      for (const wake of [...waiting]) wake()
    },
    isLostFor: (ms) => left(ms) <= 0,
    async lostFor(ms, signal) {
      while (!signal.aborted && left(ms) > 0) await pause(clock, left(ms), signal)
    },
    regained: (signal) =>
      new Promise((resolve) => {
        const wake = (): void => {
          waiting.delete(wake)
          signal.removeEventListener('abort', wake)
          resolve()
        }
        if (signal.aborted) return resolve()
        waiting.add(wake)
        signal.addEventListener('abort', wake, { once: true })
      }),
  }
}
