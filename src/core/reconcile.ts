import type { Digest, Millis, RunId, TaskId } from '../model/ids.ts'
import { parseWorkloadKey } from '../model/ids.ts'
import type { DeploymentSpec } from '../model/manifest.ts'
import type { Run, Write } from '../model/records.ts'
import type { Rollout, Target } from '../model/rollout.ts'
import type { Task } from '../model/task.ts'
import { withLeaving } from './batch/leave.ts'
import type { BatchPlan } from './batch/plan.ts'
import { planCronJob } from './batch/plan-cron.ts'
import { planJob } from './batch/plan-job.ts'
import type { Decision } from './decision.ts'
import { earliest } from './earliest.ts'
import { DRAINED, lostWrites } from './given-up.ts'
import { workloadHealth } from './health.ts'
import { remove } from './remove.ts'
import { CALM_AFTER, restartDelay } from './restart.ts'
import { expendable, KEPT_FOR_BACKOFF, ofOldRuns } from './retention.ts'
import { rolloutWakeAt } from './rollout/event.ts'
import { rolloutFacts } from './rollout/facts.ts'
import { followRollout, overtaken, targetOf } from './rollout/follow.ts'
import { afterLeaving, type Leaving, leavingAt, leavingTasks } from './rollout/machines.ts'
import { planTasks } from './rollout/pace.ts'
import { isFinished } from './rollout/step.ts'
import { hasFailed, isLive, type TaskState } from './task-state.ts'
import { changedRun, deleteWrites, stopWrites } from './task-writes.ts'
import type { WorkloadState } from './workload.ts'

export interface DecideContext {
  readonly now: Millis
  /** A fresh id part, unique for ever. */
  readonly newId: () => string
}

const NOTHING: Decision = { writes: [], wakeAt: null }

/**
 * What to write so that one workload comes nearer to what git says. Pure: the same state, time and ids
 * give the same writes, and a state that is right gives none.
 */
export function reconcile(state: WorkloadState, context: DecideContext): Decision {
  if (!state.record.wanted) return remove(state, context.now)
  const { version } = state
  const plan = batchPlan(state, context.now)
  const decision =
    plan === null ? (version.kind === 'Deployment' ? deployment(state, version.spec, context) : NOTHING) : batch(state, plan, context)
  const health = workloadHealth(state, context.now)
  return { writes: [...decision.writes, ...forget(state, plan, context.now)], wakeAt: earliest(decision.wakeAt, health.wakeAt) }
}

/** What becomes of its rollout or its run, before anything is done about tasks. */
export function judge(state: WorkloadState, now: Millis): Write[] {
  const { record, version, run } = state
  if (!record.wanted) return []
  if (version.kind !== 'Deployment')
    return run === null ? [] : changedRuns(state, batchPlan(state, now)?.runs.filter(({ id }) => id === run.id) ?? [])
  const rollouts = [...overtaken(state, now), followRollout(state, version.spec, now)]
  return rolloutWrites(state, rollouts, { limit: version.spec.revisionHistoryLimit, remembered: templatesOf(state, record.good) })
}

function deployment(given: WorkloadState, spec: DeploymentSpec, context: DecideContext): Decision {
  const { now } = context
  const leaving = leavingTasks(given, spec, now)
  const state = afterLeaving(given, leaving)
  const begun = followRollout(state, spec, now)
  const plan = planTasks(state, spec, { rollout: begun, now })
  // The last stop may be what completes it.
  const rollout = followRollout(withoutStopped(state, begun, plan.stop), spec, now)
  const due = plan.create.map((place) => ({ place, at: retryAt(state, place, { since: rollout.startedAt, now }) }))
  const create = due.filter(({ at }) => at <= now).map(({ place }) => newTask(state, { ...place, run: null, maxRestarts: null }, context))
  const later = due.filter(({ at }) => at > now).map(({ at }) => at)
  const good = rollout.state.phase === 'Complete' ? proved(state) : []
  const remembered = templatesOf(withoutStopped(state, rollout, plan.stop), good.length > 0 ? state.record : state.record.good)
  const rollouts = rolloutWrites(state, [...overtaken(state, now), rollout], { limit: spec.revisionHistoryLimit, remembered })
  const wakeAt = rolloutWakeAt(rollout, rolloutFacts(state, spec, { rollout, now }))
  // Stops first: a turn may be cut between two transactions, and a slot with neither task is just filled again.
  return {
    writes: [...rollouts, ...good, ...leavingWrites(leaving), ...stopWrites(state, plan.stop), ...create],
    wakeAt: earliest(plan.wakeAt, wakeAt, leavingAt(state, spec, now), ...later),
  }
}

