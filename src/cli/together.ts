/** Works side by side, of which more may come; when one fails the others are aborted. */
export class Together {
  /** Aborted by the caller's, or when a work has failed. */
  readonly signal: AbortSignal
  readonly #failed = new AbortController()
  readonly #works: Promise<void>[] = []
  readonly #failures: unknown[] = []

  constructor(signal: AbortSignal) {
    this.signal = AbortSignal.any([signal, this.#failed.signal])
  }

  add(work: (signal: AbortSignal) => Promise<void>): void {
    this.#works.push(work(this.signal).catch((error: unknown) => this.fail(error)))
  }

  fail(error: unknown): void {
    this.#failures.push(error)
    this.#failed.abort()
  }

  /** Resolves when all have ended. @throws what the first one that failed has thrown. */
  async ended(): Promise<void> {
    await Promise.all(this.#works)
    if (this.#failures.length > 0) throw this.#failures[0]
  }
}
