import { nextSlot } from '../../core/batch/calendar.ts'
import { countIndexes, parseIndexes } from '../../core/batch/index-set.ts'
import { byNumber, withAttempts } from '../../core/batch/run-record.ts'
import { completed, tallyOf } from '../../core/batch/tally.ts'
import { bodyOf } from '../../model/body.ts'
import { parseWorkloadKey } from '../../model/ids.ts'
import type { Run, WorkloadRecord } from '../../model/records.ts'
import type { RunView, WorkloadView } from '../../model/views.ts'
import { calendarOf } from '../leader/calendars.ts'
import type { Term } from '../leader/term.ts'
import { iso, isoOrNull } from './times.ts'

/** A run with what its tasks tell that its record does not say yet. */
export function runView(run: Run, { cluster }: Pick<Term, 'cluster'>): RunView {
  const { namespace, kind, name } = parseWorkloadKey(run.workload)
  const tasks = cluster.tasksOfWorkload(run.workload).filter(({ task }) => task.run === run.id)
  const { id, app, trigger, actor, graph, parents, phase, exitCode, reason, message, inputsDigest, revision, attempts } = withAttempts(
    run,
    tasks,
  )
  return {
    ...{ id, app, namespace, job: name, cronJob: kind === 'CronJob' ? name : null, slot: isoOrNull(run.slot) },
    ...{ trigger, actor, graph, parents, phase, exitCode, reason, message, inputsDigest, revision },
    succeeded: succeededOf(run, { cluster }),
    createdAt: iso(run.createdAt),
    startedAt: isoOrNull(run.startedAt),
    finishedAt: isoOrNull(run.finishedAt),
    attempts: attempts.map((attempt) => ({
      task: attempt.task,
      attempt: attempt.attempt,
      index: attempt.index,
      exitCode: attempt.exitCode,
      reason: attempt.reason,
      startedAt: isoOrNull(attempt.startedAt),
      finishedAt: iso(attempt.finishedAt),
    })),
    lastLines: run.lastLines,
  }
}

/** Completions reached: a run that ended says so in its record, but a Global one, whose slots are machines. */
function succeededOf(run: Run, { cluster }: Pick<Term, 'cluster'>): number {
  const counted = countIndexes(parseIndexes(run.succeeded))
  const version = cluster.versions.get(run.inputsDigest)
  const body = version === undefined ? null : bodyOf(version)
  if (run.finishedAt !== null && counted > 0) return counted
  if (body === null || !('completions' in body))
    return new Set(run.attempts.flatMap(({ task, exitCode }) => (exitCode === 0 ? [task] : []))).size
  const tasks = cluster.tasksOfWorkload(run.workload).filter(({ task }) => task.run === run.id)
  const machines = tasks.map(({ task }) => task.slot)
  return completed(tallyOf(run, body, tasks), body, [...new Set(machines)])
}

/** When a CronJob runs next, and what became of it so far; null for anything else. */
export function scheduleView({ key, inputsDigest }: WorkloadRecord, { cluster, now }: Term): WorkloadView['schedule'] {
  const version = cluster.version(inputsDigest)
  if (version.kind !== 'CronJob') return null
  const { schedule, timeZone, suspend } = version.spec
  const state = cluster.schedules.get(key)
  const calendar = schedule === undefined || suspend ? null : calendarOf(schedule, timeZone)
  const next = calendar === null ? null : nextSlot(calendar, Math.max(now(), state?.through ?? 0))
  const last = cluster.runsOfWorkload(key).sort(byNumber).at(-1)
  return {
    nextRun: isoOrNull(next),
    lastRun: last?.id ?? null,
    missed: state?.missed ?? 0,
    lastMissed: isoOrNull(state?.lastMissed ?? null),
  }
}
