import { rolloutWakeAt } from '../../core/rollout/event.ts'
import { rolloutFacts } from '../../core/rollout/facts.ts'
import { isFinished, stepSize } from '../../core/rollout/step.ts'
import { isLive } from '../../core/task-state.ts'
import { currentRollout } from '../../core/workload.ts'
import { parseWorkloadKey } from '../../model/ids.ts'
import type { DeploymentSpec } from '../../model/manifest.ts'
import type { RevisionRecord } from '../../model/records.ts'
import type { Rollout } from '../../model/rollout.ts'
import type { HistoryView, RolloutView } from '../../model/views.ts'
import type { Term } from '../leader/term.ts'
import { workloadState } from '../leader/workload-state.ts'
import { iso, isoOrNull } from './times.ts'

export function rolloutView(rollout: Rollout, term: Term): RolloutView {
  const { namespace, kind, name } = parseWorkloadKey(rollout.workload)
  const { id, app, number, intent, cause, from, to, state, startedAt, finishedAt } = rollout
  return {
    ...{ id, app, namespace, kind, workload: name, number, intent, cause, phase: state.phase },
    revision: to.revision,
    inputsDigest: to.inputsDigest,
    fromRevision: from?.revision ?? null,
    fromInputsDigest: from?.inputsDigest ?? null,
    ...progressOf(rollout, term),
    until: state.phase === 'Paused' || state.phase === 'Proving' ? isoOrNull(state.until) : null,
    failure: 'failure' in state ? { ...state.failure, because: state.failure.because?.workload ?? null } : null,
    startedAt: iso(startedAt),
    finishedAt: isoOrNull(finishedAt),
  }
}

type Progress = Pick<RolloutView, 'step' | 'desired' | 'updated' | 'available' | 'deadline'>

const OVER: Progress = { step: null, desired: null, updated: null, available: null, deadline: null }

/** Counts of now, for the rollout that is under way. */
function progressOf(rollout: Rollout, term: Term): Progress {
  const now = term.now()
  const state = isFinished(rollout) ? null : workloadState(rollout.workload, { term, now })
  if (state === null || state.version.kind !== 'Deployment' || currentRollout(state)?.id !== rollout.id) return OVER
  const { spec } = state.version
  const facts = rolloutFacts(state, spec, { rollout, now })
  const { desired, available } = facts
  const updated = state.tasks.filter((task) => isLive(task) && task.task.templateDigest === rollout.to.templateDigest).length
  const deadline = rollout.state.phase === 'Paused' || rollout.state.phase === 'Proving' ? null : rolloutWakeAt(rollout, facts)
  return { step: stepOf(rollout, spec, desired), desired, updated, available, deadline: isoOrNull(deadline) }
}

function stepOf({ state }: Rollout, { strategy }: DeploymentSpec, desired: number): Progress['step'] {
  const at = 'step' in state ? state.step : null
  const steps = strategy.canary?.steps ?? []
  const found = at === null ? undefined : steps[at]
  return at === null || found === undefined ? null : { number: at + 1, of: steps.length, replicas: stepSize(found, desired) }
}

/** What became of each workload that a revision changed: rollouts and runs that began with it, and before the next one. */
export function resultsOf(record: RevisionRecord, { cluster }: Pick<Term, 'cluster'>): HistoryView['results'] {
  const next = cluster.revisionsOfApp(record.app).findLast((other) => other.id > record.id)
  const isIts = (at: number): boolean => at >= record.startedAt && (next === undefined || at < next.startedAt)
  const keys = cluster.workloadsOfApp(record.app).map(({ key }) => key)
  const rollouts = keys.flatMap((key) => cluster.rolloutsOfWorkload(key)).filter(({ startedAt }) => isIts(startedAt))
  // What began at a slot or by a person's word began by no revision.
  const runs = keys.flatMap((key) => cluster.runsOfWorkload(key)).filter(({ createdAt, trigger }) => trigger === 'Sync' && isIts(createdAt))
  return [
    ...rollouts.map(({ id, workload, state }) => ({ workload, result: state.phase, rollout: id, run: null })),
    ...runs.map(({ id, workload, phase }) => ({ workload, result: phase, rollout: null, run: id })),
  ].sort((a, b) => (a.workload < b.workload ? -1 : 1))
}
