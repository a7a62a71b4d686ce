import { type Heap, heapOf, pop, push } from './heap.ts'
import { hasRoom, isEligible } from './reasons.ts'
import type { Slot } from './slot.ts'
import type { Requirements } from './types.ts'

/** Above every score, so that an agent without tasks comes after all that have some. */
const EMPTY_PENALTY = 4

/**
 * Less is better: the share of the machine that would be left, summed over CPU and memory (0 to 2), used agents first.
 * Linear on purpose: with powers, as Nomad scores, a full scan is 15 times slower and packs no better.
 * A task that asks for nothing cannot be packed, so it goes where the fewest tasks are.
 */
export function packScore({ cpuMillis, memoryBytes }: Requirements, slot: Slot): number {
  if (cpuMillis === 0 && memoryBytes === 0) return slot.tasks
  const { capacity } = slot.view
  const left = share(slot.freeCpu - cpuMillis, capacity.cpuMillis) + share(slot.freeMemory - memoryBytes, capacity.memoryBytes)
  return slot.tasks === 0 ? left + EMPTY_PENALTY : left
}

const share = (part: number, whole: number): number => (whole > 0 ? part / whole : 0)

/** Agents on which the label and runtime rules of some requirements hold. */
export interface Eligibility {
  readonly slots: readonly Slot[]
  /** By index of the slot. */
  readonly has: readonly boolean[]
}

export function eligibility(requirements: Requirements, slots: readonly Slot[]): Eligibility {
  const has = slots.map((slot) => isEligible(requirements, slot))
  return { slots: slots.filter((slot) => has[slot.index]), has }
}

/** All groups that ask for the same: agents are scored once for them, then followed as they fill. */
export interface PackClass {
  readonly requirements: Requirements
  readonly eligible: Eligibility
  /** Null until a group packs with it. */
  heap: Heap | null
  /** How much of the batch's log of placements the heap has seen. */
  seen: number
}

export function scoreAll(requirements: Requirements, slots: readonly Slot[]): Heap {
  const fitting = slots.filter((slot) => hasRoom(requirements, slot))
  return heapOf(
    fitting.map((slot) => slot.index),
    fitting.map((slot) => packScore(requirements, slot)),
  )
}

/**
 * The heap of a class, brought up to the placements made since: only the agents they touched are scored again.
 * Older entries of those stay and are skipped when they come up; too many, and the heap is built anew.
 */
export function currentHeap(klass: PackClass, log: readonly number[], slots: readonly Slot[]): Heap {
  const { requirements, eligible, heap } = klass
  const touched = new Set(log.slice(klass.seen).filter((index) => eligible.has[index]))
  klass.seen = log.length
  if (heap === null || heap.keys.length + touched.size > 2 * eligible.slots.length) {
    klass.heap = scoreAll(requirements, eligible.slots)
    return klass.heap
  }
  for (const index of touched) {
    const slot = slots[index]
    if (slot !== undefined) pushScored(heap, requirements, slot)
  }
  return heap
}

/** Takes the best agent with room off the heap; outdated entries and full agents go for good. */
export function popFitting(heap: Heap, requirements: Requirements, slots: readonly Slot[]): Slot | undefined {
  for (let entry = pop(heap); entry !== undefined; entry = pop(heap)) {
    const slot = slots[entry.item]
    if (slot !== undefined && packScore(requirements, slot) === entry.key && hasRoom(requirements, slot)) return slot
  }
  return undefined
}

export function pushScored(heap: Heap, requirements: Requirements, slot: Slot): void {
  push(heap, packScore(requirements, slot), slot.index)
}
