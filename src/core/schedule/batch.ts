import type { TaskId } from '../../model/ids.ts'
import { countPlaced, type Demand } from './demand.ts'
import type { PackClass } from './pack.ts'
import { type Parts, partsKey, partsOf } from './parts.ts'
import { isEligible } from './reasons.ts'
import { type Slot, slotsOf, take } from './slot.ts'
import type { Placement, Requirements, ScheduleRequest } from './types.ts'

/** One attempt at a request: agents as they fill, and what has been decided. */
export interface Batch {
  readonly seed: number
  readonly slots: readonly Slot[]
  readonly byId: ReadonlyMap<string, Slot>
  readonly classes: Map<string, PackClass>
  readonly parts: Map<string, Parts>
  /** Agents in the order in which tasks went to them, by index; once for tasks of one turn in a row. */
  readonly log: number[]
  /** How long the log was when the present turn began: classes may have read all before it. */
  logged: number
  readonly placed: Placement[]
}

export function batchOf({ agents, seed }: ScheduleRequest): Batch {
  const slots = slotsOf(agents, seed)
  const byId = new Map<string, Slot>(slots.map((slot) => [slot.view.id, slot]))
  return { seed, slots, byId, classes: new Map(), parts: new Map(), log: [], logged: 0, placed: [] }
}

/** Groups with equal capacity needs on the same agents share a class; names of ports and workload rules do not matter to it. */
export function classOf(batch: Batch, requirements: Requirements): PackClass {
  const { cpuMillis, memoryBytes, fixedPorts, dynamicPorts } = requirements
  const agents = partsKey(requirements)
  const key = JSON.stringify([cpuMillis, memoryBytes, fixedPorts.map(({ port }) => port), dynamicPorts.length, agents])
  return known(batch.classes, key, () => {
    const eligible = (): Slot[] => batch.slots.filter((slot) => isEligible(requirements, slot))
    const parts = known(batch.parts, agents, () => partsOf(requirements, batch.slots, eligible()))
    return { requirements, parts, heaps: [], seen: 0, extra: 0 }
  })
}

function known<T>(cache: Map<string, T>, key: string, make: () => T): T {
  const value = cache.get(key) ?? make()
  cache.set(key, value)
  return value
}

export function commit(batch: Batch, demand: Demand, { task, slot }: { task: TaskId; slot: Slot }): void {
  const ports = take(slot, demand.requirements)
  countPlaced(demand, slot)
  // Leaves out only what this turn logged last: an entry of an earlier turn is behind those classes that have read it.
  if (batch.log.length === batch.logged || batch.log.at(-1) !== slot.index) batch.log.push(slot.index)
  batch.placed.push({ task, agent: slot.view.id, ports })
}
