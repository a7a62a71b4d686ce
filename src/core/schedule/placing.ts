import type { TaskId } from '../../model/ids.ts'
import { type Reason, reasonOf } from '../../model/reason.ts'
import { type Batch, classOf, commit } from './batch.ts'
import { countAll, type Demand, demandOf } from './demand.ts'
import { hash } from './hash.ts'
import { catchUp, type PackClass } from './pack.ts'
import { type Picker, packPicker, type Shelf } from './pickers.ts'
import { passesAll, reasonsFor, type Verdict, verdictOf } from './reasons.ts'
import type { Slot } from './slot.ts'
import { spreadPicker } from './spread.ts'
import type { PendingGroup, Unplaced } from './types.ts'

/** A group while its tasks are being placed, over all of its turns. */
export interface Placing {
  readonly group: PendingGroup
  readonly klass: PackClass
  readonly demand: Demand
  /** Those that may go to any agent and have none yet. */
  readonly tasks: SetIterator<TaskId>
  left: number
  /** Null until the first of them comes up. */
  picker: Picker | null
  /** Bound tasks that found no room. */
  readonly refused: Unplaced[]
}

/** Bound tasks go first: they have no other place. */
export function beginPlacing(batch: Batch, group: PendingGroup): Placing {
  const klass = classOf(batch, group.requirements)
  const demand = demandOf(group, klass.parts, batch.byId)
  return {
    group,
    klass,
    demand,
    tasks: group.tasks.values(),
    left: group.tasks.size,
    picker: null,
    refused: placeBound(batch, group, demand),
  }
}

function placeBound(batch: Batch, group: PendingGroup, demand: Demand): Unplaced[] {
  batch.logged = batch.log.length
  return [...group.bound].flatMap(([task, agent]) => {
    const slot = batch.byId.get(agent)
    const refused = (reasons: readonly Reason[]): Unplaced[] => [{ group: group.id, agent, count: 1, reasons }]
    if (slot === undefined) return refused([reasonOf('NoSuchAgent', `agent ${agent} is not known`)])
    const seen = group.cordons === 'Ignored' && slot.view.cordoned === true ? inService(slot) : slot
    if (!passesAll(demand, seen)) return refused(reasonsFor(demand, verdictOf(group.requirements, [seen]), 1))
    commit(batch, demand, { task, slot })
    return []
  })
}

const inService = (slot: Slot): Slot => ({ ...slot, view: { ...slot.view, schedulable: true } })

/** One turn: places at most `most` of the tasks that may go to any agent, and returns how many; 0 when none is left or none has room. */
export function placeSome(batch: Batch, placing: Placing, most: number): number {
  if (placing.left === 0) return 0
  const { klass, demand, tasks } = placing
  batch.logged = batch.log.length
  catchUp(klass, batch.log, batch.slots)
  placing.picker ??= pickerFor(batch, placing)
  let count = 0
  for (; count < Math.min(most, placing.left); count++) {
    const slot = placing.picker.next()
    const task = slot && tasks.next().value
    if (slot === undefined || task === undefined) break
    commit(batch, demand, { task, slot })
    placing.picker.placed(slot)
  }
  placing.left -= count
  placing.picker.done()
  // What this turn placed is in the heaps already.
  klass.seen = batch.log.length
  return count
}

function pickerFor({ slots, seed }: Batch, { group, klass, demand, left }: Placing): Picker {
  const shelf: Shelf = { klass, demand, slots, aside: [] }
  if (demand.spread.length > 0) return spreadPicker(shelf, hash(seed, group.workload))
  return packPicker(shelf, Math.max(1, Math.floor((countAll(demand) + left) / 2)))
}

const NO_AGENTS: readonly Reason[] = [reasonOf('NoAgents', 'no agent has joined', 0)]

/** Those that are left when all are through, and why. Equal tasks: when one finds no agent, none after it does, for the same reasons. */
export function unplacedOf({ slots }: Batch, placings: Iterable<Placing>): Unplaced[] {
  const verdicts = new Map<PackClass, Verdict>()
  const reasonsOf = ({ klass, demand }: Placing): readonly Reason[] => {
    if (slots.length === 0) return NO_AGENTS
    const verdict = verdicts.get(klass) ?? verdictOf(demand.requirements, slots)
    verdicts.set(klass, verdict)
    return reasonsFor(demand, verdict, slots.length)
  }
  return [...placings].flatMap((placing) => {
    const { group, refused, left } = placing
    return left === 0 ? refused : [...refused, { group: group.id, agent: null, count: left, reasons: reasonsOf(placing) }]
  })
}
