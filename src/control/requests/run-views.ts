import { countWritten } from '../../core/batch/index-set.ts'
import { byNumber, withAttempts } from '../../core/batch/run-record.ts'
import { completed, tallyOf } from '../../core/batch/tally.ts'
import { nextSlot } from '../../core/calendar/calendar.ts'
import type { TaskState } from '../../core/task-state.ts'
import type { RunSpec } from '../../model/batch.ts'
import { bodyOf } from '../../model/body.ts'
import { parseWorkloadKey } from '../../model/ids.ts'
import type { Run, WorkloadRecord } from '../../model/records.ts'
import type { AttemptRecord } from '../../model/task.ts'
import type { AttemptView, RunView, WorkloadView } from '../../model/views.ts'
import { calendarOf } from '../leader/calendars.ts'
import type { Term } from '../leader/term.ts'
import { iso, isoOrNull } from './times.ts'

/** A run with what its tasks tell that its record does not say yet. */
export function runView(run: Run, { cluster }: Pick<Term, 'cluster'>): RunView {
  const { namespace, kind, name } = parseWorkloadKey(run.workload)
  const tasks = cluster.tasksOfRun(run.id)
  const body = bodyOfRun(run, cluster)
  const { id, app, trigger, actor, graph, parents, phase, exitCode, reason, message, revision, attempts } = withAttempts(run, tasks)
  return {
    ...{ id, app, namespace, job: name, cronJob: kind === 'CronJob' ? name : null, number: run.number, slot: isoOrNull(run.slot) },
    ...{ trigger, actor, graph, parents, phase, exitCode, reason, message, revision },
    inputsDigest: cluster.inputsNow(run),
    succeeded: succeededOf(run, tasks, body),
    completions: completionsOf(body),
    createdAt: iso(run.createdAt),
    startedAt: isoOrNull(run.startedAt),
    finishedAt: isoOrNull(run.finishedAt),
    attempts: attempts.map(({ task, index, ...record }) => ({ task, index, ...attemptView(record) })),
    lastLines: run.lastLines,
  }
}

export function attemptView({ startedAt, finishedAt, ...rest }: AttemptRecord): AttemptView {
  return { ...rest, startedAt: isoOrNull(startedAt), finishedAt: iso(finishedAt) }
}

/** What it runs; null once nobody needs that any more. */
function bodyOfRun(run: Run, cluster: Term['cluster']): RunSpec | null {
  const version = cluster.versions.get(cluster.inputsNow(run))
  const body = version === undefined ? null : bodyOf(version)
  return body !== null && 'completions' in body ? body : null
}

/** How many a run is to reach, where that does not hang on the machines of the moment and is still known. */
const completionsOf = (body: RunSpec | null): number | null => (body === null || body.mode === 'Global' ? null : body.completions)

/** Completions reached: a run that ended says so in its record, but a Global one, whose slots are machines. */
function succeededOf(run: Run, tasks: readonly TaskState[], body: RunSpec | null): number {
  if (run.finishedAt !== null && run.succeeded !== '') return countWritten(run.succeeded)
  if (body === null) return new Set(run.attempts.flatMap(({ task, exitCode }) => (exitCode === 0 ? [task] : []))).size
  const machines = new Set(tasks.map(({ task }) => task.slot))
  return completed(tallyOf(run, body, tasks), body, [...machines])
}

/** When a CronJob runs next, and what became of it so far; null for anything else. */
export function scheduleView({ key, inputsDigest }: WorkloadRecord, { cluster, now }: Term): WorkloadView['schedule'] {
  const version = cluster.version(inputsDigest)
  if (version.kind !== 'CronJob') return null
  const { schedule, timeZone, suspend, concurrencyPolicy, after = [] } = version.spec
  const state = cluster.schedules.get(key)
  const calendar = schedule === undefined || suspend ? null : calendarOf(schedule, timeZone)
  const next = calendar === null ? null : nextSlot(calendar, Math.max(now(), state?.through ?? 0))
  const runs = cluster.runsOfWorkload(key).sort(byNumber)
  const last = runs.at(-1)
  return {
    ...{ schedule: schedule ?? null, timeZone: schedule === undefined ? null : timeZone, after, suspend, concurrencyPolicy },
    nextRun: isoOrNull(next),
    lastRun: last?.id ?? null,
    lastPhase: last?.phase ?? null,
    lastStartedAt: isoOrNull(last?.startedAt ?? null),
    active: runs.filter(({ finishedAt }) => finishedAt === null).map(({ id }) => id),
    missed: state?.missed ?? 0,
    lastMissed: isoOrNull(state?.lastMissed ?? null),
    through: isoOrNull(state?.through ?? null),
  }
}
