import type { RunSpec } from '../../model/batch.ts'
import type { Millis, TaskId } from '../../model/ids.ts'
import type { Run } from '../../model/records.ts'
import { earliest } from '../earliest.ts'
import { mayRunUntil, type TaskState } from '../task-state.ts'
import { countEnded, oldestEnded, setsOf } from './count-ended.ts'
import { missingIndexes } from './index-set.ts'
import { withAttempts } from './run-record.ts'
import { completed, countLost, type Tally, tallyOf } from './tally.ts'

/** Tasks of one run that wait for a machine at a time: in a full cluster more of them would only take room. */
const MOST_UNPLACED = 1000

/** Numbers of one run that wait for their next try at a time: what is known of each of them takes room. */
const MOST_WAITING = 1000

export interface RunContext {
  readonly spec: RunSpec
  /** Of this run. */
  readonly tasks: readonly TaskState[]
  /** Slots in which attempts of other runs may still be, which `exclusive` waits for, and until when. */
  readonly busy: SlotsInUse
  /** What a Global run has a completion for. */
  readonly machines: readonly string[]
  readonly wish: 'Go' | 'Wait' | 'Suspend'
  readonly now: Millis
}

export interface RunPlan {
  /** The run as it should be recorded now. */
  readonly run: Run
  readonly create: readonly { readonly slot: string; readonly maxRestarts: number }[]
  readonly stop: readonly TaskId[]
  /** Ended tasks that nothing needs any more. */
  readonly forget: readonly TaskId[]
  readonly wakeAt: Millis | null
}

/** One look at a run: how far it has come, which attempts to add, which tasks to stop, and which to forget. */
export function stepRun(run: Run, context: RunContext): RunPlan {
  const { spec, tasks, now, wish } = context
  const tally = tallyOf(run, spec, tasks)
  const stop = tally.live.map(idOf)
  if (run.finishedAt !== null) return { ...idle(withAttempts(run, tasks)), stop, forget: oldestEnded(tasks).map(idOf) }
  const { run: counted, forget } = countEnded(run, { spec, tasks, tally })
  if (wish === 'Suspend') return { ...idle({ ...counted, phase: 'Suspended', startedAt: null }), stop, forget }
  if (wish === 'Wait' && run.startedAt === null && tasks.length === 0) return idle({ ...counted, phase: 'Pending' })
  const begun: Run = { ...counted, phase: 'Running', startedAt: run.startedAt ?? now }
  const end = endOf(begun, tally, context)
  if (end !== null) return { ...idle(ended(begun, end, { tally, tasks, now })), stop, forget: oldestEnded(tasks).map(idOf) }
  const next = missing(tally, context)
  return { run: begun, create: next.create, stop: [], forget, wakeAt: earliest(next.wakeAt, deadlineOf(begun, spec)) }
}

const idOf = ({ task }: TaskState): TaskId => task.id
const idle = (run: Run): RunPlan => ({ run, create: [], stop: [], forget: [], wakeAt: null })

const deadlineOf = ({ startedAt }: Run, { activeDeadlineSeconds }: RunSpec): Millis | null =>
  activeDeadlineSeconds === undefined || startedAt === null ? null : startedAt + activeDeadlineSeconds * 1000

interface End {
  readonly phase: 'Succeeded' | 'Failed'
  readonly reason: string
  readonly message: string | null
  /** Whose last words and exit code tell why. */
  readonly by: TaskState | null
}

/** How many completions a run is to reach. */
export const completionsOf = ({ mode, completions }: RunSpec, machines: readonly string[]): number =>
  mode === 'Global' ? machines.length : completions

/** What ends it, in the order in which that counts; null: it goes on. */
function endOf(run: Run, tally: Tally, { spec, machines, now }: RunContext): End | null {
  const failed = (reason: string, message: string | null, by = tally.failed): End => ({ phase: 'Failed', reason, message, by })
  const done = completed(tally, spec, machines)
  const lost = countLost(tally)
  const all = completionsOf(spec, machines)
  if (all > 0 && done >= all) return { phase: 'Succeeded', reason: 'Completed', message: null, by: null }
  if (tally.fatal !== null)
    return failed('TaskFailurePolicy', `task ${tally.fatal.task.id} failed in a way that taskFailurePolicy ends the run for`, tally.fatal)
  if (lost > (spec.maxFailedIndexes ?? Number.POSITIVE_INFINITY)) return failed('MaxFailedIndexesExceeded', `${lost} indexes failed`)
  if (lost > 0 && done + lost >= all) return failed('FailedIndexes', `${lost} of ${all} indexes failed`)
  if (spec.backoffLimitPerIndex === undefined && tally.failures > spec.backoffLimit) return failed('BackoffLimitExceeded', null)
  const deadline = deadlineOf(run, spec)
  return deadline !== null && deadline <= now ? failed('DeadlineExceeded', `it took more than ${spec.activeDeadlineSeconds} s`) : null
}

