import { labelOf } from './labels.ts'
import type { Slot } from './slot.ts'
import type { Requirements } from './types.ts'

/** The agents on which label and runtime rules hold, parted by their values of the spread keys; one part without spread. */
export interface Parts {
  readonly eligible: readonly Slot[]
  readonly members: readonly (readonly Slot[])[]
  /** Part by index of the slot; -1 for an agent that is not eligible. */
  readonly partOf: readonly number[]
  /** The values found, for each spread key. */
  readonly values: readonly ReadonlySet<string>[]
}

/** `eligible` are those of `slots` on which the label and runtime rules hold. */
export function partsOf({ spread }: Requirements, slots: readonly Slot[], eligible: readonly Slot[]): Parts {
  const keys = spread.map(({ key }) => key)
  const members = new Map<string, Slot[]>()
  for (const slot of eligible) {
    const values = JSON.stringify(keys.map((key) => spreadValue(slot, key)))
    const part = members.get(values)
    if (part === undefined) members.set(values, [slot])
    else part.push(slot)
  }
  const partOf = slots.map(() => -1)
  for (const [index, part] of [...members.values()].entries()) for (const slot of part) partOf[slot.index] = index
  const values = keys.map((key) => new Set(eligible.map((slot) => spreadValue(slot, key))))
  return { eligible, members: [...members.values()], partOf, values }
}

/** What identifies equal results of `partsOf` inside one batch. */
export function partsKey({ nodeSelector, constraints, spread, driver, isolation }: Requirements): string {
  const selector = Object.entries(nodeSelector).sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify([selector, constraints, spread.map(({ key }) => key), driver, isolation])
}

/** Eligible agents have every spread label, so the empty text stands for no real value. */
export const spreadValue = (slot: Slot, key: string): string => labelOf(slot.view.labels, key) ?? ''
