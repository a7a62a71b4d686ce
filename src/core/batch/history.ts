import type { CronJobSpec } from '../../model/batch.ts'
import type { Millis, RunId } from '../../model/ids.ts'
import type { Run } from '../../model/records.ts'
import { earliest } from '../earliest.ts'
import { buried, byNumber } from './run-record.ts'

/** Ended runs of a Job, and of a CronJob, whose results are kept. */
const JOB_RUNS_KEPT = 20
const CRON_RUNS_KEPT = 100
/** Ended runs of a Job whose tasks and logs stay. */
const JOB_RUNS_WITH_LOGS = 2

export interface History {
  /** Runs that are too old to be told in full. */
  readonly old: readonly Run[]
  /** When the next one will be. */
  readonly wakeAt: Millis | null
}

interface Kept {
  readonly most: number
  readonly ttlSecondsAfterFinished: number | undefined
  readonly now: Millis
}

/** Ended runs beyond the newest `most`, and those whose time is over. */
function historyOf(runs: readonly Run[], { most, ttlSecondsAfterFinished: ttl, now }: Kept): History {
  const newestFirst = runs.filter(({ finishedAt }) => finishedAt !== null).sort((a, b) => byNumber(b, a))
  const ends = (run: Run): Millis | null => (ttl === undefined || run.finishedAt === null ? null : run.finishedAt + ttl * 1000)
  const isOver = (run: Run): boolean => (ends(run) ?? Number.POSITIVE_INFINITY) <= now
  const old = newestFirst.filter((run, index) => index >= most || isOver(run))
  const left = newestFirst.filter((run) => !old.includes(run)).map(ends)
  return { old, wakeAt: earliest(...left) }
}

/** Of a Job the fact that it ran is kept for ever: whatever has come to an end must not run again because its record went. */
export function buryOld(
  runs: readonly Run[],
  { ttl, now }: { ttl: number | undefined; now: Millis },
): { runs: Run[]; wakeAt: Millis | null } {
  const open = runs.filter(({ buriedAt }) => buriedAt === null)
  const { old, wakeAt } = historyOf(open, { most: JOB_RUNS_KEPT, ttlSecondsAfterFinished: ttl, now })
  const gone = new Set(old)
  return { runs: runs.map((run) => (gone.has(run) ? buried(run, now) : run)), wakeAt }
}

/** Of a CronJob a mark in the schedule says what ran, so that its records may go. */
export function expired(runs: readonly Run[], spec: CronJobSpec, now: Millis): History {
  return historyOf(runs, { most: CRON_RUNS_KEPT, ttlSecondsAfterFinished: spec.jobTemplate.spec.ttlSecondsAfterFinished, now })
}

/** Runs of a Job whose ended tasks stay: those that go on, and the newest others. */
export function keptOfJob(runs: readonly Run[], present: Run): ReadonlySet<RunId> {
  const others = runs.filter(({ id, buriedAt }) => id !== present.id && buriedAt === null).sort((a, b) => byNumber(b, a))
  const newest = [...(present.buriedAt === null ? [present] : []), ...others].slice(0, JOB_RUNS_WITH_LOGS)
  return new Set([...newest, ...others.filter(({ finishedAt }) => finishedAt === null)].map(({ id }) => id))
}

/** Kubernetes' history limits; it deletes the runs themselves, which are small and say what happened. */
export function keptOfCron(runs: readonly Run[], spec: CronJobSpec): ReadonlySet<RunId> {
  const newestFirst = [...runs].sort((a, b) => byNumber(b, a))
  const ended = (phase: Run['phase'], most: number): Run[] =>
    newestFirst.filter((run) => run.finishedAt !== null && run.phase === phase).slice(0, most)
  const open = runs.filter(({ finishedAt }) => finishedAt === null)
  const kept = [...open, ...ended('Succeeded', spec.successfulJobsHistoryLimit), ...ended('Failed', spec.failedJobsHistoryLimit)]
  return new Set(kept.map(({ id }) => id))
}
