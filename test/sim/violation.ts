import type { Millis } from '../../src/model/ids.ts'

/** A promise that was broken, when, and what shows it. */
export interface Finding {
  readonly invariant: string
  readonly message: string
  readonly at: Millis
}

/** What checkers report to; the first finding ends a run. */
export class Findings {
  readonly all: Finding[] = []
  readonly #now: () => Millis

  constructor(now: () => Millis) {
    this.#now = now
  }

  report(invariant: string, message: string): void {
    this.all.push({ invariant, message, at: this.#now() })
  }

  get any(): boolean {
    return this.all.length > 0
  }
}
