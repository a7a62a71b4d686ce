import type { DependsOn } from '../model/depends-on.ts'
import { parseWorkloadKey, type WorkloadKey, workloadKey } from '../model/ids.ts'
import { type Reason, reasonOf } from '../model/reason.ts'
import type { Quarantine, WorkloadRecord } from '../model/records.ts'
import type { RootCause } from '../model/rollout.ts'
import type { WorkloadHealth } from './health.ts'
import type { Unmet, WorkloadState } from './workload.ts'

/** A target lives in the namespace of the workload that names it. */
export function dependencyKeys(key: WorkloadKey, dependsOn: readonly DependsOn[]): WorkloadKey[] {
  const { namespace } = parseWorkloadKey(key)
  return dependsOn.map((dependency) => workloadKey(namespace, dependency.kind, dependency.name))
}

/** What is known of a workload that another waits for. */
export interface DependencyState {
  readonly health: WorkloadHealth
  readonly quarantine: Quarantine | undefined
  /** The inputs that keep it from ever becoming what its revision says; null while that may still come. */
  readonly failure: RootCause | null
}

/** Its own inputs, when they were taken back or its run failed; another's, when it waits in vain for that. */
export function failureOf(state: WorkloadState, quarantine: Quarantine | undefined): RootCause | null {
  const { record, run } = state
  if (quarantine?.revisionId != null && quarantine.bad !== null)
    return quarantine.because ?? { workload: record.key, inputsDigest: quarantine.bad }
  if (run?.phase === 'Failed') return { workload: record.key, inputsDigest: record.inputsDigest }
  return state.unmet.find(({ standing }) => standing === 'Failed')?.because ?? null
}

/**
 * What is not there yet; empty when the workload may start. It wants its dependencies as its own revision says them:
 * one that failed and went back is there, but it is another one. A return to what was good only wants them well.
 */
export function unmetDependencies(
  dependent: Pick<WorkloadRecord, 'key' | 'intent'>,
  dependsOn: readonly DependsOn[],
  stateOf: (key: WorkloadKey) => DependencyState | null,
): Unmet[] {
  const targets = dependencyKeys(dependent.key, dependsOn)
  return dependsOn.flatMap((dependency, index): Unmet[] => {
    const target = targets[index]
    const state = target === undefined ? null : stateOf(target)
    const failure = dependent.intent === 'Update' ? (state?.failure ?? null) : null
    if (failure === null && state?.health.health === 'Healthy') return []
    return [{ reason: reasonFor(dependency, state, failure), standing: standingOf(state, failure), because: failure }]
  })
}

function standingOf(state: DependencyState | null, failure: RootCause | null): Unmet['standing'] {
  if (failure !== null) return 'Failed'
  return state?.health.health === 'Progressing' || state?.health.health === 'Suspended' ? 'Moving' : 'Stuck'
}

function reasonFor({ kind, name, condition }: DependsOn, state: DependencyState | null, failure: RootCause | null): Reason {
  const says = state === null ? 'is not there' : `is ${state.health.health}`
  const told = failure !== null && state?.quarantine != null ? `was taken back: ${state.quarantine.reason}` : says
  return reasonOf('DependencyNotReady', `waits for ${kind.toLowerCase()}/${name} to be ${condition}; it ${told}`)
}
