import { countOn, type Demand, hardLimitOf } from './demand.ts'
import type { Heap } from './heap.ts'
import { popFitting, pushScored } from './pack.ts'
import type { Slot } from './slot.ts'

/** Gives the agents for the tasks of one group, one after the other. */
export interface Picker {
  /** The best agent that takes one more task; undefined when none does. */
  readonly next: () => Slot | undefined
  /** Must follow `next`, after the task is counted. */
  readonly placed: (slot: Slot) => void
  /** Hands shared state back when the group is through. */
  readonly done: () => void
}

/** One heap of a class while a group takes agents from it. */
export interface Shelf {
  readonly heap: Heap
  readonly demand: Demand
  readonly slots: readonly Slot[]
  /** Agents at the limit: not for this group, but for the next. */
  readonly aside: Slot[]
}

/** The best agent with room that has fewer tasks of the workload than `limit`. */
export function takeBelow({ heap, demand, slots, aside }: Shelf, limit: number): Slot | undefined {
  for (let slot = popFitting(heap, demand.requirements, slots); slot; slot = popFitting(heap, demand.requirements, slots)) {
    if (countOn(demand, slot) < limit) return slot
    aside.push(slot)
  }
  return undefined
}

export function putBack({ heap, demand }: Shelf, slot: Slot): void {
  pushScored(heap, demand.requirements, slot)
}

export function restore(shelf: Shelf): void {
  for (const slot of shelf.aside.splice(0)) putBack(shelf, slot)
}

/** Packs: the fullest agent that fits; none gets more than `softLimit` tasks of the workload while another has room. */
export function packPicker(shelf: Shelf, softLimit: number): Picker {
  const hardLimit = hardLimitOf(shelf.demand)
  let limit = Math.min(softLimit, hardLimit)
  const next = (): Slot | undefined => {
    const slot = takeBelow(shelf, limit)
    if (slot !== undefined || limit >= hardLimit) return slot
    limit = hardLimit
    restore(shelf)
    return next()
  }
  return { next, placed: (slot) => putBack(shelf, slot), done: () => restore(shelf) }
}
