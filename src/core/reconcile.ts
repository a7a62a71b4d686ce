import type { Millis, RunId, TaskId } from '../model/ids.ts'
import { parseWorkloadKey } from '../model/ids.ts'
import type { DeploymentSpec } from '../model/manifest.ts'
import type { Run, Write } from '../model/records.ts'
import type { Task } from '../model/task.ts'
import type { WorkloadState } from './health.ts'
import { workloadHealth } from './health.ts'
import { planJob, supersede } from './job.ts'
import { restartDelay } from './restart.ts'
import { expendable } from './retention.ts'
import { planRolling, rollingLimits } from './rolling.ts'
import { hasFailed, isLive, isTerminal, type TaskState } from './task-state.ts'

export interface Decision {
  readonly writes: readonly Write[]
  /** When to look again although nothing happens; null: only on a change. */
  readonly wakeAt: Millis | null
}

export interface DecideContext {
  readonly now: Millis
  /** A fresh id part, unique for ever. */
  readonly newId: () => string
}

/**
 * What to write so that one workload comes nearer to what git says. Pure: the same state, time and ids
 * give the same writes, and a state that is right gives none.
 */
export function reconcile(state: WorkloadState, context: DecideContext): Decision {
  if (!state.record.wanted) return remove(state, context)
  const decision = state.version.kind === 'Deployment' ? deployment(state, state.version.spec, context) : job(state, context)
  const health = workloadHealth(state, context.now)
  return { writes: [...decision.writes, ...forget(state)], wakeAt: earliest(decision.wakeAt, health.wakeAt) }
}

function deployment(state: WorkloadState, spec: DeploymentSpec, context: DecideContext): Decision {
  const { now } = context
  const plan = planRolling({
    slots: state.slots,
    tasks: state.tasks,
    templateDigest: state.record.templateDigest,
    limits: rollingLimits(spec, state.slots.length),
    minReadyMs: spec.minReadySeconds * 1000,
    now,
  })
  const begun = state.tasks.some((task) => task.task.templateDigest === state.record.templateDigest)
  if (state.unmet.length > 0 && !begun) return { writes: [], wakeAt: null }
  const due = plan.create.map((slot) => ({ slot, at: retryAt(state, slot) }))
  const create = due.filter(({ at }) => at <= now).map(({ slot }) => newTask(state, { slot, run: null, maxRestarts: null }, context))
  const later = due.filter(({ at }) => at > now).map(({ at }) => at)
  return { writes: [...create, ...stopWrites(state, plan.stop)], wakeAt: earliest(plan.wakeAt, ...later) }
}

function job(state: WorkloadState, context: DecideContext): Decision {
  if (state.version.kind !== 'Job') return { writes: [], wakeAt: null }
  const plan = planJob(state, state.version.spec, context.now)
  const stale = state.staleRuns.map((run) => runWrite(supersede(run, tasksOf(state, run), context.now)))
  const create = plan.create.map((place) => newTask(state, place, context))
  const run = plan.run === null || JSON.stringify(plan.run) === JSON.stringify(state.run) ? [] : [runWrite(plan.run)]
  return { writes: [...stale, ...run, ...create, ...stopWrites(state, plan.stop)], wakeAt: plan.wakeAt }
}

/** Tasks stop first; the record goes when no task is left that may still run. */
function remove(state: WorkloadState, context: DecideContext): Decision {
  const running = state.tasks.filter((task) => isLive(task)).map((task) => task.task.id)
  const runs = [...state.staleRuns, ...(state.run === null || state.run.finishedAt !== null ? [] : [state.run])]
  const ended = runs.map((run) => runWrite(supersede(run, tasksOf(state, run), context.now)))
  if (state.tasks.some((task) => !isTerminal(task) && task.task.agent !== null))
    return { writes: [...ended, ...stopWrites(state, running)], wakeAt: null }
  const record: Write = { table: 'workloads', id: state.record.key, value: null }
  return { writes: [...ended, ...state.tasks.flatMap(deleteWrites), record], wakeAt: null }
}

function forget(state: WorkloadState): Write[] {
  return expendable(state.tasks, state.run).flatMap(deleteWrites)
}

/** Refused or failed tasks of this template delay the next one in their slot, as a restart on the machine would. */
function retryAt(state: WorkloadState, slot: string): Millis {
  const failed = state.tasks.filter(
    (task) => task.task.slot === slot && task.task.templateDigest === state.record.templateDigest && hasFailed(task),
  )
  if (failed.length === 0) return 0
  return Math.max(...failed.map((task) => task.observed?.updatedAt ?? 0)) + restartDelay(failed.length)
}

function newTask(
  state: WorkloadState,
  place: { slot: string; run: RunId | null; maxRestarts: number | null },
  context: DecideContext,
): Write {
  const { name } = parseWorkloadKey(state.record.key)
  const id = `${name}-${context.newId()}` as TaskId
  const task: Task = {
    id,
    workload: state.record.key,
    app: state.record.app,
    slot: place.slot,
    run: place.run,
    agent: null,
    ports: {},
    inputsDigest: state.record.inputsDigest,
    templateDigest: state.record.templateDigest,
    revision: state.record.revision,
    desired: 'run',
    generation: 1,
    maxRestarts: place.maxRestarts,
    createdAt: context.now,
  }
  return { table: 'tasks', id, value: task }
}

function stopWrites(state: WorkloadState, ids: readonly TaskId[]): Write[] {
  const stop = new Set(ids)
  return state.tasks
    .filter(({ task }) => stop.has(task.id) && task.desired === 'run')
    .map(({ task }) => ({ table: 'tasks', id: task.id, value: { ...task, desired: 'stop', generation: task.generation + 1 } }))
}

function deleteWrites({ task }: TaskState): Write[] {
  return [
    { table: 'tasks', id: task.id, value: null },
    { table: 'observed', id: task.id, value: null },
  ]
}

const runWrite = (run: Run): Write => ({ table: 'runs', id: run.id, value: run })
const tasksOf = (state: WorkloadState, run: Run): TaskState[] => state.tasks.filter((task) => task.task.run === run.id)

function earliest(...times: readonly (Millis | null)[]): Millis | null {
  const known = times.filter((time): time is Millis => time !== null)
  return known.length === 0 ? null : Math.min(...known)
}
