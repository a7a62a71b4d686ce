import type { Digest, Millis } from '../model/ids.ts'
import type { BatchPlan } from './batch/plan.ts'
import { hasFailed, isOver, mayRunUntil, oldestFirst, type TaskState } from './task-state.ts'

/** Ended tasks kept per workload, so that logs and exit codes of the last ones can still be read. */
const KEPT_STOPPED = 3
const KEPT_FAILED = 5

/** Failures kept of each slot: the delay before the next try grows with them, up to 80 s. */
export const KEPT_FOR_BACKOFF = 5

/** What of a Deployment may not be forgotten yet: a slot counts its failures. */
interface Needed {
  readonly templateDigest: Digest
  readonly slots: readonly string[]
}

/** Ended tasks that nothing needs any more; their agents then remove every trace of them. */
export function expendable(tasks: readonly TaskState[], needed: Needed): TaskState[] {
  const ended = tasks.filter(isOver).sort(newestFirst)
  const backingOff = new Set(needed.slots.flatMap(failuresBySlot(ended, needed.templateDigest)))
  const failed = ended.filter((state) => hasFailed(state) && !backingOff.has(state))
  const others = ended.filter((state) => !hasFailed(state))
  return [...failed.slice(Math.max(0, KEPT_FAILED - backingOff.size)), ...others.slice(KEPT_STOPPED)]
}

/** Ended tasks of runs that are kept without them, and those that their run's record counts already; none that `exclusive` may wait for. */
export function ofOldRuns(tasks: readonly TaskState[], { keep, forget }: Pick<BatchPlan, 'keep' | 'forget'>, now: Millis): TaskState[] {
  const forgotten = new Set(forget)
  const isOld = ({ task }: TaskState): boolean => task.run === null || !keep.has(task.run) || forgotten.has(task.id)
  return tasks.filter((state) => mayRunUntil(state) <= now && isOld(state))
}

function failuresBySlot(ended: readonly TaskState[], templateDigest: Digest): (slot: string) => TaskState[] {
  const bySlot = new Map<string, TaskState[]>()
  for (const state of ended.filter((one) => hasFailed(one) && one.task.templateDigest === templateDigest))
    bySlot.set(state.task.slot, [...(bySlot.get(state.task.slot) ?? []), state])
  return (slot) => (bySlot.get(slot) ?? []).slice(0, KEPT_FOR_BACKOFF)
}

const newestFirst = (a: TaskState, b: TaskState): number => -oldestFirst(a, b)
