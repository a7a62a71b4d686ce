import type { Millis } from '../model/ids.ts'
import { type Reason, reasonOf } from '../model/reason.ts'
import type { Run, WorkloadRecord } from '../model/records.ts'
import type { WorkloadVersion } from '../model/version.ts'
import type { Health } from '../model/views.ts'
import { hasFailed, isAvailable, isLive, type TaskState } from './task-state.ts'

/** An unplaced task is no alarm before this: machines may still be joining. */
export const UNPLACED_GRACE_MS = 30_000

export interface WorkloadHealth {
  readonly health: Health
  /** Tasks (Deployment) or completions (Job) wanted, and reached. */
  readonly desired: number
  readonly ready: number
  /** What stands in the way, worst first. */
  readonly reasons: readonly Reason[]
  /** When time alone will change the verdict; null: never. */
  readonly wakeAt: Millis | null
}

/** Everything that is known of one workload; the input of every decision about it. */
export interface WorkloadState {
  readonly record: WorkloadRecord
  readonly version: WorkloadVersion
  readonly tasks: readonly TaskState[]
  /** The Job's run of the present template; null for a Deployment or before it began. */
  readonly run: Run | null
  /** Runs of earlier templates that have not ended, or whose tasks are still there. */
  readonly staleRuns: readonly Run[]
  /** Slots a Deployment should fill: replica numbers, or the ids of matching agents. */
  readonly slots: readonly string[]
  /** Why its pending tasks are not placed, from the last attempt to place them. */
  readonly unplaced: readonly Reason[]
  readonly unmet: readonly Reason[]
}

export function workloadHealth(state: WorkloadState, now: Millis): WorkloadHealth {
  if (!state.record.wanted) return removing(state)
  return state.version.kind === 'Job' ? jobHealth(state) : deploymentHealth(state, now)
}

function removing(state: WorkloadState): WorkloadHealth {
  const left = state.tasks.length
  return { health: 'Progressing', desired: 0, ready: 0, reasons: [reasonOf('Removing', 'is being removed', left)], wakeAt: null }
}

function deploymentHealth(state: WorkloadState, now: Millis): WorkloadHealth {
  const minReadyMs = state.version.kind === 'Deployment' ? state.version.spec.minReadySeconds * 1000 : 0
  const live = state.tasks.filter(isLive)
  const current = live.filter((task) => task.task.templateDigest === state.record.templateDigest)
  const ready = live.filter((task) => isAvailable(task, minReadyMs, now)).length
  const currentReady = current.filter((task) => isAvailable(task, minReadyMs, now)).length
  const desired = state.slots.length
  const settled = currentReady >= desired && live.length === desired
  if (settled) return { health: 'Healthy', desired, ready, reasons: [], wakeAt: null }
  const { reasons, alarming, wakeAt } = troubles(state, now)
  return { health: alarming ? 'Degraded' : 'Progressing', desired, ready, reasons, wakeAt }
}

function jobHealth(state: WorkloadState): WorkloadHealth {
  const desired = state.version.kind === 'Job' ? state.version.spec.completions : 1
  const { run } = state
  if (run?.phase === 'Succeeded') return { health: 'Healthy', desired, ready: desired, reasons: [], wakeAt: null }
  const ready = state.tasks.filter((task) => task.task.run === run?.id && task.observed?.phase === 'Succeeded').length
  if (run?.phase === 'Failed')
    return { health: 'Degraded', desired, ready, reasons: [reasonOf(run.reason ?? 'Failed', `run ${run.id} failed`)], wakeAt: null }
  return { health: 'Progressing', desired, ready, reasons: troubles(state, 0).reasons, wakeAt: null }
}

interface Troubles {
  readonly reasons: readonly Reason[]
  readonly alarming: boolean
  readonly wakeAt: Millis | null
}

/** A crash loop, a refusal or a task that fits nowhere is an alarm; waiting and starting are not. */
function troubles(state: WorkloadState, now: Millis): Troubles {
  const current = state.tasks.filter((task) => task.task.templateDigest === state.record.templateDigest)
  const failing = current.filter(
    (task) => hasFailed(task) || (isLive(task) && (task.observed?.failures ?? 0) > 0 && task.observed?.phase !== 'Running'),
  )
  const pending = current.filter((task) => task.task.agent === null && isLive(task))
  const oldest = Math.min(...pending.map((task) => task.task.createdAt))
  const overdue = state.unplaced.length > 0 && oldest + UNPLACED_GRACE_MS <= now
  const reasons = [...mergeReasons(failing.flatMap((task) => task.observed?.reasons ?? [])), ...state.unplaced, ...state.unmet]
  const waits = state.unplaced.length > 0 && Number.isFinite(oldest) && !overdue
  return { reasons, alarming: failing.length > 0 || overdue, wakeAt: waits ? oldest + UNPLACED_GRACE_MS : null }
}

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
