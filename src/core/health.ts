import type { CronJobSpec, JobSpec } from '../model/batch.ts'
import { type Millis, parseWorkloadKey } from '../model/ids.ts'
import { type Reason, reasonOf } from '../model/reason.ts'
import type { Run } from '../model/records.ts'
import type { Rollout } from '../model/rollout.ts'
import type { Health } from '../model/views.ts'
import { tasksOf } from './batch/plan-job.ts'
import { byNumber, gaveWay } from './batch/run-record.ts'
import { completionsOf } from './batch/run-step.ts'
import { completed, tallyOf } from './batch/tally.ts'
import { machineTroubles } from './machine-troubles.ts'
import { hasFailed, isAvailable, isLive, type TaskState } from './task-state.ts'
import { currentRollout, type WorkloadState } from './workload.ts'

/** An unplaced task is no alarm before this: machines may still be joining. */
const UNPLACED_GRACE_MS = 30_000

export interface WorkloadHealth {
  readonly health: Health
  /** Tasks (Deployment) or completions (Job) wanted, and reached. */
  readonly desired: number
  readonly ready: number
  /** What stands in the way, worst first; but not what the machines have against tasks that wait, for that changes without a look at the workload. */
  readonly reasons: readonly Reason[]
  /** When time alone will change the verdict; null: never. */
  readonly wakeAt: Millis | null
}

export function workloadHealth(state: WorkloadState, now: Millis): WorkloadHealth {
  if (!state.record.wanted) return removing(state)
  const { version } = state
  if (version.kind === 'Deployment') return deploymentHealth(state, now)
  return version.kind === 'Job' ? jobHealth(state, version.spec) : cronHealth(state, version.spec, now)
}

function removing(state: WorkloadState): WorkloadHealth {
  const left = state.tasks.length
  const reasons = [...state.removalWaits, reasonOf('Removing', 'is being removed', left)]
  return { health: 'Progressing', desired: 0, ready: 0, reasons, wakeAt: null }
}

function deploymentHealth(state: WorkloadState, now: Millis): WorkloadHealth {
  const minReadyMs = minReadyMsOf(state)
  const live = state.tasks.filter(isLive)
  const current = live.filter((task) => task.task.templateDigest === state.record.templateDigest)
  const ready = live.filter((task) => isAvailable(task, minReadyMs, now)).length
  const currentReady = current.filter((task) => isAvailable(task, minReadyMs, now)).length
  const desired = state.slots.length
  const settled = currentReady >= desired && live.length === desired
  if (settled) return { health: 'Healthy', desired, ready, reasons: [], wakeAt: null }
  const { sounds, wakeAt } = alarm(state, now)
  const about = rolloutReasons(currentRollout(state))
  const machines = machineTroubles(state)
  const health = sounds || machines.sounds || about.verdict === 'Failed' ? 'Degraded' : about.verdict
  return { health, desired, ready, reasons: [...about.reasons, ...machines.reasons, ...troubles(state, now)], wakeAt }
}

/** What the rollout itself has to say of a Deployment that is not settled. */
function rolloutReasons(rollout: Rollout | null): { verdict: 'Failed' | 'Suspended' | 'Progressing'; reasons: Reason[] } {
  const state = rollout?.state
  if (state?.phase === 'Failed') return { verdict: 'Failed', reasons: [reasonOf(state.failure.code, state.failure.message)] }
  if (state?.phase !== 'Paused') return { verdict: 'Progressing', reasons: [] }
  const step = `canary step ${state.step + 1} is reached`
  if (state.until !== null) return { verdict: 'Progressing', reasons: [reasonOf('CanaryPaused', `${step}; it goes on by itself`)] }
  return { verdict: 'Suspended', reasons: [reasonOf('WaitsForPromotion', `${step}; it goes on with \`drover promote\``)] }
}

function jobHealth(state: WorkloadState, spec: JobSpec): WorkloadHealth {
  const desired = completionsOf(spec, state.slots)
  const { run } = state
  if (run?.phase === 'Succeeded' && state.blocked === 'No') return { health: 'Healthy', desired, ready: desired, reasons: [], wakeAt: null }
  const ready = run === null ? 0 : completed(tallyOf(run, spec, tasksOf(state, run)), spec, state.slots)
  const told = { desired, ready, wakeAt: null }
  if (spec.suspend) return { ...told, health: 'Suspended', reasons: [reasonOf('Suspended', 'suspend is true')] }
  if (state.blocked === 'Yes') return { ...told, health: 'Suspended', reasons: [blockedReason(state)] }
  if (run?.phase === 'Failed') return { ...told, health: 'Degraded', reasons: [failedReason(run)] }
  const inVain = state.unmet.some(({ standing }) => standing === 'Failed')
  return { ...told, health: inVain ? 'Degraded' : 'Progressing', reasons: troubles(state, 0) }
}

function blockedReason({ record, run }: WorkloadState): Reason {
  const { name } = parseWorkloadKey(record.key)
  return reasonOf(
    'WaitsForPerson',
    `git came back to what run ${run?.id ?? ''} ran, and onRevert is Block; \`drover run job/${name}\` runs it again`,
  )
}