const leavingWrites = ({ stopped, lost }: Leaving): Write[] => [
  ...stopped.map(({ task }): Write => ({ table: 'tasks', id: task.id, value: { ...task, generation: task.generation + 1 } })),
  ...lostWrites(lost),
]

function withoutStopped(state: WorkloadState, rollout: Rollout, stop: readonly TaskId[]): WorkloadState {
  const tasks = state.tasks.filter(({ task }) => !stop.includes(task.id))
  return { ...state, tasks, rollouts: [rollout, ...state.rollouts.filter(({ id }) => id !== rollout.id)] }
}

/** Versions that run, shall run, or would be returned to: only a rollout remembers what images their tags were resolved to. */
function templatesOf({ record, tasks }: WorkloadState, good: Target | null): Set<Digest> {
  const live = tasks.filter(isLive).map(({ task }) => task.templateDigest)
  return new Set([record.templateDigest, ...live, ...(good === null ? [] : [good.templateDigest])])
}

interface Kept {
  readonly limit: number
  /** Versions whose newest rollout is kept however old it is. */
  readonly remembered: ReadonlySet<Digest>
}

/** What changed of the rollouts, and the end of those that are too old to be kept. */
function rolloutWrites({ rollouts }: WorkloadState, now: readonly Rollout[], { limit, remembered }: Kept): Write[] {
  const known = new Map(rollouts.map((rollout) => [rollout.id, rollout]))
  const changed = now.filter((rollout) => JSON.stringify(known.get(rollout.id)) !== JSON.stringify(rollout))
  const all = new Map([...known, ...now.map((rollout) => [rollout.id, rollout] as const)])
  const newestFirst = [...all.values()].sort((a, b) => b.number - a.number)
  const pinning = new Set([...remembered].map((template) => newestFirst.find(({ to }) => to.templateDigest === template)))
  const old = newestFirst.filter(isFinished).slice(limit)
  return [
    ...old.filter((rollout) => !pinning.has(rollout)).map(({ id }): Write => ({ table: 'rollouts', id, value: null })),
    ...changed.map((rollout): Write => ({ table: 'rollouts', id: rollout.id, value: rollout })),
  ]
}

/** A version that proved itself is what a later failure returns to; in an atomic app only its whole revision does. */
function proved({ record, unit }: WorkloadState): Write[] {
  if (unit === 'App' || record.good?.inputsDigest === record.inputsDigest) return []
  return [{ table: 'workloads', id: record.key, value: { ...record, good: targetOf(record) } }]
}

function batch(state: WorkloadState, plan: BatchPlan, context: DecideContext): Decision {
  const create = plan.create.map((place) => newTask(state, place, context))
  const good = hasProved(state, plan) ? proved(state) : []
  const schedule = JSON.stringify(plan.schedule) === JSON.stringify(state.cron?.state ?? null) ? [] : scheduleWrites(state, plan)
  const { drained, lost } = plan.leaving
  const stops = [
    ...endWrites(state, plan.stop),
    ...stopWrites(
      state,
      drained.filter((id) => !plan.stop.includes(id)),
      DRAINED,
    ),
  ]
  const runs = changedRuns(state, plan.runs)
  return {
    writes: [
      ...(startsAfterOthers(state) ? [...schedule, ...runs] : [...runs, ...schedule]),
      ...dropped(plan),
      ...good,
      ...stops,
      ...lostWrites(lost),
      ...create,
    ],
    wakeAt: plan.wakeAt,
  }
}

