import type { Colors } from './colors.ts'

/** What tables need besides the rows. */
export interface Look {
  readonly colors: Colors
  readonly now: number
}

/** A line of a report; null: it is left out. */
export type Field = readonly [name: string, value: string | readonly string[] | null]
