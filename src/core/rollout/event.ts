import type { Millis } from '../../model/ids.ts'
import type { DeploymentSpec } from '../../model/manifest.ts'
import type { Evidence, Failure, Rollout, RolloutState } from '../../model/rollout.ts'
import type { Unmet } from '../workload.ts'
import { DEPENDENCY_FAILED, type RolloutEvent, stepSize } from './step.ts'

/** So much longer than any rollout must one stay well that had failed. */
const RECOVERED_AFTER: Millis = 60_000

/** What a rollout is judged by, counted from tasks at one moment. */
export interface RolloutFacts {
  readonly spec: DeploymentSpec
  /** Dependencies that are not as they should be. */
  readonly unmet: readonly Unmet[]
  /** Slots to fill. */
  readonly desired: number
  /** Slots whose task of the new version is available. */
  readonly available: number
  /** Every slot has its available new task, and nothing else lives. */
  readonly settled: boolean
  /** When the youngest of the new tasks that are there will have been ready for long enough to be believed. */
  readonly provedAt: Millis
  /** Tasks of the new version that failed too often since it began. */
  readonly crashing: readonly Evidence[]
  /** What those that are not available show. */
  readonly lagging: readonly Evidence[]
  /** Since when this leader leads: nobody was there to see progress before, so no deadline counts from earlier. */
  readonly ledSince: Millis
}

/** The one thing that the facts mean for this rollout now; null: nothing new. */
export function nextEvent(rollout: Rollout, facts: RolloutFacts, now: Millis): RolloutEvent | null {
  const { state } = rollout
  switch (state.phase) {
    case 'Waiting':
      return whileWaiting(rollout, state, { facts, now })
    case 'Rolling':
      return whileRolling(state, facts, now)
    case 'Paused':
      return whilePaused(state, facts, now)
    case 'Proving':
      return whileProving(state, facts, now)
    case 'Failed':
      return onceFailed(state, facts, now)
    default:
      return null
  }
}

/** When time alone means something for it; null: never. */
export function rolloutWakeAt({ state }: Pick<Rollout, 'state'>, facts: RolloutFacts): Millis | null {
  if (state.phase === 'Failed') return facts.settled ? facts.provedAt + RECOVERED_AFTER : null
  if (state.phase === 'Rolling') return deadline(state.progressAt, facts)
  if (state.phase === 'Paused' || state.phase === 'Proving') return state.until
  return state.phase === 'Waiting' && state.stuckSince !== null ? deadline(state.stuckSince, facts) : null
}

function deadline(since: Millis, { spec, ledSince }: Pick<RolloutFacts, 'spec' | 'ledSince'>): Millis {
  return Math.max(since, ledSince) + spec.progressDeadlineSeconds * 1000
}

type In<P extends RolloutState['phase']> = Extract<RolloutState, { phase: P }>

function whileWaiting(rollout: Rollout, state: In<'Waiting'>, { facts, now }: { facts: RolloutFacts; now: Millis }): RolloutEvent | null {
  const { unmet, available } = facts
  if (unmet.length === 0) return { type: 'cleared', step: firstStep(rollout, facts.spec), available }
  const lost = unmet.find(({ standing }) => standing === 'Failed')
  if (lost !== undefined) return { type: 'failed', failure: dependencyFailure(lost) }
  const stuck = unmet.every(({ standing }) => standing === 'Stuck')
  if (!stuck) return state.stuckSince === null ? null : { type: 'moving' }
  if (state.stuckSince === null) return { type: 'stuck' }
  const [first] = unmet
  return first !== undefined && now >= deadline(state.stuckSince, facts) ? { type: 'failed', failure: dependencyFailure(first) } : null
}

const dependencyFailure = ({ reason, because }: Unmet): Failure => ({
  code: DEPENDENCY_FAILED,
  message: reason.message,
  because,
  evidence: [],
})