/**
 * Which comes first, for a turn may be cut in between. A run that is recorded is found again, while a slot that counts as
 * decided is never looked at again: the mark in a schedule comes after its runs. The mark in a graph only says what starts
 * no run; without it what a later run took the place of would start after that.
 */
const startsAfterOthers = ({ version }: WorkloadState): boolean => version.kind === 'CronJob' && version.spec.after !== undefined

/** What has no machine yet leaves nothing that anybody could ask for. */
function endWrites(state: WorkloadState, ids: readonly TaskId[]): Write[] {
  const isPlaced = ({ task }: TaskState): boolean => task.agent !== null
  const unplaced = state.tasks.filter((one) => !isPlaced(one) && ids.includes(one.task.id))
  return [...stopWrites({ ...state, tasks: state.tasks.filter(isPlaced) }, ids), ...unplaced.flatMap(deleteWrites)]
}

/** Null for a Deployment. */
function batchPlan(state: WorkloadState, now: Millis): BatchPlan | null {
  const { version, cron } = state
  if (version.kind === 'Job') return planJob(state, version.spec, now)
  return version.kind === 'CronJob' && cron !== null ? planCronJob(state, version.spec, cron, now) : null
}

/** A Job is good once it ran; a CronJob that is accepted has nothing to prove before its next slot. */
function hasProved({ version, run, blocked }: WorkloadState, { runs }: BatchPlan): boolean {
  if (version.kind === 'CronJob') return true
  return blocked === 'No' && run !== null && runs.some(({ id, phase }) => id === run.id && phase === 'Succeeded')
}

const scheduleWrites = ({ record }: WorkloadState, { schedule }: BatchPlan): Write[] => [
  { table: 'schedules', id: record.key, value: schedule },
]

const dropped = ({ drop }: BatchPlan): Write[] => drop.map((id) => ({ table: 'runs', id, value: null }))

function changedRuns({ runs }: WorkloadState, now: readonly Run[]): Write[] {
  const before = new Map(runs.map((run) => [run.id, run]))
  return now.flatMap((run) => changedRun(before.get(run.id) ?? null, run))
}

function forget(state: WorkloadState, plan: BatchPlan | null, now: Millis): Write[] {
  const { slots, record, tasks } = state
  const old =
    plan === null
      ? expendable(tasks, { slots, templateDigest: record.templateDigest })
      : ofOldRuns(withLeaving(tasks, plan.leaving), plan, now)
  return old.flatMap(deleteWrites)
}

/** Refused or failed tasks of this template delay the next one in their slot, as a restart on the machine would; a new rollout is a new try. */
function retryAt(
  state: WorkloadState,
  { slot, target }: { slot: string; target: Target },
  { since, now }: { since: Millis; now: Millis },
): Millis {
  const failedAt = state.tasks
    .filter(
      ({ task }) =>
        task.slot === slot && task.templateDigest === target.templateDigest && task.desired === 'run' && task.createdAt >= since,
    )
    .flatMap((task) => (hasFailed(task) ? [task.observed?.updatedAt ?? 0] : []))
    .filter((at) => at > now - CALM_AFTER)
  return failedAt.length === 0 ? 0 : Math.max(...failedAt) + restartDelay(Math.min(failedAt.length, KEPT_FOR_BACKOFF))
}

function newTask(
  state: WorkloadState,
  place: { slot: string; target: Target; run: RunId | null; maxRestarts: number | null },
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
    ...targetOf(place.target),
    desired: 'run',
    stopReason: null,
    generation: 1,
    maxRestarts: place.maxRestarts,
    createdAt: context.now,
  }
  return { table: 'tasks', id, value: task }
}
