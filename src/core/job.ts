import type { Millis, RunId, TaskId } from '../model/ids.ts'
import { parseWorkloadKey } from '../model/ids.ts'
import type { JobSpec } from '../model/manifest.ts'
import type { Run } from '../model/records.ts'
import { restartDelay } from './restart.ts'
import { hasFailed, isLive, isTerminal, type TaskState } from './task-state.ts'
import type { WorkloadState } from './workload.ts'

/** Newest attempts that a run's record holds, for the store takes no large values; a task's own record has its last 20. */
const RUN_ATTEMPTS_KEPT = 200

export interface JobPlan {
  /** The run as it should be recorded now. */
  readonly run: Run
  readonly create: readonly { slot: string; run: RunId; maxRestarts: number }[]
  readonly stop: readonly TaskId[]
  readonly wakeAt: Millis | null
}

/**
 * OncePerSpec: a template whose run came to an end is never run again, for the run's name holds the digest.
 * A new template is a new run and supersedes one that still goes on; should git come back to the template of
 * a run that gave way so, it gets another, numbered one.
 */
export function runIdOf(state: WorkloadState): RunId {
  const first = firstRunIdOf(state)
  return (state.gaveWay === 0 ? first : `${first}-${state.gaveWay + 1}`) as RunId
}

function firstRunIdOf(state: Pick<WorkloadState, 'record'>): string {
  const { namespace, name } = parseWorkloadKey(state.record.key)
  return `${namespace}-${name}-${state.record.templateDigest.slice(0, 10)}`
}

/** How many runs of this template were ended by a newer one, or by the removal of the Job. */
function countGaveWay(runs: readonly Run[], record: WorkloadState['record']): number {
  return runs.filter((run) => run.templateDigest === record.templateDigest && gaveWay(run)).length
}

/** The reason of a run that failed with a revision which went back. */
export const TAKEN_BACK = 'RolledBack'
const GAVE_WAY: ReadonlySet<string> = new Set(['Superseded', 'Removed', TAKEN_BACK])

export const gaveWay = ({ reason }: Run): boolean => GAVE_WAY.has(reason ?? '')

/** The Job's runs sorted into the state: the present template's own, and others that are not done with. */
export function withRuns(state: WorkloadState, runs: readonly Run[]): WorkloadState {
  const gaveWay = countGaveWay(runs, state.record)
  const id = runIdOf({ ...state, gaveWay })
  const present = new Set(state.tasks.map(({ task }) => task.run))
  return {
    ...state,
    gaveWay,
    run: runs.find((run) => run.id === id) ?? null,
    staleRuns: runs.filter((run) => run.id !== id && (run.finishedAt === null || present.has(run.id))),
  }
}

/** One look at a Job: its run, which attempts to add, which tasks to stop. */
export function planJob(state: WorkloadState, spec: JobSpec, now: Millis): JobPlan {
  const foreign = state.tasks.filter((task) => isLive(task) && task.task.run !== runIdOf(state)).map((task) => task.task.id)
  const run = state.run ?? newRun(state, now)
  const mine = state.tasks.filter((task) => task.task.run === run.id)
  if (run.finishedAt !== null) {
    const stop = [...foreign, ...mine.filter(isLive).map((task) => task.task.id)]
    return { run: withAttempts(run, mine), create: [], stop, wakeAt: null }
  }
  if (state.unmet.length > 0 && mine.length === 0) return { run, create: [], stop: foreign, wakeAt: null }
  const step = stepRun(run, spec, { tasks: mine, now })
  return { ...step, stop: [...foreign, ...step.stop] }
}

/** An unfinished run that ends because another takes its place, or its Job goes; a finished one just hears of late attempts. */
export function giveUp(run: Run, reason: 'Superseded' | 'Removed', context: { tasks: readonly TaskState[]; now: Millis }): Run {
  const told = withAttempts(run, context.tasks)
  return run.finishedAt === null ? { ...told, phase: 'Failed', reason, finishedAt: context.now } : told
}

