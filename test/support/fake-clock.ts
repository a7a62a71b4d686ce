import type { Clock } from '../../src/lib/clock.ts'
import type { Millis } from '../../src/model/ids.ts'

/** 2026-11-20T00:00:00Z: any start will do, as long as it is always the same. */
const START: Millis = 1_795_132_800_000

interface Sleeper {
  readonly due: Millis
  readonly order: number
  readonly wake: () => void
}

export interface FakeClock extends Clock {
  /** Lets everything that is ready run, without moving time. Real I/O is not waited for. */
  settle(): Promise<void>
  /** Moves time, waking sleepers one by one in order of (due, asked first); settles between them. */
  advance(ms: Millis): Promise<void>
  /** Moves from sleeper to sleeper until it holds. @throws Error after `limitMs` of virtual time, or when nothing sleeps. */
  runUntil(holds: () => boolean, limitMs: Millis): Promise<void>
  /** The wall clock jumps; the monotonic one does not. */
  jumpWall(ms: Millis): void
  /** When the next sleeper is due, monotonic; null when nothing sleeps. */
  nextDue(): Millis | null
  /** How many sleep now; 0 when nothing leaks. */
  readonly sleeping: number
}

/** An immediate runs only after the microtask queue is empty, so two of them let promise chains end. */
async function drain(): Promise<void> {
  for (let turn = 0; turn < 2; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve))
}

/** Virtual time: equal calls give equal orders of events, so a run can be repeated. */
export function createFakeClock(): FakeClock {
  let elapsed = 0
  let wallOffset = START
  let order = 0
  const sleepers = new Set<Sleeper>()

  const next = (): Sleeper | null => {
    let first: Sleeper | null = null
    for (const one of sleepers) if (first === null || one.due < first.due || (one.due === first.due && one.order < first.order)) first = one
    return first
  }

  const wakeNextUntil = async (target: Millis): Promise<boolean> => {
    const first = next()
    if (first === null || first.due > target) return false
    elapsed = Math.max(elapsed, first.due)
    sleepers.delete(first)
    first.wake()
    await drain()
    return true
  }

  const sleep = (ms: Millis, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      const onAbort = () => {
        sleepers.delete(sleeper)
        reject(signal?.reason)
      }
      const wake = () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }
      order += 1
      const sleeper: Sleeper = { due: elapsed + Math.max(0, ms), order, wake }
      sleepers.add(sleeper)
      signal?.addEventListener('abort', onAbort, { once: true })
    })

  return {
    now: () => wallOffset + elapsed,
    monotonic: () => elapsed,
    sleep,
    settle: drain,
    async advance(ms) {
      const target = elapsed + ms
      await drain()
      while (await wakeNextUntil(target));
      elapsed = target
      await drain()
    },
    async runUntil(holds, limitMs) {
      const target = elapsed + limitMs
      await drain()
      while (!holds()) {
        if (!(await wakeNextUntil(target))) throw new Error(`did not come true within ${limitMs} ms of virtual time`)
      }
    },
    jumpWall(ms) {
      wallOffset += ms
    },
    nextDue: () => next()?.due ?? null,
    get sleeping() {
      return sleepers.size
    },
  }
}
