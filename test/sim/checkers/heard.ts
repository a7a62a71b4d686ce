import type { TaskState } from '../../../src/core/task-state.ts'
import type { Millis } from '../../../src/model/ids.ts'
import type { Task } from '../../../src/model/task.ts'
import type { Mirror } from '../mirror.ts'

/** Tasks as they count for availability and surge: those on machines that nothing is heard of serve nobody, and have successors beside them. */
export const asHeard =
  (mirror: Mirror) =>
  (state: TaskState): TaskState => {
    const { agent } = state.task
    const silent = agent !== null && mirror.table('agents').get(agent)?.silence != null
    return silent ? { ...state, machine: 'Absent' } : state
  }

/** It was stopped because it had not left its machine by the deadline of a drain: then no budget holds. */
export function isOverdueOnDrain({ agent, stopReason }: Task, mirror: Mirror, now: Millis): boolean {
  const maintenance = agent === null ? null : mirror.table('agents').get(agent)?.maintenance
  return stopReason === 'Drained' && maintenance?.deadlineAt != null && maintenance.deadlineAt <= now
}
