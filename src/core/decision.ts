import type { Millis } from '../model/ids.ts'
import type { Write } from '../model/records.ts'

export interface Decision {
  readonly writes: readonly Write[]
  /** When to look again although nothing happens; null: only on a change. */
  readonly wakeAt: Millis | null
}
