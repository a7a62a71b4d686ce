import type { Clock } from '../../../src/lib/clock.ts'

/** Longest single sleep; a longer one would overflow the timer of the real clock (2^31 ms). */
const LONGEST_SLEEP_MS = 2 ** 31 - 1

interface Pause {
  readonly key: string
  /** `version` as it was before the state was read: a change announced since then ends the pause at once. */
  readonly since: number
  /** Wall clock of the planned moment; null: only a change ends it. */
  readonly at: number | null
}

/** Lets waiters sleep until a planned moment, or until somebody announces a change of their attempt. */
export class Changes {
  readonly #clock: Clock
  readonly #waiters = new Map<AbortController, string>()
  #version = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get version(): number {
    return this.#version
  }

  announce(key: string): void {
    this.#version += 1
    for (const [waiter, its] of this.#waiters) if (its === key) waiter.abort()
  }

  /** @throws the reason of `signal` when that aborts. */
  async until(pause: Pause, signal: AbortSignal): Promise<void> {
    if (pause.since !== this.#version) return
    const changed = new AbortController()
    this.#waiters.set(changed, pause.key)
    const either = AbortSignal.any([signal, changed.signal])
    await (pause.at === null ? aborted(either) : this.#sleep(pause.at, either)).finally(() => this.#waiters.delete(changed))
    signal.throwIfAborted()
  }

  async #sleep(at: number, signal: AbortSignal): Promise<void> {
    const ms = Math.min(LONGEST_SLEEP_MS, Math.max(0, at - this.#clock.now()))
    await this.#clock.sleep(ms, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
