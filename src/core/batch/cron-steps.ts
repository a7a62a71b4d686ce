import type { CronJobSpec, RunSpec } from '../../model/batch.ts'
import { bodyOf } from '../../model/body.ts'
import type { Digest, Millis, RunId, TaskId } from '../../model/ids.ts'
import type { Run } from '../../model/records.ts'
import { isLive } from '../task-state.ts'
import type { WorkloadState } from '../workload.ts'
import type { RunInputs } from './context.ts'
import { tasksOf } from './plan-job.ts'
import { giveUp, type TAKEN_BACK } from './run-record.ts'
import { type RunPlan, type SlotsInUse, slotsInUse, stepRun } from './run-step.ts'

export interface StepContext {
  readonly state: WorkloadState
  /** What runs that go on were started with, by inputs digest. */
  readonly going: ReadonlyMap<Digest, RunInputs>
  readonly policy: CronJobSpec['concurrencyPolicy']
  readonly now: Millis
}

/** It runs what git says now, so that its limits are those of now too, and none that was rolled back. */
export const isPresent = ({ templateDigest }: Run, { record }: WorkloadState): boolean => templateDigest === record.templateDigest

/**
 * One look at each of some runs of a CronJob, the oldest first, after what this look has come to for others. Where runs
 * replace each other one that begins ends all before it, whatever makes it begin: a slot, its parents or a person.
 */
export function stepInOrder(runs: readonly Run[], before: readonly RunPlan[], context: StepContext): RunPlan[] {
  const { state, now, policy } = context
  const wish = state.unmet.length > 0 ? 'Wait' : 'Go'
  let plans = [...before]
  for (const run of runs) {
    if (policy === 'Replace' && wish === 'Go' && run.startedAt === null) plans = plans.map((plan) => replaced(plan, context))
    const { version, machines } = inputsOf(run, context)
    const spec = bodyOf(version) as RunSpec
    const busy = spec.exclusive ? usedByOthers(run, plans, context) : new Map()
    plans.push(stepRun(run, { spec, tasks: tasksOf(state, run), busy, machines, wish, now }))
  }
  return plans
}

function inputsOf(run: Run, { state, going }: StepContext): RunInputs {
  const older = isPresent(run, state) ? undefined : going.get(run.inputsDigest)
  return older ?? { version: state.version, machines: state.slots }
}

const replaced = (plan: RunPlan, context: StepContext): RunPlan =>
  plan.run.finishedAt === null ? ending(plan.run, 'Replaced', context) : plan

/** Slots that other runs have something in, or take in this very look; what ends before it had a machine leaves nothing. */
function usedByOthers(run: Run, before: readonly RunPlan[], { state, now }: Pick<StepContext, 'state' | 'now'>): SlotsInUse {
  const stopped = new Set(before.flatMap(({ stop }) => stop))
  const others = state.tasks.filter(({ task }) => task.run !== run.id && (task.agent !== null || !stopped.has(task.id)))
  const taken = before.flatMap(({ create }) => create.map(({ slot }) => [slot, Number.POSITIVE_INFINITY] as const))
  return new Map([...slotsInUse(others, now), ...taken])
}

/** It ends for something else's sake, and its tasks with it. */
export function ending(run: Run, reason: 'Replaced' | typeof TAKEN_BACK, { state, now }: Pick<StepContext, 'state' | 'now'>): RunPlan {
  const tasks = tasksOf(state, run)
  const stop = tasks.filter(isLive).map(({ task }) => task.id)
  return { run: giveUp(run, reason, { tasks, now }), create: [], stop, forget: [], wakeAt: null }
}

/** Tasks whose run is gone: the turn that dropped it was cut before it could tell them to stop. */
export function strays({ tasks, runs }: WorkloadState): TaskId[] {
  const known = new Set<RunId | null>(runs.map(({ id }) => id))
  return tasks.filter((state) => isLive(state) && !known.has(state.task.run)).map(({ task }) => task.id)
}
