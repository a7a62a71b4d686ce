import type { Millis, RunId } from '../../model/ids.ts'
import { parseWorkloadKey } from '../../model/ids.ts'
import type { Run, WorkloadRecord } from '../../model/records.ts'
import type { Target } from '../../model/rollout.ts'
import type { AttemptRecord, Task } from '../../model/task.ts'
import type { TaskState } from '../task-state.ts'
import type { WorkloadState } from '../workload.ts'
import { formatIndexes, parseIndexes, withIndexes } from './index-set.ts'

/** Newest attempts that a run's record holds, for the store takes no large values; a task's own record has its last 20. */
const RUN_ATTEMPTS_KEPT = 200
const MESSAGE_MAX = 200

/** The reason of a run that failed with a revision which went back. */
export const TAKEN_BACK = 'RolledBack'
const GAVE_WAY: ReadonlySet<string> = new Set(['Superseded', 'Removed', TAKEN_BACK])

/** It ended for something else's sake, which is no verdict on its inputs. */
export const gaveWay = ({ reason }: Pick<Run, 'reason'>): boolean => GAVE_WAY.has(reason ?? '')

/** Oldest first. */
export const byNumber = (a: Run, b: Run): number => a.number - b.number || a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1)

/** A name that no run has yet: the plain one, or the next number behind it. */
export function freeRunId(base: string, runs: readonly Pick<Run, 'id'>[]): RunId {
  const taken = new Set<string>(runs.map(({ id }) => id))
  if (!taken.has(base)) return base as RunId
  let next = 2
  while (taken.has(`${base}-${next}`)) next += 1
  return `${base}-${next}` as RunId
}

/** Neither part may hold the dot, so that `a-b` in `c` and `b` in `c-a` share no name. */
export function runBase({ key }: Pick<WorkloadRecord, 'key'>, what: string): string {
  const { namespace, name } = parseWorkloadKey(key)
  return `${namespace}.${name}-${what}`
}

/** Of the next run of a workload: the newest record of one is never dropped. */
export const nextNumber = ({ runs }: Pick<WorkloadState, 'runs'>): number =>
  runs.reduce((most, { number }) => Math.max(most, number), 0) + 1

/** What tells one run from another of its workload. */
type Occasion = Pick<Run, 'id' | 'trigger'> & Partial<Pick<Run, 'actor' | 'slot' | 'graph' | 'parents'>>

export function newRun(
  record: Pick<WorkloadRecord, 'key' | 'app'> & Target,
  occasion: Occasion,
  context: { number: number; now: Millis },
): Run {
  const { key, app, inputsDigest, templateDigest, revision } = record
  return {
    workload: key,
    app,
    number: context.number,
    actor: null,
    slot: null,
    graph: null,
    parents: [],
    ...occasion,
    phase: 'Pending',
    exitCode: null,
    reason: null,
    message: null,
    createdAt: context.now,
    startedAt: null,
    finishedAt: null,
    inputsDigest,
    templateDigest,
    revision,
    succeeded: '',
    failedIndexes: '',
    failures: 0,
    indexFailures: {},
    counted: [],
    attempts: [],
    lastLines: [],
    images: {},
    buriedAt: null,
  }
}

/** An unfinished run that ends because another takes its place, or its workload goes; a finished one just hears of late attempts. */
export function giveUp(
  run: Run,
  reason: 'Superseded' | 'Replaced' | 'Removed' | typeof TAKEN_BACK,
  context: { tasks: readonly TaskState[]; now: Millis },
): Run {
  const told = withAttempts(run, context.tasks)
  if (run.finishedAt !== null) return told
  const done = context.tasks.filter(({ observed }) => observed?.phase === 'Succeeded').flatMap(({ task }) => indexOf(task.slot) ?? [])
  const succeeded = formatIndexes(withIndexes(parseIndexes(run.succeeded), done))
  return { ...told, phase: 'Failed', reason, succeeded, counted: [], finishedAt: context.now }
}

/** What the tasks tell beside what is known; a task that is forgotten leaves its records here. */
export function withAttempts(run: Run, tasks: readonly TaskState[]): Run {
  const told = tasks.flatMap(({ task, observed }) =>
    (observed?.attempts ?? []).map((attempt) => ({
      ...attempt,
      message: attempt.message === null ? null : attempt.message.slice(0, MESSAGE_MAX),
      reason: reasonOf(attempt, task),
      task: task.id,
      index: indexOf(task.slot),
    })),
  )
  if (told.length === 0 || run.buriedAt !== null) return run
  const all = new Map([...run.attempts, ...told].map((attempt) => [`${attempt.task} ${attempt.attempt}`, attempt]))
  const attempts = [...all.values()].sort((a, b) => a.finishedAt - b.finishedAt || (a.task < b.task ? -1 : 1))
  return { ...run, attempts: attempts.slice(-RUN_ATTEMPTS_KEPT) }
}

/** The machine only knows that it was told to stop. */
const reasonOf = ({ reason }: AttemptRecord, { stopReason }: Task): string => (reason === 'Stopped' ? (stopReason ?? reason) : reason)

/** The slots of a Global run are machines. */
function indexOf(slot: string): number | null {
  return /^\d+$/.test(slot) ? Number(slot) : null
}

/** All but the fact that it ran goes: a Job that ran once must not run again because its record was old. */
export const bury = (run: Run, now: Millis): Run => ({
  ...run,
  attempts: [],
  lastLines: [],
  images: {},
  indexFailures: {},
  counted: [],
  buriedAt: now,
})
