import type { Run } from '../model/records.ts'
import { hasFailed, isTerminal, type TaskState } from './task-state.ts'

/** Ended tasks kept per workload, so that logs and exit codes of the last ones can still be read. */
const KEPT_STOPPED = 3
const KEPT_FAILED = 5

/** Ended tasks that nothing needs any more; their agents then remove every trace of them. */
export function expendable(tasks: readonly TaskState[], run: Run | null): TaskState[] {
  const ended = tasks.filter((state) => isEnded(state) && (run === null || state.task.run !== run.id)).toSorted(newestFirst)
  const failed = ended.filter(hasFailed)
  const others = ended.filter((state) => !hasFailed(state))
  return [...failed.slice(KEPT_FAILED), ...others.slice(KEPT_STOPPED)]
}

/** It ended, or was told to stop before it ever had a machine. */
function isEnded(state: TaskState): boolean {
  return isTerminal(state) || (state.task.desired === 'stop' && state.task.agent === null)
}

function newestFirst(a: TaskState, b: TaskState): number {
  return b.task.createdAt - a.task.createdAt || (a.task.id < b.task.id ? -1 : 1)
}