function newRun(state: WorkloadState, now: Millis): Run {
  return {
    id: runIdOf(state),
    workload: state.record.key,
    app: state.record.app,
    trigger: 'Sync',
    phase: 'Pending',
    exitCode: null,
    reason: null,
    createdAt: now,
    startedAt: null,
    finishedAt: null,
    inputsDigest: state.record.inputsDigest,
    templateDigest: state.record.templateDigest,
    revision: state.record.revision,
    attempts: [],
    images: {},
  }
}

function stepRun(run: Run, spec: JobSpec, context: { tasks: readonly TaskState[]; now: Millis }): JobPlan {
  const { tasks, now } = context
  const succeeded = tasks.filter((task) => task.observed?.phase === 'Succeeded').length
  const failures = failuresOf(tasks)
  const active = tasks.filter((task) => isLive(task))
  const progressed: Run = { ...withAttempts(run, tasks), phase: 'Running', startedAt: run.startedAt ?? now }
  const stop = active.map((task) => task.task.id)
  if (succeeded >= spec.completions)
    return { run: { ...progressed, phase: 'Succeeded', exitCode: 0, reason: 'Completed', finishedAt: now }, create: [], stop, wakeAt: null }
  if (failures > spec.backoffLimit) return { run: failed(progressed, now), create: [], stop, wakeAt: null }
  const missing = Math.min(spec.parallelism, spec.completions - succeeded) - active.length
  const due = retryAt(tasks, failures)
  if (missing <= 0 || due > now) return { run: progressed, create: [], stop: [], wakeAt: missing > 0 ? due : null }
  const slots = freeSlots(tasks, missing)
  const maxRestarts = spec.backoffLimit - failures
  return { run: progressed, create: slots.map((slot) => ({ slot, run: run.id, maxRestarts })), stop: [], wakeAt: null }
}

function failed(run: Run, now: Millis): Run {
  const last = run.attempts.findLast((attempt) => attempt.exitCode !== 0)
  return { ...run, phase: 'Failed', exitCode: last?.exitCode ?? null, reason: 'BackoffLimitExceeded', finishedAt: now }
}

/** One counter over in-place restarts and placements: every failed attempt, and every task that never got to one. */
function failuresOf(tasks: readonly TaskState[]): number {
  return tasks.reduce((sum, task) => sum + Math.max(task.observed?.failures ?? 0, hasFailed(task) ? 1 : 0), 0)
}

function retryAt(tasks: readonly TaskState[], failures: number): Millis {
  const ended = tasks.filter((task) => isTerminal(task) && hasFailed(task)).map((task) => task.observed?.updatedAt ?? 0)
  return ended.length === 0 ? 0 : Math.max(...ended) + restartDelay(failures)
}

/** Completion numbers that neither succeeded nor run now, smallest first. */
function freeSlots(tasks: readonly TaskState[], count: number): string[] {
  const taken = new Set(tasks.filter((task) => isLive(task) || task.observed?.phase === 'Succeeded').map((task) => task.task.slot))
  const slots: string[] = []
  for (let slot = 0; slots.length < count; slot += 1) {
    if (!taken.has(String(slot))) slots.push(String(slot))
  }
  return slots
}

/** What the tasks tell beside what is known; a task that is forgotten leaves its records here. */
function withAttempts(run: Run, tasks: readonly TaskState[]): Run {
  const told = tasks.flatMap(({ task, observed }) =>
    (observed?.attempts ?? []).map((attempt) => ({ ...attempt, task: task.id, index: Number(task.slot) })),
  )
  const all = new Map([...run.attempts, ...told].map((attempt) => [`${attempt.task} ${attempt.attempt}`, attempt]))
  const attempts = [...all.values()].sort((a, b) => a.finishedAt - b.finishedAt || (a.task < b.task ? -1 : 1))
  return { ...run, attempts: attempts.slice(-RUN_ATTEMPTS_KEPT) }
}
