import { countOn, type Demand } from './demand.ts'
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

export interface PackInput {
  readonly demand: Demand
  /** Shared by all groups of the class. */
  readonly heap: Heap
  readonly slots: readonly Slot[]
  /** Most tasks of the workload an agent gets while another has room. */
  readonly softLimit: number
}

/** Packs: the fullest agent that fits, from the heap that all groups of the class share. */
export function packPicker({ demand, heap, slots, softLimit }: PackInput): Picker {
  const { requirements } = demand
  const hardLimit = hardLimitOf(demand)
  let limit = Math.min(softLimit, hardLimit)
  let aside: Slot[] = []
  const restore = (): void => {
    for (const slot of aside) pushScored(heap, requirements, slot)
    aside = []
  }
  const next = (): Slot | undefined => {
    for (let slot = popFitting(heap, requirements, slots); slot; slot = popFitting(heap, requirements, slots)) {
      if (countOn(demand, slot) < limit) return slot
      aside.push(slot)
    }
    if (limit >= hardLimit) return undefined
    limit = hardLimit
    restore()
    return next()
  }
  return { next, placed: (slot) => pushScored(heap, requirements, slot), done: restore }
}

export const hardLimitOf = ({ requirements }: Demand): number => requirements.maxPerNode ?? Number.POSITIVE_INFINITY
