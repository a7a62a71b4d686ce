import type { Millis } from '../model/ids.ts'
import type { Reason } from '../model/reason.ts'
import type { Run, WorkloadRecord } from '../model/records.ts'
import type { Rollout, RootCause, Target } from '../model/rollout.ts'
import type { WorkloadVersion } from '../model/version.ts'
import type { CronContext } from './batch/context.ts'
import type { Machines } from './given-up.ts'
import type { TaskState } from './task-state.ts'

/** One dependency that is not as it should be. */
export interface Unmet {
  readonly reason: Reason
  /** `Moving`: it is on its way. `Stuck`: only somebody else can help. `Failed`: what git says of it will not come. */
  readonly standing: 'Moving' | 'Stuck' | 'Failed'
  /** The inputs that failed; null when nothing did. */
  readonly because: RootCause | null
}

/** Everything that is known of one workload; the input of every decision about it. */
export interface WorkloadState {
  readonly record: WorkloadRecord
  readonly version: WorkloadVersion
  readonly tasks: readonly TaskState[]
  /** All runs of a Job or a CronJob. */
  readonly runs: readonly Run[]
  /** The Job's run of what git says now; null for anything else, or before it began. */
  readonly run: Run | null
  /** Other runs of a Job that have not ended, or whose tasks are still there. */
  readonly staleRuns: readonly Run[]
  /** Git came back to what a Job ran before, and a person is to say whether it runs again. */
  readonly blocked: 'Yes' | 'No'
  /** Null for anything but a CronJob. */
  readonly cron: CronContext | null
  /** Slots to fill: replica numbers, or the ids of matching agents where one task goes to each; none for other Jobs. */
  readonly slots: readonly string[]
  /** Why its pending tasks are not placed, from the last attempt to place them. */
  readonly unplaced: readonly Reason[]
  readonly unmet: readonly Unmet[]
  /** Newest first; none for a Job. */
  readonly rollouts: readonly Rollout[]
  /** The last good version where it is another than the present one: what serves meanwhile, and what a failure returns to. */
  readonly fallback: Fallback | null
  /** What becomes healthy or returns together: this workload, or all that its app's revision brought. */
  readonly unit: 'Workload' | 'App'
  /** Why its removal must wait; empty: now. */
  readonly removalWaits: readonly Reason[]
  /** Machines of its tasks that are drained or silent. */
  readonly machines: Machines
  /** Since when this leader leads. */
  readonly ledSince: Millis
}

export interface Fallback {
  readonly target: Target
  /** Slots that it would fill. */
  readonly slots: readonly string[]
}

/** The rollout that carries out what the record says now; null before it has begun. */
export function currentRollout({ rollouts: [newest], record }: Pick<WorkloadState, 'rollouts' | 'record'>): Rollout | null {
  return newest !== undefined && newest.generation === record.generation ? newest : null
}
