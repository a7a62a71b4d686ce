import type { RunSpec } from '../../model/batch.ts'
import type { Millis, TaskId } from '../../model/ids.ts'
import type { Run } from '../../model/records.ts'
import { restartDelay } from '../restart.ts'
import { hasFailed, isLive, isOver, type TaskState } from '../task-state.ts'
import { actionFor, countedFailures } from './failure-policy.ts'
import { countIndexes, formatIndexes, type IndexSet, parseIndexes, withIndexes } from './index-set.ts'
import { withAttempts } from './run-record.ts'

/** Ended tasks of a run that stay for their logs, and how many more come together before they are counted and forgotten. */
const ENDED_KEPT = 100
const COUNTED_AT_ONCE = 50

/** How far a run has come: what its record counts, and its tasks that the record does not count. */
export interface Tally {
  readonly live: readonly TaskState[]
  /** Numbers that succeeded; of a Global run none, for its slots are machines. */
  readonly succeeded: IndexSet
  /** Slots of present tasks that succeeded. */
  readonly succeededSlots: ReadonlySet<string>
  readonly failedIndexes: IndexSet
  /** Failed attempts that count against the limit of the run. */
  readonly failures: number
  /** The task that, by a rule, ends the run; null: none. */
  readonly fatal: TaskState | null
  /** When a slot that failed may be tried again. */
  readonly retryAt: ReadonlyMap<string, Millis>
  /** Newest end of a failed task first. */
  readonly failed: readonly TaskState[]
}

type Counted = Pick<Run, 'succeeded' | 'failedIndexes' | 'failures' | 'indexFailures' | 'counted'>

export function tallyOf(run: Counted, spec: RunSpec, tasks: readonly TaskState[]): Tally {
  const known = new Set(run.counted)
  const fresh = tasks.filter(({ task }) => !known.has(task.id))
  const done = fresh.filter(({ observed }) => observed?.phase === 'Succeeded')
  const failed = fresh.filter(hasFailed).sort((a, b) => endOf(b) - endOf(a))
  const byIndex = failuresByIndex(run, spec, fresh)
  return {
    live: fresh.filter(isLive),
    succeeded: spec.mode === 'Global' ? [] : withIndexes(parseIndexes(run.succeeded), done.map(indexOf)),
    succeededSlots: new Set(done.map(({ task }) => task.slot)),
    failedIndexes: withIndexes(parseIndexes(run.failedIndexes), failedNow(spec, failed, byIndex)),
    failures: run.failures + fresh.reduce((sum, task) => sum + countedFailures(spec, task), 0),
    fatal: failed.find((task) => actionFor(spec, task) === 'FailJob') ?? null,
    retryAt: retries(failed),
    failed,
  }
}

const endOf = ({ observed }: TaskState): Millis => observed?.updatedAt ?? 0
const indexOf = ({ task }: TaskState): number => Number(task.slot)

/** How many completions a run has reached; of a Global one those of machines that are there. */
export function completed({ succeeded, succeededSlots }: Tally, { mode }: RunSpec, machines: readonly string[]): number {
  return mode === 'Global' ? machines.filter((machine) => succeededSlots.has(machine)).length : countIndexes(succeeded)
}

function failuresByIndex(run: Counted, spec: RunSpec, fresh: readonly TaskState[]): ReadonlyMap<string, number> {
  const counts = new Map(Object.entries(run.indexFailures))
  if (spec.backoffLimitPerIndex === undefined) return counts
  for (const state of fresh) counts.set(state.task.slot, (counts.get(state.task.slot) ?? 0) + countedFailures(spec, state))
  return counts
}

/** Indexes that have used up their own limit, or that a rule gives up. */
function failedNow(spec: RunSpec, failed: readonly TaskState[], byIndex: ReadonlyMap<string, number>): number[] {
  const { backoffLimitPerIndex: limit } = spec
  const ruled = failed.filter((task) => actionFor(spec, task) === 'FailIndex').map(indexOf)
  return limit === undefined ? ruled : [...ruled, ...[...byIndex].filter(([, count]) => count > limit).map(([slot]) => Number(slot))]
}

/** Each slot waits for its own failures, as a crash loop does, and holds up no other. */
function retries(failed: readonly TaskState[]): ReadonlyMap<string, Millis> {
  const bySlot = new Map<string, { failures: number; last: Millis }>()
  for (const state of failed) {
    const before = bySlot.get(state.task.slot) ?? { failures: 0, last: 0 }
    const failures = before.failures + Math.max(1, state.observed?.failures ?? 0)
    bySlot.set(state.task.slot, { failures, last: Math.max(before.last, endOf(state)) })
  }
  return new Map([...bySlot].map(([slot, { failures, last }]) => [slot, last + restartDelay(failures)]))
}

/**
 * The run with its oldest ended tasks counted in its record, so that they may be forgotten: a run of 100,000 tasks holds
 * few of them. Whoever reads the record before they are gone knows by `counted` not to count them again.
 */
export function countEnded(run: Run, spec: RunSpec, context: { tasks: readonly TaskState[]; now: Millis }): Run {
  const oldest = countable(run, context)
  if (spec.mode === 'Global' || oldest.length === 0) return run
  const present = new Set(context.tasks.map(({ task }) => task.id))
  return counting({ ...run, counted: run.counted.filter((id) => present.has(id)) }, spec, oldest)
}

function countable(run: Run, { tasks, now }: { tasks: readonly TaskState[]; now: Millis }): TaskState[] {
  const known = new Set(run.counted)
  const ended = tasks.filter((state) => isOver(state) && !known.has(state.task.id))
  if (ended.length < ENDED_KEPT + COUNTED_AT_ONCE) return []
  const waiting = retries(ended.filter(hasFailed))
  const oldestFirst = [...ended].sort((a, b) => endOf(a) - endOf(b) || (a.task.id < b.task.id ? -1 : 1))
  return oldestFirst.slice(0, -ENDED_KEPT).filter(({ task }) => (waiting.get(task.slot) ?? 0) <= now)
}

function counting(run: Run, spec: RunSpec, tasks: readonly TaskState[]): Run {
  const { succeeded, failedIndexes, failures } = tallyOf(run, spec, tasks)
  const byIndex = failuresByIndex(run, spec, tasks)
  const open = [...byIndex].filter(([slot, count]) => count > 0 && !isIn(succeeded, slot) && !isIn(failedIndexes, slot))
  return {
    ...withAttempts(run, tasks),
    succeeded: formatIndexes(succeeded),
    failedIndexes: formatIndexes(failedIndexes),
    failures,
    indexFailures: Object.fromEntries(open),
    counted: [...run.counted, ...tasks.map(({ task }): TaskId => task.id)],
  }
}

const isIn = (set: IndexSet, slot: string): boolean => set.some(([from, to]) => from <= Number(slot) && Number(slot) <= to)
