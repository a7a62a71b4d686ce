import type { Clock } from '../../src/lib/clock.ts'
import type { Millis } from '../../src/model/ids.ts'
import type { Rng } from './rng.ts'
import type { Owner, Scheduler } from './scheduler.ts'

/** 2026-11-20T00:00:00Z. */
export const EPOCH: Millis = 1_795_132_800_000

/** How far the wall clock of one machine is from the world's. */
export interface WallClock {
  readonly skewMs: Millis
  /** Set and cleared by the nemesis. */
  jumpedMs: Millis
}

/** An effect whose process died while it was under way happened or not, with equal chance. */
const HALF = 0.5

/**
 * One life of a process. When it crashes nothing of it ever resumes: its sleeps never fire, and no answer
 * to anything it asked arrives. What it asked for before may still happen, as it does on real machines.
 */
export class Incarnation implements Owner {
  readonly name: string
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly rng: Rng
  alive = true
  pausedUntil: Millis = 0
  readonly #onCrash: (() => void)[] = []

  constructor(options: { name: string; scheduler: Scheduler; rng: Rng; wall: WallClock }) {
    this.name = options.name
    this.scheduler = options.scheduler
    this.rng = options.rng
    this.clock = {
      now: () => EPOCH + Math.floor(this.scheduler.now) + options.wall.skewMs + options.wall.jumpedMs,
      monotonic: () => this.scheduler.now,
      sleep: (ms, signal) => this.#sleep(ms, signal),
    }
  }

  crash(): void {
    this.alive = false
    for (const act of this.#onCrash) act()
  }

  onCrash(act: () => void): void {
    this.#onCrash.push(act)
  }

  /** Resolves `ms` later, unless this life is over by then. */
  later(ms: Millis, label: string): Promise<void> {
    return new Promise((resolve) => {
      this.scheduler.after(ms, `${this.name} ${label}`, { owner: this, run: resolve })
    })
  }

  /** Something done outside the process: it takes effect after a while, and its answer comes a while after that. */
  io<T>(label: string, effect: () => T | Promise<T>, latency: () => Millis): Promise<T> {
    return new Promise((resolve, reject) => {
      const answer = (settle: () => void) => this.scheduler.after(latency(), `${this.name} ${label} answered`, { owner: this, run: settle })
      const perform = () => {
        if (!this.alive && this.rng.chance(HALF)) return
        Promise.resolve()
          .then(effect)
          .then(
            (value) => answer(() => resolve(value)),
            (error: unknown) => answer(() => reject(error)),
          )
      }
      this.scheduler.after(latency(), `${this.name} ${label}`, { owner: null, run: perform })
    })
  }

  #sleep(ms: Millis, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      const onAbort = () => {
        timer.cancel()
        reject(signal?.reason)
      }
      const wake = () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }
      const timer = this.scheduler.after(ms, `${this.name} wakes`, { owner: this, run: wake })
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }
}
