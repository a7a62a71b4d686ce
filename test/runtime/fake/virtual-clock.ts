import type { Clock } from '../../../src/lib/clock.ts'

interface Sleeper {
  readonly at: number
  wake(): void
}

/** Time that moves only when told: `advance` wakes who is due, in order. */
export class VirtualClock implements Clock {
  #now: number
  readonly sleepers = new Set<Sleeper>()

  constructor(now = 1_000_000) {
    this.#now = now
  }

  now = (): number => this.#now
  monotonic = (): number => this.#now

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      const leave = () => {
        this.sleepers.delete(sleeper)
        signal?.removeEventListener('abort', onAbort)
      }
      const onAbort = () => {
        leave()
        reject(signal?.reason)
      }
      const wake = () => {
        leave()
        resolve()
      }
      const sleeper = { at: this.#now + ms, wake }
      this.sleepers.add(sleeper)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  async advance(ms: number): Promise<void> {
    const until = this.#now + ms
    for (;;) {
      await new Promise(setImmediate)
      const [next] = [...this.sleepers].filter((sleeper) => sleeper.at <= until).sort((a, b) => a.at - b.at)
      if (next === undefined) break
      this.#now = Math.max(this.#now, next.at)
      next.wake()
    }
    this.#now = until
    await new Promise(setImmediate)
  }
}
