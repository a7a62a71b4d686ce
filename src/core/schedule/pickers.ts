import { countOn, type Demand, hardLimitOf } from './demand.ts'
import { type PackClass, popFitting, pushScored } from './pack.ts'
import type { Slot } from './slot.ts'

/** Gives the agents for the tasks of one group, one after the other, over all turns of the group. */
export interface Picker {
  /** The best agent that takes one more task; undefined when none does, then or later in the batch. */
  readonly next: () => Slot | undefined
  /** Must follow `next`, after the task is counted. */
  readonly placed: (slot: Slot) => void
  /** Hands shared state back when a turn is over. */
  readonly done: () => void
}

/** What a group takes agents from: the heaps of its class, which the other groups of it use between its turns. */
export interface Shelf {
  readonly klass: PackClass
  readonly demand: Demand
  readonly slots: readonly Slot[]
  /** Agents at the limit: not for this group, but for the next. Empty between turns. */
  readonly aside: Slot[]
}

/** The best agent of a part with room that has fewer tasks of the workload than `limit`. */
export function takeBelow({ klass, demand, slots, aside }: Shelf, part: number, limit: number): Slot | undefined {
  for (let slot = popFitting(klass, part, slots); slot; slot = popFitting(klass, part, slots)) {
    if (countOn(demand, slot) < limit) return slot
    aside.push(slot)
  }
  return undefined
}

export function restore({ klass, aside }: Shelf): void {
  for (const slot of aside.splice(0)) pushScored(klass, slot)
}

/** Packs: the fullest agent that fits; none gets more than `softLimit` tasks of the workload while another has room. */
export function packPicker(shelf: Shelf, softLimit: number): Picker {
  const hardLimit = hardLimitOf(shelf.demand)
  let limit = Math.min(softLimit, hardLimit)
  const next = (): Slot | undefined => {
    const slot = takeBelow(shelf, 0, limit)
    if (slot !== undefined || limit >= hardLimit) return slot
    limit = hardLimit
    restore(shelf)
    return next()
  }
  return { next, placed: (slot) => pushScored(shelf.klass, slot), done: () => restore(shelf) }
}
