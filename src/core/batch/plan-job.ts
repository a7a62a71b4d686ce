import type { JobSpec } from '../../model/batch.ts'
import type { Millis } from '../../model/ids.ts'
import type { Run } from '../../model/records.ts'
import { earliest } from '../earliest.ts'
import { isLive, type TaskState } from '../task-state.ts'
import type { WorkloadState } from '../workload.ts'
import { buryOld, keptOfJob } from './history.ts'
import { presentRun } from './job.ts'
import { leavingTasks, withLeaving } from './leave.ts'
import type { BatchPlan } from './plan.ts'
import { giveUp } from './run-record.ts'
import { slotsInUse, stepRun } from './run-step.ts'

/** One look at a Job: its run, which attempts to add, which tasks to stop. Runs of earlier templates give way to it. */
export function planJob(given: WorkloadState, spec: JobSpec, now: Millis): BatchPlan {
  const leaving = leavingTasks(given.tasks, given.machines, { spec, now })
  const state = { ...given, tasks: withLeaving(given.tasks, leaving) }
  const present = presentRun(state, spec, now)
  const others = state.tasks.filter(({ task }) => task.run !== present.id)
  const tasks = tasksOf(state, present)
  // The others end now, and of those that have no machine nothing is left.
  const busy = slotsInUse(
    others.filter(({ task }) => task.agent !== null),
    now,
  )
  const step = stepRun(present, { spec, tasks, busy, machines: state.slots, wish: wishOf(state, spec), now })
  const stale = state.staleRuns.map((run) => giveUp(run, 'Superseded', { tasks: tasksOf(state, run), now }))
  const history = buryOld(withChanged(state.runs, [...stale, step.run]), { ttl: spec.ttlSecondsAfterFinished, now })
  return {
    runs: history.runs,
    drop: [],
    schedule: null,
    create: step.create.map((place) => ({ ...place, run: present.id, target: state.record })),
    stop: [...others.filter(isLive).map(({ task }) => task.id), ...step.stop],
    leaving,
    keep: keptOfJob(history.runs, history.runs.find(({ id }) => id === present.id) ?? step.run),
    forget: step.forget,
    wakeAt: earliest(step.wakeAt, history.wakeAt, leaving.wakeAt),
  }
}

/** What git brings back runs on while nobody has said what that means, but it starts nothing. */
function wishOf({ unmet, blocked }: WorkloadState, { suspend }: JobSpec): 'Go' | 'Wait' | 'Suspend' {
  if (suspend) return 'Suspend'
  return unmet.length > 0 || blocked === 'Yes' ? 'Wait' : 'Go'
}

export const tasksOf = ({ tasks }: Pick<WorkloadState, 'tasks'>, run: Run): TaskState[] => tasks.filter(({ task }) => task.run === run.id)

/** With some of them as they are now, and others that are new. */
export function withChanged(runs: readonly Run[], changed: readonly Run[]): Run[] {
  const byId = new Map([...runs, ...changed].map((run) => [run.id, run]))
  return [...byId.values()]
}
