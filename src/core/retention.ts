import type { Run } from '../model/records.ts'
import { hasFailed, isTerminal, type TaskState } from './task-state.ts'

/** Ended tasks kept per workload, so that logs and exit codes of the last ones can still be read. */
const KEPT_STOPPED = 3
/** Kept per slot, for the delay before the next task of a slot grows with the failures that are remembered there. */
const KEPT_FAILED = 5

/** Ended tasks that nothing needs any more; their agents then remove every trace of them. */
export function expendable(tasks: readonly TaskState[], run: Run | null): TaskState[] {
  const ended = tasks.filter((state) => isEnded(state) && (run === null || state.task.run !== run.id)).toSorted(newestFirst)
  const failed = ended.filter(hasFailed)
  const others = ended.filter((state) => !hasFailed(state))
  return [...surplusFailed(failed), ...others.slice(KEPT_STOPPED)]
}

function surplusFailed(newestFirst: readonly TaskState[]): TaskState[] {
  const kept = new Map<string, number>()
  return newestFirst.filter(({ task }) => {
    const newer = kept.get(task.slot) ?? 0
    kept.set(task.slot, newer + 1)
    return newer >= KEPT_FAILED
  })
}

/** It ended, or was told to stop before it ever had a machine. */
function isEnded(state: TaskState): boolean {
  return isTerminal(state) || (state.task.desired === 'stop' && state.task.agent === null)
}

function newestFirst(a: TaskState, b: TaskState): number {
  return b.task.createdAt - a.task.createdAt || (a.task.id < b.task.id ? -1 : 1)
}
