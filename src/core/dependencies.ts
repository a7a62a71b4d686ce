import { parseWorkloadKey, type WorkloadKey, workloadKey } from '../model/ids.ts'
import type { DependsOn } from '../model/manifest.ts'
import { type Reason, reasonOf } from '../model/reason.ts'
import type { WorkloadHealth } from './health.ts'

/** A target lives in the namespace of the workload that names it. */
export function dependencyKeys(key: WorkloadKey, dependsOn: readonly DependsOn[]): WorkloadKey[] {
  const { namespace } = parseWorkloadKey(key)
  return dependsOn.map((dependency) => workloadKey(namespace, dependency.kind, dependency.name))
}

/** What is not there yet, one reason a target; empty when the workload may start. */
export function unmetDependencies(
  key: WorkloadKey,
  dependsOn: readonly DependsOn[],
  healthOf: (key: WorkloadKey) => WorkloadHealth | null,
): Reason[] {
  const targets = dependencyKeys(key, dependsOn)
  return dependsOn.flatMap((dependency, index) => {
    const target = targets[index]
    const health = target === undefined ? null : healthOf(target)
    if (health?.health === 'Healthy') return []
    const state = health === null ? 'is not there' : `is ${health.health}`
    return [
      reasonOf(
        'DependencyNotReady',
        `waits for ${dependency.kind.toLowerCase()}/${dependency.name} to be ${dependency.condition}; it ${state}`,
      ),
    ]
  })
}