/** Canaries are for a new version beside one that serves: not for a first one, a return, or a change of numbers alone. */
export function firstStep({ from, to, intent }: Rollout, { strategy }: DeploymentSpec): number | null {
  return strategy.canary !== undefined && intent === 'Update' && from !== null && from.templateDigest !== to.templateDigest ? 0 : null
}

function whileRolling(state: In<'Rolling'>, facts: RolloutFacts, now: Millis): RolloutEvent | null {
  const { available, spec } = facts
  if (facts.crashing.length > 0) return { type: 'failed', failure: crashLoop(facts.crashing) }
  if (state.step === null && facts.settled)
    return facts.provedAt <= now ? { type: 'completed' } : { type: 'settled', until: facts.provedAt }
  if (state.step !== null && available >= sizeOf(state.step, facts)) return { type: 'stepReached', until: pauseOf(state.step, spec, now) }
  if (available > state.best) return { type: 'progressed', available }
  return now >= deadline(state.progressAt, facts) ? { type: 'failed', failure: deadlineExceeded(facts) } : null
}

/** What it failed for may be mended, and what went on being tried may come after all; one that crashes now and then does not. */
function onceFailed({ failure }: In<'Failed'>, facts: RolloutFacts, now: Millis): RolloutEvent | null {
  if (failure.code === DEPENDENCY_FAILED && facts.unmet.length === 0) return { type: 'retried' }
  return facts.settled && now >= facts.provedAt + RECOVERED_AFTER ? { type: 'completed' } : null
}

/** What came and went again meanwhile has to come once more. */
function whileProving({ until }: In<'Proving'>, facts: RolloutFacts, now: Millis): RolloutEvent | null {
  const { crashing, settled, available } = facts
  if (crashing.length > 0) return { type: 'failed', failure: crashLoop(crashing) }
  if (now < until) return null
  return settled && facts.provedAt <= now ? { type: 'completed' } : { type: 'slipped', available }
}

function whilePaused(state: In<'Paused'>, facts: RolloutFacts, now: Millis): RolloutEvent | null {
  const { available, spec } = facts
  if (facts.crashing.length > 0) return { type: 'failed', failure: crashLoop(facts.crashing) }
  if (available < sizeOf(state.step, facts)) return { type: 'slipped', available }
  return state.until !== null && now >= state.until ? pauseOver(state, spec, available) : null
}

/** On to the next canary step, or to the rest. */
export function pauseOver({ step }: In<'Paused'>, { strategy }: DeploymentSpec, available: number): RolloutEvent {
  const isLast = step + 1 >= (strategy.canary?.steps.length ?? 0)
  return { type: 'pauseOver', next: isLast ? null : step + 1, available }
}

function sizeOf(step: number, { spec, desired }: RolloutFacts): number {
  const found = spec.strategy.canary?.steps[step]
  return found === undefined ? 0 : stepSize(found, desired)
}

function pauseOf(step: number, { strategy }: DeploymentSpec, now: Millis): Millis | null {
  const steps = strategy.canary?.steps ?? []
  const found = steps[step]
  const waitsForPromotion = step === steps.length - 1 && strategy.canary?.autoPromote === false
  return found?.manual === true || waitsForPromotion ? null : now + (found?.pauseSeconds ?? 0) * 1000
}

function crashLoop(evidence: readonly Evidence[]): Failure {
  const [first] = evidence
  const told = first === undefined ? '' : `: ${first.code}: ${first.message}`
  return { code: 'CrashLoop', message: `task ${first?.task ?? ''} fails again and again${told}`, because: null, evidence: [...evidence] }
}

function deadlineExceeded({ spec, available, desired, lagging }: RolloutFacts): Failure {
  const [first] = lagging
  const told = first === undefined ? '' : `; ${first.code}: ${first.message}`
  return {
    code: 'ProgressDeadlineExceeded',
    message: `${available} of ${desired} new tasks are available, and no more came within ${spec.progressDeadlineSeconds} s${told}`,
    because: null,
    evidence: [...lagging],
  }
}
