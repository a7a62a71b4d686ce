import type { CronJobSpec } from '../../model/batch.ts'
import type { Millis, RunId } from '../../model/ids.ts'
import type { Run } from '../../model/records.ts'
import { earliest } from '../earliest.ts'
import { bury, byNumber } from './run-record.ts'

/** Ended runs of a Job, and of a CronJob, whose results are kept. */
const JOB_RUNS_KEPT = 20
const CRON_RUNS_KEPT = 100
/** Ended runs of a Job whose tasks and logs stay. */
const JOB_RUNS_WITH_LOGS = 2

export interface History {
  /** All that are left; those that are told in full no more are buried. */
  readonly runs: readonly Run[]
  /** Those whose records go. */
  readonly drop: readonly RunId[]
  /** When the next one is too old. */
  readonly wakeAt: Millis | null
}

interface Age {
  readonly ttl: number | undefined
  readonly now: Millis
}

/** Of a Job the fact that it ran is kept for ever: whatever has come to an end must not run again because its record went. */
export function buryOld(runs: readonly Run[], age: Age): History {
  return buried(runs, { most: JOB_RUNS_KEPT, ...age })
}

/**
 * Of a CronJob a mark in the schedule says what ran, so that old records may go. What is too old by the clock is only
 * buried, for others may be to start after it; and none goes while a parent's run of its graph is there, which it has followed.
 */
export function expired(runs: readonly Run[], { parents, ...age }: Age & { parents: readonly (readonly Run[])[] }): History {
  const { runs: left, wakeAt } = buried(runs, { most: CRON_RUNS_KEPT, ...age })
  const graphs = new Set(parents.flatMap((all) => all.map(({ graph }) => graph)))
  const ended = left.filter(({ finishedAt }) => finishedAt !== null).sort((a, b) => byNumber(b, a))
  const gone = new Set(ended.slice(CRON_RUNS_KEPT).filter(({ graph }) => graph === null || !graphs.has(graph)))
  return { runs: left.filter((run) => !gone.has(run)), drop: [...gone].map(({ id }) => id), wakeAt }
}

/** Ended runs beyond the newest `most`, and those whose time is over, are buried. */
function buried(runs: readonly Run[], { most, ttl, now }: Age & { most: number }): History {
  const ended = runs.filter(({ finishedAt, buriedAt }) => finishedAt !== null && buriedAt === null).sort((a, b) => byNumber(b, a))
  const endOf = ({ finishedAt }: Run): Millis | null => (ttl === undefined || finishedAt === null ? null : finishedAt + ttl * 1000)
  const old = new Set(ended.filter((run, index) => index >= most || (endOf(run) ?? Number.POSITIVE_INFINITY) <= now))
  const wakeAt = earliest(...ended.filter((run) => !old.has(run)).map(endOf))
  return { runs: runs.map((run) => (old.has(run) ? bury(run, now) : run)), drop: [], wakeAt }
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
    newestFirst.filter((run) => run.finishedAt !== null && run.buriedAt === null && run.phase === phase).slice(0, most)
  const open = runs.filter(({ finishedAt }) => finishedAt === null)
  const kept = [...open, ...ended('Succeeded', spec.successfulJobsHistoryLimit), ...ended('Failed', spec.failedJobsHistoryLimit)]
  return new Set(kept.map(({ id }) => id))
}