const failedReason = ({ id, reason, message }: Run): Reason =>
  reasonOf(reason ?? 'Failed', `run ${id} failed${message === null ? '' : `: ${message}`}`)

/** It is as its last run of the present template was: nobody waits for the next one, and one that goes on is no alarm. */
function cronHealth(state: WorkloadState, spec: CronJobSpec, now: Millis): WorkloadHealth {
  const open = state.runs.filter(({ finishedAt }) => finishedAt === null)
  const told = { desired: open.length, ready: open.filter(({ phase }) => phase === 'Running').length }
  if (spec.suspend) return { ...told, health: 'Suspended', reasons: [restsReason(state)], wakeAt: null }
  const last = [...state.runs]
    .sort(byNumber)
    .findLast((run) => run.finishedAt !== null && run.templateDigest === state.record.templateDigest)
  const { sounds, wakeAt } = alarm(state, now)
  const failed = last?.phase === 'Failed' && last.reason !== 'Replaced' && !gaveWay(last) ? [failedReason(last)] : []
  const health = sounds || failed.length > 0 ? 'Degraded' : 'Healthy'
  return {
    ...told,
    health,
    reasons: [...failed, ...(open.length > 0 ? troubles(state, now) : state.unmet.map(({ reason }) => reason))],
    wakeAt,
  }
}

function restsReason({ record }: WorkloadState): Reason {
  const { name } = parseWorkloadKey(record.key)
  return reasonOf('Suspended', `suspend is true: no slot is wanted; \`drover run cronjob/${name}\` runs it all the same`)
}

interface Alarm {
  readonly sounds: boolean
  readonly wakeAt: Millis | null
}

/** A crash loop, a refusal or a task that fits nowhere for long is an alarm; waiting and starting are not. */
function alarm(state: WorkloadState, now: Millis): Alarm {
  const waiting = currentTasks(state).filter((task) => task.task.agent === null && isLive(task))
  const since = waiting.reduce((oldest, { task }) => Math.min(oldest, task.createdAt), Number.POSITIVE_INFINITY)
  const unplaced = state.unplaced.length > 0 && waiting.length > 0
  const overdue = unplaced && since + UNPLACED_GRACE_MS <= now
  const sounds = overdue || failing(state, now).length > 0
  return { sounds, wakeAt: unplaced && !overdue ? since + UNPLACED_GRACE_MS : null }
}

/** What its tasks and dependencies say, worst first. */
function troubles(state: WorkloadState, now: Millis): Reason[] {
  return [...mergeReasons(failing(state, now).flatMap((task) => task.observed?.reasons ?? [])), ...state.unmet.map(({ reason }) => reason)]
}

/** Of the present template, and of batch only those whose run goes on: the tasks of one that is over stay for their logs alone. */
function currentTasks({ tasks, runs, record }: WorkloadState): TaskState[] {
  const open = new Set(runs.flatMap(({ id, finishedAt }) => (finishedAt === null ? [id] : [])))
  return tasks.filter(({ task }) => task.templateDigest === record.templateDigest && (task.run === null || open.has(task.run)))
}

/** Tasks that go from one failure to the next (of a start, or of what it needs), and those that ended badly and whose slot nobody serves since. */
function failing(state: WorkloadState, now: Millis): TaskState[] {
  const current = currentTasks(state)
  const serves = (task: TaskState): boolean => task.observed?.phase === 'Succeeded' || isAvailable(task, minReadyMsOf(state), now)
  const served = new Set(current.filter(serves).map(placeOf))
  return current.filter((task) => (hasFailed(task) ? !served.has(placeOf(task)) : isLooping(task)))
}

/** Runs that go on beside each other have slots of the same name. */
const placeOf = ({ task }: TaskState): string => `${task.run} ${task.slot}`

const isLooping = (task: TaskState): boolean =>
  isLive(task) && task.observed?.phase !== 'Running' && ((task.observed?.failures ?? 0) > 0 || (task.observed?.reasons ?? []).length > 0)

const minReadyMsOf = ({ version }: WorkloadState): Millis => (version.kind === 'Deployment' ? version.spec.minReadySeconds * 1000 : 0)

/** One reason a code, its count the sum; the message of the first. */
export function mergeReasons(reasons: readonly Reason[]): Reason[] {
  const merged = new Map<string, Reason>()
  for (const reason of reasons) {
    const before = merged.get(reason.code)
    merged.set(reason.code, before === undefined ? reason : { ...before, count: before.count + reason.count })
  }
  return [...merged.values()].sort((a, b) => b.count - a.count || (a.code < b.code ? -1 : 1))
}

/** Argo CD's order, worst wins. */
const ORDER: readonly Health[] = ['Healthy', 'Suspended', 'Progressing', 'Missing', 'Degraded', 'Unknown']

export function worstHealth(all: readonly Health[]): Health {
  return all.reduce<Health>((worst, health) => (ORDER.indexOf(health) > ORDER.indexOf(worst) ? health : worst), 'Healthy')
}
