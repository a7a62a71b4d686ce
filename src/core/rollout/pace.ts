import type { Millis, TaskId } from '../../model/ids.ts'
import type { DeploymentSpec } from '../../model/manifest.ts'
import type { Rollout, Target } from '../../model/rollout.ts'
import type { WorkloadState } from '../workload.ts'
import { planKeep } from './keep.ts'
import { planRolling, type RollingInput, rollingLimits } from './rolling.ts'
import { ABORTED, DEPENDENCY_FAILED, stepSize } from './step.ts'

/** How far new tasks may take the place of old ones. */
type Pace = { readonly type: 'Roll' } | { readonly type: 'Keep'; readonly canaries: number | 'AsTheyAre' }

/** It waits for its dependencies, or did so in vain: nothing of it may start. */
const waits = ({ state }: Rollout, { unmet }: WorkloadState): boolean =>
  state.phase === 'Waiting' || (state.phase === 'Failed' && state.failure.code === DEPENDENCY_FAILED && unmet.length > 0)

/** What a rollout's phase means for tasks. */
function paceOf({ state, intent }: Rollout, spec: DeploymentSpec, { slots, unit }: Pick<WorkloadState, 'slots' | 'unit'>): Pace {
  const canaries = (step: number): number => {
    const found = spec.strategy.canary?.steps[step]
    return found === undefined ? 0 : stepSize(found, slots.length)
  }
  if (state.phase === 'Paused') return { type: 'Keep', canaries: canaries(state.step) }
  if (state.phase === 'Rolling' && state.step !== null) return { type: 'Keep', canaries: canaries(state.step) }
  if (state.phase !== 'Failed') return { type: 'Roll' }
  // A return, or what shall go on all the same, is tried on; anything else stays where it is.
  const goesOn = spec.onFailure === 'Continue' && unit === 'Workload' && state.failure.code !== ABORTED
  if (intent === 'Update' && !goesOn) return { type: 'Keep', canaries: 'AsTheyAre' }
  return { type: 'Roll' }
}

export interface TaskPlan {
  readonly create: readonly { readonly slot: string; readonly target: Target }[]
  readonly stop: readonly TaskId[]
  readonly wakeAt: Millis | null
}

/** Which tasks a Deployment starts and stops now. */
export function planTasks(state: WorkloadState, spec: DeploymentSpec, { rollout, now }: { rollout: Rollout; now: Millis }): TaskPlan {
  const { fallback } = state
  const isWaiting = waits(rollout, state)
  const pace: Pace = isWaiting ? { type: 'Keep', canaries: 'AsTheyAre' } : paceOf(rollout, spec, state)
  const given = (slot: string) => ({ slot, target: rollout.to })
  const input = rollingInput(state, spec, now)
  if (pace.type === 'Roll' || (fallback === null && !isWaiting)) {
    const plan = planRolling(input)
    return { ...plan, create: plan.create.map(given) }
  }
  const kept = fallback === null ? null : { templateDigest: fallback.target.templateDigest, slots: fallback.slots }
  const plan = planKeep({ ...input, fallback: kept, canaries: pace.canaries, most: mostLive(state, spec) })
  const refill = fallback === null ? [] : plan.refill.map((slot) => ({ slot, target: fallback.target }))
  return { stop: plan.stop, wakeAt: plan.wakeAt, create: [...refill, ...plan.create.map(given)] }
}

function rollingInput(state: WorkloadState, spec: DeploymentSpec, now: Millis): RollingInput {
  return {
    slots: state.slots,
    tasks: state.tasks,
    templateDigest: state.record.templateDigest,
    limits: rollingLimits(spec, state.slots.length),
    minReadyMs: spec.minReadySeconds * 1000,
    now,
  }
}

/** Most tasks of a Deployment that may live at once: those of the larger version, and what surge or canaries add. */
export function mostLive(state: WorkloadState, spec: DeploymentSpec): number {
  const slots = Math.max(state.slots.length, state.fallback?.slots.length ?? 0)
  const beside = (spec.strategy.canary?.steps ?? []).map((step) => stepSize(step, state.slots.length))
  return slots + Math.max(rollingLimits(spec, state.slots.length).maxSurge, ...beside)
}
