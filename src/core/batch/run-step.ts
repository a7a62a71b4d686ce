import type { RunSpec } from '../../model/batch.ts'
import type { Millis, TaskId } from '../../model/ids.ts'
import type { Run } from '../../model/records.ts'
import { earliest } from '../earliest.ts'
import { isOver, type TaskState } from '../task-state.ts'
import { formatIndexes, missingIndexes, withIndexes } from './index-set.ts'
import { withAttempts } from './run-record.ts'
import { completed, countEnded, type Tally, tallyOf } from './tally.ts'

/** Tasks of one run that wait for a machine at a time: in a full cluster more of them would only take room. */
const MOST_UNPLACED = 1000

export interface RunContext {
  readonly spec: RunSpec
  /** Of this run. */
  readonly tasks: readonly TaskState[]
  /** Slots in which attempts of other runs may still be, which `exclusive` waits for. */
  readonly busy: ReadonlySet<string>
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
  readonly wakeAt: Millis | null
}

/** One look at a run: how far it has come, which attempts to add, which tasks to stop. */
export function stepRun(run: Run, context: RunContext): RunPlan {
  const { spec, tasks, now, wish } = context
  if (run.finishedAt !== null) return { ...idle(withAttempts(run, tasks)), stop: tallyOf(run, spec, tasks).live.map(idOf) }
  const counted = countEnded(run, spec, context)
  const tally = tallyOf(counted, spec, tasks)
  const stop = tally.live.map(idOf)
  if (wish === 'Suspend') return { ...idle({ ...counted, phase: 'Suspended', startedAt: null }), stop }
  if (wish === 'Wait' && run.startedAt === null && tasks.length === 0) return idle({ ...counted, phase: 'Pending' })
  const begun: Run = { ...counted, phase: 'Running', startedAt: run.startedAt ?? now }
  const end = endOf(begun, tally, context)
  if (end !== null) return { ...idle(ended(begun, end, { tally, tasks, now })), stop }
  const next = missing(tally, context, begun)
  return { run: begun, create: next.create, stop: [], wakeAt: earliest(next.wakeAt, deadlineOf(begun, spec)) }
}

const idOf = ({ task }: TaskState): TaskId => task.id
const idle = (run: Run): RunPlan => ({ run, create: [], stop: [], wakeAt: null })

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
  const last = tally.failed[0] ?? null
  const failed = (reason: string, message: string | null, by = last): End => ({ phase: 'Failed', reason, message, by })
  const done = completed(tally, spec, machines)
  const lost = spec.mode === 'Global' ? 0 : countLost(tally)
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

const countLost = ({ failedIndexes }: Tally): number => failedIndexes.reduce((sum, [from, to]) => sum + to - from + 1, 0)

function ended(run: Run, { phase, reason, message, by }: End, context: { tally: Tally; tasks: readonly TaskState[]; now: Millis }): Run {
  const told = { ...withAttempts(run, context.tasks), ...totalsOf(context.tally) }
  const exitCode = phase === 'Succeeded' ? 0 : (by?.observed?.attempts.at(-1)?.exitCode ?? null)
  return { ...told, phase, reason, message, exitCode, lastLines: [...(by?.observed?.lastLines ?? [])], finishedAt: context.now }
}

/** What its tasks no longer tell once they are forgotten. */
const totalsOf = ({ succeeded, failedIndexes, failures }: Tally): Pick<Run, 'succeeded' | 'failedIndexes' | 'failures'> => ({
  succeeded: formatIndexes(succeeded),
  failedIndexes: formatIndexes(failedIndexes),
  failures,
})

interface Missing {
  readonly create: RunPlan['create']
  readonly wakeAt: Millis | null
}

/** Which tasks to add: no more than may run at once, and none for a slot that waits for its next try. */
function missing(tally: Tally, context: RunContext, run: Run): Missing {
  const { spec, now } = context
  const unplaced = tally.live.filter(({ task }) => task.agent === null).length
  const room = Math.min(atOnce(context) - tally.live.length, MOST_UNPLACED - unplaced)
  const taken = takenSlots(tally, context)
  const maxRestarts = restartsLeft(tally, spec, run)
  const create: { slot: string; maxRestarts: number }[] = []
  let wakeAt: Millis | null = null
  for (const slot of openSlots(tally, context)) {
    if (create.length >= room) break
    if (taken.has(slot)) continue
    const due = tally.retryAt.get(slot) ?? 0
    if (due > now) wakeAt = earliest(wakeAt, due)
    else create.push({ slot, maxRestarts: maxRestarts(slot) })
  }
  return { create, wakeAt }
}

/** A Global run has no `parallelism`: its machines do not wait for each other. */
const atOnce = ({ spec, machines }: RunContext): number => (spec.mode === 'Global' ? machines.length : spec.parallelism)

function* openSlots({ succeeded, succeededSlots, failedIndexes }: Tally, { spec, machines }: RunContext): Generator<string> {
  if (spec.mode === 'Global') yield* machines.filter((machine) => !succeededSlots.has(machine))
  else for (const index of missingIndexes(joined(succeeded, failedIndexes), spec.completions)) yield String(index)
}

function joined(a: Tally['succeeded'], b: Tally['succeeded']): Tally['succeeded'] {
  return withIndexes([...a, ...b], [])
}

/** Slots with a live task, and for `exclusive` those of which an earlier attempt may still run. */
function takenSlots({ live }: Tally, { spec, tasks, busy }: RunContext): ReadonlySet<string> {
  if (spec.exclusive) return new Set([...slotsInUse(tasks), ...busy])
  // What a drained machine is still ending is not tried elsewhere beside it.
  const leaving = slotsInUse(tasks.filter(({ task }) => task.stopReason !== null))
  return new Set([...live.map(({ task }) => task.slot), ...leaving])
}

/** Slots of tasks that may still run, whatever they were told. */
export function slotsInUse(tasks: readonly TaskState[]): string[] {
  return tasks.filter((task) => !isOver(task)).map(({ task }) => task.slot)
}

/** Where each index has its own limit every failure is a task of its own, so that nothing is left to count in place. */
function restartsLeft({ failures }: Tally, spec: RunSpec, { indexFailures }: Run): (slot: string) => number {
  const { backoffLimitPerIndex: limit } = spec
  if (limit === undefined) return () => spec.backoffLimit - failures
  return (slot) => Math.max(0, limit - (indexFailures[slot] ?? 0))
}
