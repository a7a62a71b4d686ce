import type { Millis, RunId, TaskId } from '../../model/ids.ts'
import type { CronState, Run } from '../../model/records.ts'
import type { Target } from '../../model/rollout.ts'
import type { Leaving } from './leave.ts'

/** A task to be made for a run. */
interface NewTask {
  readonly run: RunId
  readonly slot: string
  readonly maxRestarts: number
  readonly target: Target
}

/** What a look at a Job or a CronJob comes to. */
export interface BatchPlan {
  /** Runs as they should be recorded now; those that are not named stay as they are. */
  readonly runs: readonly Run[]
  /** Runs whose records go. */
  readonly drop: readonly RunId[]
  /** How far the schedule is decided; null for a Job. */
  readonly schedule: CronState | null
  readonly create: readonly NewTask[]
  readonly stop: readonly TaskId[]
  /** Tasks that their machines cannot keep. */
  readonly leaving: Leaving
  /** Runs whose ended tasks stay, for their logs. */
  readonly keep: ReadonlySet<RunId>
  /** Ended tasks of these runs that go all the same. */
  readonly forget: readonly TaskId[]
  readonly wakeAt: Millis | null
}
