import { unmetDependencies } from '../../core/dependencies.ts'
import { type WorkloadHealth, type WorkloadState, workloadHealth } from '../../core/health.ts'
import { withRuns } from '../../core/job.ts'
import { eligibleAgents } from '../../core/schedule/reasons.ts'
import type { Millis, WorkloadKey } from '../../model/ids.ts'
import type { Reason } from '../../model/reason.ts'
import type { WorkloadRecord } from '../../model/records.ts'
import type { WorkloadVersion } from '../../model/version.ts'
import type { Cluster } from './cluster.ts'
import { agentViews } from './place.ts'

export interface StateContext {
  readonly cluster: Cluster
  readonly unplaced: ReadonlyMap<WorkloadKey, readonly Reason[]>
  readonly now: Millis
}

/** Everything a decision about one workload needs, read from memory; null when there is no such workload. */
export function workloadState(key: WorkloadKey, context: StateContext): WorkloadState | null {
  const state = independentState(key, context)
  if (state === null) return null
  const unmet = unmetDependencies(key, state.version.spec.dependsOn, (target) => healthOf(target, context))
  return { ...state, unmet }
}

/** Without what it waits for: no verdict depends on that, and asking on and on would cost every path of a graph. */
function independentState(key: WorkloadKey, context: StateContext): WorkloadState | null {
  const record = context.cluster.workloads.get(key)
  if (record === undefined) return null
  const version = context.cluster.version(record.inputsDigest)
  const bare: WorkloadState = {
    record,
    version,
    tasks: context.cluster.tasksOfWorkload(key),
    run: null,
    staleRuns: [],
    gaveWay: 0,
    slots: slotsOf(record, version, context.cluster),
    unplaced: context.unplaced.get(key) ?? [],
    unmet: [],
  }
  return version.kind === 'Job' ? withRuns(bare, context.cluster.runsOfWorkload(key)) : bare
}

function healthOf(key: WorkloadKey, context: StateContext): WorkloadHealth | null {
  const state = independentState(key, context)
  return state === null ? null : workloadHealth(state, context.now)
}

/** Replica numbers, or the agents a Global workload matches whether or not they have room. */
function slotsOf(record: WorkloadRecord, version: WorkloadVersion, cluster: Cluster): string[] {
  if (version.kind === 'Job' || !record.wanted) return []
  if (version.spec.mode === 'Replicated') return Array.from({ length: version.spec.replicas }, (_, index) => String(index))
  return eligibleAgents(
    cluster.requirements(record.inputsDigest),
    agentViews(cluster, () => 'Yes'),
  )
    .map((agent) => agent.id)
    .toSorted()
}
