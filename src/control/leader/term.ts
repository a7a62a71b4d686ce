import type { WorkloadHealth } from '../../core/health.ts'
import type { Epoch, Millis, WorkloadKey } from '../../model/ids.ts'
import type { Reason } from '../../model/reason.ts'
import type { ClusterIdentity } from '../../model/records.ts'
import type { Hub } from '../agents/hub.ts'
import type { Cluster } from './cluster.ts'
import type { Draft } from './draft.ts'
import type { Waiting } from './place.ts'
import type { Wakes } from './wakes.ts'

/** What one term of leadership holds in memory. All of it dies with the term. */
export interface Term {
  readonly epoch: Epoch
  readonly identity: ClusterIdentity
  readonly cluster: Cluster
  readonly hub: Hub
  readonly wakes: Wakes<WorkloadKey>
  /** When an app as a whole is to be looked at again: the deadline of its atomic revision. */
  readonly appWakes: Wakes<string>
  /** The wall clock. */
  readonly now: () => Millis
  /** When it began, on the wall clock. */
  readonly ledSince: Millis
  readonly newId: () => string
  unplaced: Waiting['unplaced']
  tags: Waiting['tags']
  readonly healths: Map<WorkloadKey, WorkloadHealth>
  turns: number
  /** Since when and why nothing can be written; null: it can. */
  readOnly: { readonly since: Millis; readonly reason: string } | null
  /** Apps whose source was read in this term; what is known of the others may be of long ago. */
  readonly read: Set<string>
  /** Told after every committed turn that wrote something. */
  readonly listeners: Set<() => void>
}

export interface TurnContext {
  readonly term: Term
  readonly draft: Draft
  readonly now: Millis
}

/** What stands in a workload's way, worst first: what its tasks and dependencies say, then what the machines have against those that wait. */
export function reasonsOf(key: WorkloadKey, { healths, unplaced }: Pick<Term, 'healths' | 'unplaced'>): Reason[] {
  return [...(healths.get(key)?.reasons ?? []), ...(unplaced.get(key) ?? [])]
}
