import type { TaskId, WorkloadKey } from '../../model/ids.ts'
import type { Reason } from '../../model/reason.ts'
import { countPlaced, type Demand, demandOf } from './demand.ts'
import { hash } from './hash.ts'
import { currentHeaps, type PackClass } from './pack.ts'
import { type Parts, partsKey, partsOf } from './parts.ts'
import { type Picker, packPicker } from './pickers.ts'
import { isEligible, passesAll, reasonsFor } from './reasons.ts'
import { type Slot, slotsOf, take } from './slot.ts'
import { spreadPicker } from './spread.ts'
import type { PendingGroup, PendingTask, Placement, Requirements, ScheduleRequest, ScheduleResult, Unplaced } from './types.ts'

/** One call of `schedule`: agents as they fill, and what has been decided. */
interface Batch {
  readonly seed: number
  readonly slots: readonly Slot[]
  readonly byId: ReadonlyMap<string, Slot>
  readonly classes: Map<string, PackClass>
  readonly parts: Map<string, Parts>
  /** Agents in the order in which tasks went to them, by index; once for tasks of one turn in a row. */
  readonly log: number[]
  /** Tasks placed in this batch, by workload and agent. */
  readonly placedOf: Map<WorkloadKey, Map<string, number>>
  readonly placed: Placement[]
  readonly unplaced: Unplaced[]
}

/** A group being placed. */
interface Turn {
  readonly group: PendingGroup
  readonly klass: PackClass
  readonly demand: Demand
  /** The length of the batch's log when the turn began: classes may have read all before it. */
  readonly logged: number
}

/**
 * Finds an agent and host ports for every pending task, or the reasons why there is none.
 * Packs: the fullest used agent that fits, an unused one when no used one does; no agent gets more than half of a
 * workload while another has room, so that one loss never takes all of it. Oldest group first.
 * Pure: equal requests give equal results, whatever the order of agents, groups and tasks in them.
 */
export function schedule({ pending, agents, seed }: ScheduleRequest): ScheduleResult {
  const slots = slotsOf(agents, seed)
  const byId = new Map<string, Slot>(slots.map((slot) => [slot.view.id, slot]))
  const batch: Batch = {
    seed,
    slots,
    byId,
    classes: new Map(),
    parts: new Map(),
    log: [],
    placedOf: new Map(),
    placed: [],
    unplaced: [],
  }
  for (const group of [...pending].sort(byAge)) placeGroup(batch, group)
  return { placed: batch.placed, unplaced: batch.unplaced }
}

const byAge = (a: PendingGroup, b: PendingGroup): number => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1)
const byId = (a: { id: TaskId }, b: { id: TaskId }): number => (a.id < b.id ? -1 : 1)

/** Bound tasks go first: they have no other place. */
function placeGroup(batch: Batch, group: PendingGroup): void {
  const klass = classOf(batch, group.requirements)
  const placed = batch.placedOf.get(group.workload) ?? new Map()
  const demand = demandOf({ group, parts: klass.parts, byId: batch.byId, placed })
  const turn: Turn = { group, klass, demand, logged: batch.log.length }
  const tasks = [...group.tasks].sort(byId)
  for (const task of tasks) if (task.agent !== null) placeBound(batch, turn, task)
  const free = tasks.filter((task) => task.agent === null)
  if (free.length > 0) placeFree(batch, turn, free)
}

/** Groups with equal capacity needs on the same agents share a class; names of ports and workload rules do not matter to it. */
function classOf(batch: Batch, requirements: Requirements): PackClass {
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

function placeBound(batch: Batch, turn: Turn, task: PendingTask): void {
  const slot = batch.byId.get(task.agent ?? '')
  if (slot === undefined) {
    batch.unplaced.push({ task: task.id, reasons: [{ code: 'NoSuchAgent', message: `agent ${task.agent} is not known`, count: 1 }] })
  } else if (passesAll(turn.demand, slot)) commit(batch, turn, { task: task.id, slot })
  else batch.unplaced.push({ task: task.id, reasons: reasonsFor(turn.demand, [slot]) })
}

/** Equal tasks: when one finds no agent, none after it does, for the same reasons. */
function placeFree(batch: Batch, turn: Turn, tasks: readonly PendingTask[]): void {
  const picker = pickerFor(batch, turn, tasks.length)
  for (const [index, { id }] of tasks.entries()) {
    const slot = picker.next()
    if (slot === undefined) {
      giveUp(batch, turn, tasks.slice(index))
      break
    }
    commit(batch, turn, { task: id, slot })
    picker.placed(slot)
  }
  picker.done()
}

function giveUp(batch: Batch, turn: Turn, tasks: readonly PendingTask[]): void {
  const reasons = batch.slots.length === 0 ? NO_AGENTS : reasonsFor(turn.demand, batch.slots)
  for (const { id } of tasks) batch.unplaced.push({ task: id, reasons })
}

const NO_AGENTS: readonly Reason[] = [{ code: 'NoAgents', message: 'no agent has joined', count: 0 }]

function pickerFor(batch: Batch, { group, klass, demand }: Turn, pending: number): Picker {
  const { slots, seed, log } = batch
  const { parts } = klass
  const heaps = currentHeaps(klass, log, slots)
  const [heap] = heaps
  if (heap === undefined || demand.spread.length > 0) return spreadPicker({ demand, parts, heaps, slots, salt: hash(seed, group.workload) })
  const softLimit = Math.max(1, Math.floor((sum(demand.counts.values()) + pending) / 2))
  return packPicker({ heap, demand, slots, aside: [] }, softLimit)
}

const sum = (counts: Iterable<number>): number => [...counts].reduce((total, count) => total + count, 0)

function commit(batch: Batch, turn: Turn, { task, slot }: { task: TaskId; slot: Slot }): void {
  const { group, demand } = turn
  const ports = take(slot, group.requirements)
  countPlaced(demand, slot)
  const placed = batch.placedOf.get(group.workload) ?? new Map<string, number>()
  placed.set(slot.view.id, (placed.get(slot.view.id) ?? 0) + 1)
  batch.placedOf.set(group.workload, placed)
  logPlacement(batch, turn, slot)
  batch.placed.push({ task, agent: slot.view.id, ports })
}

/** Leaves out only what this turn logged last: an entry of an earlier turn is behind those classes that have read it. */
function logPlacement({ log }: Batch, { logged }: Turn, slot: Slot): void {
  if (log.length === logged || log.at(-1) !== slot.index) log.push(slot.index)
}