/** As it is told from then on: what its tasks show is in it, for they go in time. */
function ended(run: Run, { phase, reason, message, by }: End, context: { tally: Tally; tasks: readonly TaskState[]; now: Millis }): Run {
  const { tally, tasks, now } = context
  // Of a task that was restarted in place the last attempt may be another than the one that failed.
  const attempt = by?.observed?.attempts.findLast(({ exitCode }) => exitCode !== 0)
  return {
    ...withAttempts(run, tasks),
    ...setsOf(tally),
    failures: tally.failures,
    counted: [],
    ...{ phase, reason, message, exitCode: phase === 'Succeeded' ? 0 : (attempt?.exitCode ?? null), finishedAt: now },
    lastLines: [...(by?.observed?.lastLines ?? [])],
  }
}

interface Missing {
  readonly create: RunPlan['create']
  readonly wakeAt: Millis | null
}

/** Which tasks to add: no more than may run at once, and none for a slot that waits for its next try. */
function missing(tally: Tally, context: RunContext): Missing {
  const { spec, now } = context
  const unplaced = tally.live.filter(({ task }) => task.agent === null).length
  const room = Math.min(atOnce(context) - tally.live.length, MOST_UNPLACED - unplaced)
  const taken = takenSlots(tally, context)
  const maxRestarts = restartsLeft(tally, spec)
  const create: { slot: string; maxRestarts: number }[] = []
  let wakeAt: Millis | null = null
  let waiting = 0
  for (const slot of openSlots(tally, context)) {
    if (create.length >= room || waiting >= MOST_WAITING) break
    const due = Math.max(taken.get(slot) ?? 0, tally.retryAt.get(slot) ?? 0)
    if (due === Number.POSITIVE_INFINITY) continue
    if (due <= now) create.push({ slot, maxRestarts })
    else {
      wakeAt = earliest(wakeAt, due)
      waiting += 1
    }
  }
  return { create, wakeAt }
}

/** A Global run has no `parallelism`: its machines do not wait for each other, nor for one that it does not match any more. */
const atOnce = ({ spec }: RunContext): number => (spec.mode === 'Global' ? Number.POSITIVE_INFINITY : spec.parallelism)

function* openSlots({ succeededSlots, settled }: Tally, { spec, machines }: RunContext): Generator<string> {
  if (spec.mode === 'Global') yield* machines.filter((machine) => !succeededSlots.has(machine))
  else for (const index of missingIndexes(settled, spec.completions)) yield String(index)
}

/** Slots with a live task, and for `exclusive` those of which an earlier attempt may still run. */
function takenSlots({ live }: Tally, { spec, tasks, busy, now }: RunContext): SlotsInUse {
  // What a drained machine is still ending is not tried elsewhere beside it.
  if (!spec.exclusive) return slotsInUse([...live, ...tasks.filter(({ task }) => task.stopReason !== null)], now)
  const own = slotsInUse(tasks, now)
  return new Map([...own, ...[...busy].map(([slot, until]) => [slot, Math.max(until, own.get(slot) ?? 0)] as const)])
}

/** Slots in which something may run, and until when; infinity: until more is heard of it. */
export type SlotsInUse = ReadonlyMap<string, Millis>

/** Slots of tasks that may still run, whatever they were told. */
export function slotsInUse(tasks: readonly TaskState[], now: Millis): SlotsInUse {
  const use = new Map<string, Millis>()
  for (const state of tasks) {
    const until = mayRunUntil(state)
    if (until > now) use.set(state.task.slot, Math.max(until, use.get(state.task.slot) ?? 0))
  }
  return use
}

/** Where each index has its own limit nothing is restarted in place: every failure is a task of its own. */
function restartsLeft({ failures }: Tally, { backoffLimit, backoffLimitPerIndex }: RunSpec): number {
  return backoffLimitPerIndex === undefined ? backoffLimit - failures : 0
}
