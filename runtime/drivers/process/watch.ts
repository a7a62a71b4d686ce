import { type FSWatcher, watch } from 'node:fs'
import type { Clock } from '../../../src/lib/clock.ts'
import { hasCode } from '../../../src/lib/errors.ts'

/** How often to look where the kernel gives no events; milliseconds. */
const BLIND_POLL_MS = 100

const openWatch = (dir: string): FSWatcher | null => {
  try {
    return watch(dir, { persistent: false })
  } catch (error) {
    // ENOSPC is what inotify says when a user's watches are all given.
    if (!hasCode(error, 'ENOENT', 'ENOSPC', 'EMFILE')) throw error
    return null
  }
}

/** Wakes a waiter when something in one of some directories changes; make it before reading the state and no change is missed. */
export class DirectoryWatch {
  readonly #clock: Clock
  readonly #watchers: readonly (FSWatcher | null)[]
  #changed = false
  #wake: AbortController | null = null

  constructor(dirs: readonly string[], clock: Clock) {
    this.#clock = clock
    this.#watchers = dirs.map(openWatch)
    const onChange = () => {
      this.#changed = true
      this.#wake?.abort()
    }
    for (const watcher of this.#watchers) watcher?.on('change', onChange).on('error', onChange)
  }

  /** Resolves on a change since the last call, or after `ms`. @throws the reason of `signal` when that aborts. */
  async changed(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const wake = new AbortController()
    this.#wake = wake
    const either = AbortSignal.any([signal, wake.signal])
    const longest = this.#watchers.includes(null) ? Math.min(ms, BLIND_POLL_MS) : ms
    if (!this.#changed) {
      await this.#clock.sleep(longest, either).catch((error: unknown) => {
        if (!either.aborted) throw error
      })
    }
    this.#changed = false
    signal.throwIfAborted()
  }

  close(): void {
    for (const watcher of this.#watchers) watcher?.close()
  }
}
