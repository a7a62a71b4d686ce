import type { Millis } from '../../src/model/ids.ts'
import type { InvariantName } from './invariants.ts'

/** A promise that was broken, when, and what shows it. */
export interface Finding {
  readonly invariant: InvariantName
  readonly message: string
  readonly at: Millis
}

/** What is not yet as it should be once nothing disturbs any more, and which promise that is about. */
export type Trouble = Omit<Finding, 'at'>

/** What checkers report to; the first finding ends a run. */
export class Findings {
  readonly all: Finding[] = []
  readonly #now: () => Millis

  constructor(now: () => Millis) {
    this.#now = now
  }

  report(invariant: InvariantName, message: string): void {
    this.all.push({ invariant, message, at: this.#now() })
  }

  get any(): boolean {
    return this.all.length > 0
  }
}
