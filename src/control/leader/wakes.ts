import type { Millis } from '../../model/ids.ts'

/** When each key wants to be looked at again; the loop sleeps until the first, so no feature owns a timer. */
export class Wakes<K> {
  readonly #at = new Map<K, Millis>()

  /** Replaces what the key asked before; null: nothing to wait for. */
  set(key: K, at: Millis | null): void {
    if (at === null) this.#at.delete(key)
    else this.#at.set(key, at)
  }

  get(key: K): Millis | null {
    return this.#at.get(key) ?? null
  }

  /** Removes and returns the keys that are due. */
  takeDue(now: Millis): K[] {
    const due: K[] = []
    for (const [key, at] of this.#at) if (at <= now) due.push(key)
    for (const key of due) this.#at.delete(key)
    return due
  }

  next(): Millis | null {
    let first: Millis | null = null
    for (const at of this.#at.values()) if (first === null || at < first) first = at
    return first
  }
}
