import type { Millis } from '../../model/ids.ts'
import type { DeploymentSpec } from '../../model/manifest.ts'
import type { WorkloadRecord } from '../../model/records.ts'
import type { Rollout, Target } from '../../model/rollout.ts'
import { isLive } from '../task-state.ts'
import { currentRollout, type WorkloadState } from '../workload.ts'
import { firstStep, nextEvent } from './event.ts'
import { rolloutFacts } from './facts.ts'
import { advance, isFinished } from './step.ts'

/** Every event moves a rollout on; more than this in one look would be a circle. */
const MOST_EVENTS = 64

/** The present rollout after all that the tasks tell by now; begun when the record says something new. */
export function followRollout(state: WorkloadState, spec: DeploymentSpec, now: Millis): Rollout {
  let rollout = currentRollout(state) ?? begin(state, spec, now)
  for (let events = 0; events < MOST_EVENTS; events += 1) {
    const event = nextEvent(rollout, rolloutFacts(state, spec, { rollout, now }), now)
    if (event === null) return rollout
    rollout = advance(rollout, event, now)
  }
  return rollout
}

/** Older rollouts that were under way when another version was wanted. */
export function overtaken({ rollouts, record }: WorkloadState, now: Millis): Rollout[] {
  return rollouts
    .filter((rollout) => rollout.generation !== record.generation && !isFinished(rollout))
    .map((rollout) => advance(rollout, { type: 'superseded' }, now))
}

/** What a later failure would return to: the last version that proved itself, or one that serves and is about to. */
export function goodNow(record: WorkloadRecord, [newest]: readonly Rollout[]): Target | null {
  const isProving = newest?.state.phase === 'Proving' && newest.generation === record.generation && record.wanted
  return isProving ? targetOf(record) : record.good
}

export const targetOf = ({ inputsDigest, templateDigest, revision }: Target): Target => ({ inputsDigest, templateDigest, revision })

/** What has tasks already has nothing to wait for: a change of numbers, a return to what still runs, or canaries that are there. */
function begin(state: WorkloadState, spec: DeploymentSpec, now: Millis): Rollout {
  const { record, rollouts, fallback } = state
  const number = (rollouts[0]?.number ?? 0) + 1
  const waiting: Rollout = {
    id: `${record.key}/${number}`,
    workload: record.key,
    app: record.app,
    number,
    generation: record.generation,
    intent: record.intent,
    cause: record.cause,
    from: fallback?.target ?? null,
    to: targetOf(record),
    startedAt: now,
    finishedAt: null,
    images: rollouts.find(({ to }) => to.templateDigest === record.templateDigest)?.images ?? {},
    state: { phase: 'Waiting', stuckSince: null },
  }
  const begun = state.tasks.some((task) => isLive(task) && task.task.templateDigest === record.templateDigest)
  return begun ? advance(waiting, { type: 'cleared', step: stepOnwards(waiting, spec, rollouts), available: 0 }, now) : waiting
}

/** A commit that leaves the template alone is no word on its canaries: they stand where the rollout that it overtakes has them. */
function stepOnwards(rollout: Rollout, spec: DeploymentSpec, [overtaken]: readonly Rollout[]): number | null {
  const first = firstStep(rollout, spec)
  if (first === null || overtaken?.to.templateDigest !== rollout.to.templateDigest) return first
  const { state } = overtaken
  if (state.phase === 'Proving' || state.phase === 'Complete') return null
  if (!('step' in state)) return first
  const last = (spec.strategy.canary?.steps.length ?? 1) - 1
  return state.step === null ? null : Math.min(state.step, last)
}
