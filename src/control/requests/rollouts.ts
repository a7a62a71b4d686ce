import { pauseOver } from '../../core/rollout/event.ts'
import { rolloutFacts } from '../../core/rollout/facts.ts'
import { ABORTED, advance, isFinished, type RolloutEvent } from '../../core/rollout/step.ts'
import { currentRollout, type WorkloadState } from '../../core/workload.ts'
import { workloadKey } from '../../model/ids.ts'
import type { DeploymentSpec } from '../../model/manifest.ts'
import type { Rollout } from '../../model/rollout.ts'
import { objectOf } from '../leader/object-name.ts'
import type { TurnContext } from '../leader/term.ts'
import { workloadState } from '../leader/workload-state.ts'
import type { WorkloadRef } from './control-plane.ts'
import { RequestError } from './control-plane.ts'

/** A rollout that a person speaks to, with what it is a part of. */
interface Addressed {
  readonly state: WorkloadState
  readonly spec: DeploymentSpec
  readonly rollout: Rollout
}

/** Goes on past a canary pause, or tries a failed rollout that is held again. @throws RequestError */
export function promote(ref: WorkloadRef, actor: string, context: TurnContext): void {
  const addressed = addressedBy(ref, context)
  const { phase } = addressed.rollout.state
  const event = promotion(addressed, context)
  if (event === null) throw new RequestError('Conflict', `${nameOf(ref)} has nothing to promote: its newest rollout is ${phase}`)
  tell(addressed, { event, reason: 'Promoted', actor }, context)
}

function promotion({ state, spec, rollout }: Addressed, { now }: TurnContext): RolloutEvent | null {
  if (rollout.state.phase === 'Failed') return { type: 'retried' }
  if (rollout.state.phase !== 'Paused') return null
  return pauseOver(rollout.state, spec, rolloutFacts(state, spec, { rollout, now }).available)
}

/** Ends a rollout that is under way, or held, as failed, which takes it back to the last good version. @throws RequestError */
export function abort(ref: WorkloadRef, actor: string, context: TurnContext): void {
  const addressed = underWay(addressedBy(ref, context), context)
  const { state, rollout } = addressed
  if (isFinished(rollout))
    throw new RequestError('Conflict', `${nameOf(ref)} has no rollout under way: its newest is ${rollout.state.phase}`)
  if (state.record.good === null) throw new RequestError('Conflict', `${nameOf(ref)} never was healthy, so there is nothing to go back to`)
  if (state.record.good.inputsDigest === state.record.inputsDigest)
    throw new RequestError('Conflict', `${nameOf(ref)} is rolling out its last good version, so there is nothing to go back to`)
  if (rollout.intent === 'Restore') throw new RequestError('Conflict', `${nameOf(ref)} is on its way back already`)
  const failure = { code: ABORTED, message: `aborted by ${actor}`, because: null, evidence: [] }
  tell(addressed, { event: { type: 'failed', failure }, reason: 'Aborted', actor }, context)
}

/** One that is held would be tried again; it is only for that it can be given up. */
function underWay(addressed: Addressed, { now }: TurnContext): Addressed {
  return { ...addressed, rollout: advance(addressed.rollout, { type: 'retried' }, now) }
}

const nameOf = ({ kind, name }: WorkloadRef): string => `${kind.toLowerCase()}/${name}`

function addressedBy(ref: WorkloadRef, { term, now }: TurnContext): Addressed {
  const { namespace, kind, name } = ref
  const state = workloadState(workloadKey(namespace, kind, name), { term, now })
  if (state === null) throw new RequestError('NotFound', `no ${kind.toLowerCase()} ${name} in namespace ${namespace}`)
  if (state.version.kind !== 'Deployment') throw new RequestError('Conflict', `${nameOf(ref)} has no rollouts: a ${kind} has runs`)
  const rollout = currentRollout(state)
  if (rollout === null || !state.record.wanted) throw new RequestError('Conflict', `${nameOf(ref)} has no rollout`)
  return { state, spec: state.version.spec, rollout }
}

interface Word {
  readonly event: RolloutEvent
  readonly reason: string
  readonly actor: string
}

function tell({ state, rollout }: Addressed, { event, reason, actor }: Word, { draft, now }: TurnContext): void {
  draft.write({ table: 'rollouts', id: rollout.id, value: advance(rollout, event, now) })
  const object = objectOf(state.record.key)
  const message = `rollout ${rollout.number}, to ${rollout.to.revision}`
  draft.event({ object, app: rollout.app, reason, message, level: 'Normal', actor }, now)
}
