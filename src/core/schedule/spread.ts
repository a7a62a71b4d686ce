import { type Demand, hardLimitOf, keepsSkew, spreadCount } from './demand.ts'
import { type Heap, heapOf, pop, push } from './heap.ts'
import { pushScored } from './pack.ts'
import { type Picker, restore, type Shelf, takeBelow } from './pickers.ts'
import type { Slot } from './slot.ts'

/** Domains are the parts of the class, counted from `start`. */
interface Spreading {
  readonly shelf: Shelf
  readonly start: number
  /** Domains that may have room, by load. */
  readonly waiting: Heap
}

/**
 * Spreads: of the domains that keep the skew, the one whose label values hold the fewest tasks; inside it, packs.
 * Near O(domains + tasks) for one key; with several, each task may look at every domain that is over its skew.
 * `salt` varies by workload, so that many small workloads do not all begin in the same zone.
 */
export function spreadPicker(shelf: Shelf, salt: number): Picker {
  const state = spreading(shelf, salt)
  return { next: () => next(state), placed: (slot) => giveBack(state, slot), done: () => restore(shelf) }
}

function spreading(shelf: Shelf, salt: number): Spreading {
  const size = shelf.klass.parts.members.length
  const start = size === 0 ? 0 : salt % size
  const domains = Array.from({ length: size }, (_, domain) => domain)
  const loads = domains.map((domain) => loadOf(shelf.demand, sampleOf(shelf, partAt(shelf, start, domain))))
  return { shelf, start, waiting: heapOf(domains, loads) }
}

const partAt = ({ klass }: Shelf, start: number, domain: number): number => (domain + start) % klass.parts.members.length

/** Any agent of a part, for no part is empty: the counts by label value are the same for all. */
const sampleOf = ({ klass }: Shelf, part: number): Slot => klass.parts.members[part]?.[0] as Slot

const loadOf = ({ spread }: Demand, slot: Slot): number => spread.reduce((sum, key) => sum + spreadCount(key, slot), 0)

function next(state: Spreading): Slot | undefined {
  const skewed: Slot[] = []
  const found = search(state, skewed)
  for (const sample of skewed) wait(state, sample)
  return found
}

/** Counts only grow, so a domain's load is checked when the domain comes up, not when it changes. */
function search(state: Spreading, skewed: Slot[]): Slot | undefined {
  const { shelf, start, waiting } = state
  const { demand } = shelf
  for (let entry = pop(waiting); entry !== undefined; entry = pop(waiting)) {
    const part = partAt(shelf, start, entry.item)
    const sample = sampleOf(shelf, part)
    if (loadOf(demand, sample) > entry.key) wait(state, sample)
    else if (!demand.spread.every((key) => keepsSkew(key, sample))) skewed.push(sample)
    else {
      const slot = takeBelow(shelf, part, hardLimitOf(demand))
      if (slot !== undefined) return slot
    }
  }
  return undefined
}

function giveBack(state: Spreading, slot: Slot): void {
  pushScored(state.shelf.klass, slot)
  wait(state, slot)
}

function wait({ shelf, start, waiting }: Spreading, slot: Slot): void {
  const { members, partOf } = shelf.klass.parts
  push(waiting, loadOf(shelf.demand, slot), ((partOf[slot.index] ?? 0) - start + members.length) % members.length)
}
