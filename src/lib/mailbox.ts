/** A queue with one waiting reader: many put, one takes everything at once. */
export class Mailbox<T> {
  #items: T[] = []
  #wake: (() => void) | null = null

  put(item: T): void {
    this.#items.push(item)
    this.#wake?.()
  }

  /** Everything put since the last take, oldest first; may be empty. */
  takeAll(): T[] {
    const items = this.#items
    this.#items = []
    return items
  }

  get size(): number {
    return this.#items.length
  }

  /** Resolves when something is there, or the signal aborts. */
  async waitForItem(signal: AbortSignal): Promise<void> {
    if (this.#items.length > 0 || signal.aborted) return
    await new Promise<void>((resolve) => {
      const done = () => {
        this.#wake = null
        signal.removeEventListener('abort', done)
        resolve()
      }
      this.#wake = done
      signal.addEventListener('abort', done, { once: true })
    })
  }
}
