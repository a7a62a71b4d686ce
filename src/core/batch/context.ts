import type { Calendar } from '../../model/calendar.ts'
import type { Digest } from '../../model/ids.ts'
import type { CronState, Run } from '../../model/records.ts'
import type { WorkloadVersion } from '../../model/version.ts'

/** What starts a CronJob beside what git says of it. */
export interface CronOccasions {
  /** Null before its first look. */
  readonly state: CronState | null
  /** Null when it starts after others, or when nobody here knows its time zone. */
  readonly calendar: Calendar | null
  /** Runs of each CronJob that it starts after. */
  readonly parents: readonly (readonly Run[])[]
}

/** What a run was started with. */
export interface RunInputs {
  readonly version: WorkloadVersion
  /** What a Global run has a completion for; none of any other. */
  readonly machines: readonly string[]
}

/** What a CronJob is decided by beside its record. */
export interface CronContext extends CronOccasions {
  /** What runs that go on were started with, by inputs digest. */
  readonly going: ReadonlyMap<Digest, RunInputs>
}
