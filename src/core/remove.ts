import { bodyOf } from '../model/body.ts'
import type { Millis } from '../model/ids.ts'
import type { Write } from '../model/records.ts'
import { tasksOf } from './batch/plan-job.ts'
import { giveUp } from './batch/run-record.ts'
import type { Decision } from './decision.ts'
import { earliest } from './earliest.ts'
import { lostStops, lostWrites, withChangedTasks } from './given-up.ts'
import { overtaken } from './rollout/follow.ts'
import { isWanted, mayRunUntil } from './task-state.ts'
import { changedRun, deleteWrites, stopWrites } from './task-writes.ts'
import type { WorkloadState } from './workload.ts'

/** Tasks stop first; the record goes when no task is left that may still run. */
export function remove(given: WorkloadState, now: Millis): Decision {
  const overtook = overtaken(given, now).map((rollout): Write => ({ table: 'rollouts', id: rollout.id, value: rollout }))
  if (given.removalWaits.length > 0) return { writes: overtook, wakeAt: null }
  const silent = isExclusive(given) ? { lost: [], at: [] } : lostStops(given.tasks, given.machines, now)
  const state = { ...given, tasks: withChangedTasks(given.tasks, silent.lost) }
  const ended = state.runs.flatMap((run) => changedRun(run, giveUp(run, 'Removed', { tasks: tasksOf(state, run), now })))
  const until = state.tasks.filter(({ task }) => task.agent !== null).map(mayRunUntil)
  const last = Math.max(now, ...until)
  if (last > now) {
    const stops = stopWrites(
      state,
      state.tasks.filter(isWanted).map(({ task }) => task.id),
    )
    return {
      writes: [...overtook, ...ended, ...unscheduled(state), ...stops, ...lostWrites(silent.lost)],
      wakeAt: earliest(last === Number.POSITIVE_INFINITY ? null : last, ...silent.at),
    }
  }
  const record: Write = { table: 'workloads', id: state.record.key, value: null }
  const rollouts = state.rollouts.map(({ id }): Write => ({ table: 'rollouts', id, value: null }))
  const schedule: Write[] = state.cron?.state == null ? [] : [{ table: 'schedules', id: state.record.key, value: null }]
  return { writes: [...ended, ...state.tasks.flatMap(deleteWrites), ...rollouts, ...schedule, record], wakeAt: null }
}

/** Should it return before its last attempt is known to have ended, the next must not run beside that. */
function isExclusive({ version }: WorkloadState): boolean {
  const body = bodyOf(version)
  return 'exclusive' in body && body.exclusive
}

/** Slots that pass while it is on its way out are not wanted, should it return before it is gone. */
function unscheduled({ record, cron }: WorkloadState): Write[] {
  const mark = cron?.state ?? null
  return mark === null || mark.schedule === null ? [] : [{ table: 'schedules', id: record.key, value: { ...mark, schedule: null } }]
}
