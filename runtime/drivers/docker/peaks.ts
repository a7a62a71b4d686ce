import type { Clock } from '../../../src/lib/clock.ts'
import { pause } from '../../../src/lib/waits.ts'
import type { Millis } from '../../../src/model/ids.ts'
import { cgroupOf } from './usage.ts'

/** Between two looks, at first and at most: it doubles, so a short life is seen as well as a long one. */
const FIRST_PAUSE: Millis = 50
const LONGEST_PAUSE: Millis = 5_000

/**
 * The most memory that containers were seen to use. The engine removes a cgroup with the end of its container, so it is
 * read before; the kernel keeps the highest value itself, so only what rises after the last look is missed.
 */
export interface Peaks {
  /** Looks again and again at the container whose first process this is, until the signal aborts. */
  watch(id: string, pid: number, signal: AbortSignal): Promise<void>
  /** Bytes; null for one that this agent never saw running. */
  of(id: string): number | null
  forget(id: string): void
}

export function createPeaks(clock: Clock): Peaks {
  const seen = new Map<string, number>()
  const note = (id: string, bytes: number | null): void => {
    if (bytes !== null) seen.set(id, Math.max(bytes, seen.get(id) ?? 0))
  }
  return {
    async watch(id, pid, signal) {
      const cgroup = await cgroupOf(id, pid)
      for (let length = FIRST_PAUSE; !signal.aborted; length = Math.min(LONGEST_PAUSE, 2 * length)) {
        if (cgroup !== null) note(id, await cgroup.peakMemory())
        await pause(clock, length, signal)
      }
    },
    of: (id) => seen.get(id) ?? null,
    forget: (id) => void seen.delete(id),
  }
}
