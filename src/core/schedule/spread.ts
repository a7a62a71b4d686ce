import { countOn, type Demand, keepsSkew, spreadCount } from './demand.ts'
import { hash } from './hash.ts'
import { type Heap, heapOf, pop, push } from './heap.ts'
import { labelOf } from './labels.ts'
import { popFitting, pushScored, scoreAll } from './pack.ts'
import { hardLimitOf, type Picker } from './pickers.ts'
import type { Slot } from './slot.ts'

/** Agents with the same value of every spread key. */
interface Bucket {
  /** Any of its agents: the counts are the same for all. */
  readonly sample: Slot
  readonly heap: Heap
}

export interface SpreadInput {
  readonly demand: Demand
  /** Agents of which label and runtime filters hold. */
  readonly eligible: readonly Slot[]
  readonly slots: readonly Slot[]
}

interface Spreading {
  readonly demand: Demand
  readonly slots: readonly Slot[]
  readonly buckets: readonly Bucket[]
  readonly bucketOf: ReadonlyMap<Slot, number>
  /** Buckets that may have room, by load. */
  readonly waiting: Heap
}

/**
 * Spreads: of the buckets that keep the skew, the one whose values hold the fewest tasks; inside it, packs.
 * Near O(agents + tasks) for one key; with several, each task may look at every bucket that is over its skew.
 * `salt` varies by workload, so that many small workloads do not all begin in the same zone.
 */
export function spreadPicker(input: SpreadInput, salt: number): Picker {
  const state = spreading(input, salt)
  return { next: () => next(state), placed: (slot) => giveBack(state, slot), done: () => undefined }
}

function spreading({ demand, eligible, slots }: SpreadInput, salt: number): Spreading {
  const groups = [...groupByValues(demand, eligible)].sort(([a], [b]) => hash(salt, a) - hash(salt, b) || (a < b ? -1 : 1))
  const buckets = groups.flatMap(([, members]) => {
    const [sample] = members
    return sample === undefined ? [] : [{ sample, heap: scoreAll(demand.requirements, members) }]
  })
  const bucketOf = new Map(groups.flatMap(([, members], index) => members.map((slot) => [slot, index] as const)))
  const loads = buckets.map(({ sample }) => loadOf(demand, sample))
  const waiting = heapOf([...buckets.keys()], loads)
  return { demand, slots, buckets, bucketOf, waiting }
}

function groupByValues({ spread }: Demand, eligible: readonly Slot[]): Map<string, Slot[]> {
  const groups = new Map<string, Slot[]>()
  for (const slot of eligible) {
    const values = JSON.stringify(spread.map(({ key }) => labelOf(slot.view.labels, key)))
    const members = groups.get(values)
    if (members === undefined) groups.set(values, [slot])
    else members.push(slot)
  }
  return groups
}

const loadOf = ({ spread }: Demand, slot: Slot): number => spread.reduce((sum, key) => sum + spreadCount(key, slot), 0)

function next(state: Spreading): Slot | undefined {
  const skewed: Bucket[] = []
  const found = search(state, skewed)
  for (const { sample } of skewed) wait(state, sample)
  return found
}

/** Counts only grow, so a bucket's load is checked when the bucket comes up, not when it changes. */
function search(state: Spreading, skewed: Bucket[]): Slot | undefined {
  const { demand, buckets, waiting } = state
  for (let entry = pop(waiting); entry !== undefined; entry = pop(waiting)) {
    const bucket = buckets[entry.item]
    if (bucket === undefined) continue
    if (loadOf(demand, bucket.sample) > entry.key) wait(state, bucket.sample)
    else if (!demand.spread.every((key) => keepsSkew(key, bucket.sample))) skewed.push(bucket)
    else {
      const slot = takeFrom(state, bucket)
      if (slot !== undefined) return slot
    }
  }
  return undefined
}

/** An agent at maxPerNode is at it for the rest of the group, and the heap is the group's own, so it need not come back. */
function takeFrom({ demand, slots }: Spreading, { heap }: Bucket): Slot | undefined {
  const limit = hardLimitOf(demand)
  for (let slot = popFitting(heap, demand.requirements, slots); slot; slot = popFitting(heap, demand.requirements, slots)) {
    if (countOn(demand, slot) < limit) return slot
  }
  return undefined
}

function giveBack(state: Spreading, slot: Slot): void {
  const bucket = state.buckets[state.bucketOf.get(slot) ?? -1]
  if (bucket !== undefined) pushScored(bucket.heap, state.demand.requirements, slot)
  wait(state, slot)
}

function wait({ demand, bucketOf, waiting }: Spreading, slot: Slot): void {
  const index = bucketOf.get(slot)
  if (index !== undefined) push(waiting, loadOf(demand, slot), index)
}
