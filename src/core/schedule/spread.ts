import { type Demand, hardLimitOf, keepsSkew, spreadCount } from './demand.ts'
import { type Heap, heapOf, pop, push } from './heap.ts'
import type { Parts } from './parts.ts'
import { type Picker, putBack, restore, type Shelf, takeBelow } from './pickers.ts'
import type { Slot } from './slot.ts'

export interface SpreadInput {
  readonly demand: Demand
  readonly parts: Parts
  /** One for each part. */
  readonly heaps: readonly Heap[]
  readonly slots: readonly Slot[]
  /** Varies by workload, so that many small workloads do not all begin in the same zone. */
  readonly salt: number
}

/** The agents of one part, while a group takes from them. */
interface Domain extends Shelf {
  /** Any of its agents: the counts by label value are the same for all. */
  readonly sample: Slot
}

interface Spreading {
  readonly demand: Demand
  readonly domains: readonly Domain[]
  readonly domainOf: (slot: Slot) => number
  /** Domains that may have room, by load. */
  readonly waiting: Heap
}

/**
 * Spreads: of the domains that keep the skew, the one whose label values hold the fewest tasks; inside it, packs.
 * Near O(domains + tasks) for one key; with several, each task may look at every domain that is over its skew.
 */
export function spreadPicker(input: SpreadInput): Picker {
  const state = spreading(input)
  const done = (): void => {
    for (const domain of state.domains) restore(domain)
  }
  return { next: () => next(state), placed: (slot) => giveBack(state, slot), done }
}

function spreading({ demand, parts, heaps, slots, salt }: SpreadInput): Spreading {
  const size = parts.members.length
  const inPartOrder = parts.members.flatMap(([sample], index): Domain[] => {
    const heap = heaps[index]
    return sample === undefined || heap === undefined ? [] : [{ sample, heap, demand, slots, aside: [] }]
  })
  const start = size === 0 ? 0 : salt % size
  const domains = [...inPartOrder.slice(start), ...inPartOrder.slice(0, start)]
  const domainOf = (slot: Slot): number => ((parts.partOf[slot.index] ?? 0) - start + size) % size
  const loads = domains.map(({ sample }) => loadOf(demand, sample))
  return { demand, domains, domainOf, waiting: heapOf([...domains.keys()], loads) }
}

const loadOf = ({ spread }: Demand, slot: Slot): number => spread.reduce((sum, key) => sum + spreadCount(key, slot), 0)

function next(state: Spreading): Slot | undefined {
  const skewed: Domain[] = []
  const found = search(state, skewed)
  for (const { sample } of skewed) wait(state, sample)
  return found
}

/** Counts only grow, so a domain's load is checked when the domain comes up, not when it changes. */
function search(state: Spreading, skewed: Domain[]): Slot | undefined {
  const { demand, domains, waiting } = state
  for (let entry = pop(waiting); entry !== undefined; entry = pop(waiting)) {
    const domain = domains[entry.item]
    if (domain === undefined) continue
    if (loadOf(demand, domain.sample) > entry.key) wait(state, domain.sample)
    else if (!demand.spread.every((key) => keepsSkew(key, domain.sample))) skewed.push(domain)
    else {
      const slot = takeBelow(domain, hardLimitOf(demand))
      if (slot !== undefined) return slot
    }
  }
  return undefined
}

function giveBack(state: Spreading, slot: Slot): void {
  const domain = state.domains[state.domainOf(slot)]
  if (domain !== undefined) putBack(domain, slot)
  wait(state, slot)
}

function wait({ demand, domainOf, waiting }: Spreading, slot: Slot): void {
  push(waiting, loadOf(demand, slot), domainOf(slot))
}
