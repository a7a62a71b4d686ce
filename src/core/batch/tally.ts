import type { RunSpec } from '../../model/batch.ts'
import type { Millis } from '../../model/ids.ts'
import type { Run } from '../../model/records.ts'
import { restartDelay } from '../restart.ts'
import { hasFailed, isLive, type TaskState } from '../task-state.ts'
import { actionFor, countedFailures } from './failure-policy.ts'
import { countIndexes, type IndexSet, parseIndexes, unionOf, withIndexes } from './index-set.ts'

/** How far a run has come: what its record counts, and its tasks that the record does not count. */
export interface Tally {
  readonly live: readonly TaskState[]
  /** Numbers that succeeded; of a Global run none, for its slots are machines. */
  readonly succeeded: IndexSet
  /** Slots of present tasks that succeeded. */
  readonly succeededSlots: ReadonlySet<string>
  /** Numbers that are given up. One of them may have succeeded all the same, before its limit was lowered. */
  readonly failedIndexes: IndexSet
  /** Numbers of which nothing more is to come: both of these. */
  readonly settled: IndexSet
  /** Failed attempts that count against the limit of the run. */
  readonly failures: number
  /** The same for each number, where each has a limit of its own. */
  readonly byIndex: ReadonlyMap<string, number>
  /** The task that, by a rule, ends the run; null: none. */
  readonly fatal: TaskState | null
  /** When a slot that failed may be tried again. */
  readonly retryAt: ReadonlyMap<string, Millis>
  /** The task with the newest failure, which may be one that was restarted in place; null: none failed. */
  readonly failed: TaskState | null
}

export type Counted = Pick<Run, 'succeeded' | 'failedIndexes' | 'failures' | 'indexFailures' | 'counted'>

export function tallyOf(run: Counted, spec: RunSpec, tasks: readonly TaskState[]): Tally {
  const known = new Set(run.counted)
  const fresh = tasks.filter(({ task }) => !known.has(task.id))
  const done = fresh.filter(({ observed }) => observed?.phase === 'Succeeded')
  const failed = fresh.filter(hasFailed).sort(newestEndFirst)
  const restarted = fresh.filter((state) => !hasFailed(state) && countedFailures(spec, state) > 0).sort(newestEndFirst)
  const byIndex = failuresByIndex(run, spec, fresh)
  const succeeded = spec.mode === 'Global' ? [] : withIndexes(parseIndexes(run.succeeded), done.map(indexOf))
  const failedIndexes = withIndexes(parseIndexes(run.failedIndexes), failedNow(spec, failed, byIndex))
  return {
    live: fresh.filter(isLive),
    succeeded,
    succeededSlots: new Set(done.map(({ task }) => task.slot)),
    failedIndexes,
    settled: unionOf(succeeded, failedIndexes),
    failures: run.failures + fresh.reduce((sum, task) => sum + countedFailures(spec, task), 0),
    byIndex,
    fatal: failed.find((task) => actionFor(spec, task) === 'FailJob') ?? null,
    retryAt: retries(failed),
    failed: failed[0] ?? restarted[0] ?? null,
  }
}

const endOf = ({ observed }: TaskState): Millis => observed?.updatedAt ?? 0
const indexOf = ({ task }: TaskState): number => Number(task.slot)

/** Always the same order for the same tasks. */
export const newestEndFirst = (a: TaskState, b: TaskState): number => endOf(b) - endOf(a) || (a.task.id < b.task.id ? 1 : -1)

/** How many completions a run has reached; of a Global one those of machines that are there. */
export function completed({ succeeded, succeededSlots }: Tally, { mode }: RunSpec, machines: readonly string[]): number {
  return mode === 'Global' ? machines.filter((machine) => succeededSlots.has(machine)).length : countIndexes(succeeded)
}

/** How many numbers are given up and did not succeed. */
export const countLost = ({ settled, succeeded }: Tally): number => countIndexes(settled) - countIndexes(succeeded)

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
