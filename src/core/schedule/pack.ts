import { type Heap, heapOf, pop, push } from './heap.ts'
import type { Parts } from './parts.ts'
import { hasRoom } from './reasons.ts'
import type { Slot } from './slot.ts'
import type { Requirements } from './types.ts'

/** Above every score, so that an agent without tasks comes after all that have some. */
const EMPTY_PENALTY = 4

/**
 * Less is better: the share of the machine that would be left, summed over CPU and memory (0 to 2), used agents first.
 * Linear on purpose: with powers, as Nomad scores, a full scan is 15 times slower and packs no better.
 * A task that asks for nothing cannot be packed, so it goes where the fewest tasks are.
 */
function packScore({ cpuMillis, memoryBytes }: Requirements, slot: Slot): number {
  if (cpuMillis === 0 && memoryBytes === 0) return slot.tasks
  const { capacity } = slot.view
  const left = share(slot.freeCpu - cpuMillis, capacity.cpuMillis) + share(slot.freeMemory - memoryBytes, capacity.memoryBytes)
  return slot.tasks === 0 ? left + EMPTY_PENALTY : left
}

const share = (part: number, whole: number): number => (whole > 0 ? part / whole : 0)

/** All groups that ask for the same: agents are scored once for them, then followed as they fill. */
export interface PackClass {
  readonly requirements: Requirements
  readonly parts: Parts
  /** A heap of agents by score for each part; empty until a group needs them. */
  heaps: readonly Heap[]
  /** How much of the batch's log of placements the heaps have seen. */
  seen: number
  /** Entries added since the heaps were built, beyond one for each agent. */
  extra: number
}

/**
 * Brings the heaps of a class up to the placements made since it was used last: only the agents they touched are scored again.
 * Older entries of those stay and are skipped when they come up; too many, and the heaps are built anew.
 */
export function catchUp(klass: PackClass, log: readonly number[], slots: readonly Slot[]): void {
  const touched = klass.heaps.length === 0 ? [] : new Set(log.slice(klass.seen))
  klass.seen = log.length
  if (klass.heaps.length === 0 || klass.extra > klass.parts.eligible.length) {
    klass.heaps = klass.parts.members.map((members) => scoreAll(klass.requirements, members))
    klass.extra = 0
    return
  }
  for (const index of touched) {
    const slot = slots[index]
    if (slot === undefined || klass.parts.partOf[index] === -1) continue
    pushScored(klass, slot)
    klass.extra += 1
  }
}

function scoreAll(requirements: Requirements, slots: readonly Slot[]): Heap {
  const fitting = slots.filter((slot) => hasRoom(requirements, slot))
  return heapOf(
    fitting.map((slot) => slot.index),
    fitting.map((slot) => packScore(requirements, slot)),
  )
}

/** Takes the best agent with room off the heap of a part; outdated entries and full agents go for good. */
export function popFitting({ heaps, requirements }: PackClass, part: number, slots: readonly Slot[]): Slot | undefined {
  const heap = heaps[part]
  if (heap === undefined) return undefined
  for (let entry = pop(heap); entry !== undefined; entry = pop(heap)) {
    const slot = slots[entry.item]
    if (slot !== undefined && packScore(requirements, slot) === entry.key && hasRoom(requirements, slot)) return slot
  }
  return undefined
}

/** Puts an agent into the heap of its part, by its score as it is now. */
export function pushScored({ heaps, parts, requirements }: PackClass, slot: Slot): void {
  const heap = heaps[parts.partOf[slot.index] ?? -1]
  if (heap !== undefined) push(heap, packScore(requirements, slot), slot.index)
}
