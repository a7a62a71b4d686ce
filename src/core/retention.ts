import type { Digest } from '../model/ids.ts'
import type { Run } from '../model/records.ts'
import { hasFailed, isOver, oldestFirst, type TaskState } from './task-state.ts'

/** Ended tasks kept per workload, so that logs and exit codes of the last ones can still be read. */
const KEPT_STOPPED = 3
const KEPT_FAILED = 5

/** Failures kept of each slot: the delay before the next try grows with them, up to 80 s. */
export const KEPT_FOR_BACKOFF = 5

/** What may not be forgotten yet: the run of a Job counts its failures, a slot of a Deployment its own. */
export interface Needed {
  readonly run: Run | null
  readonly templateDigest: Digest
  readonly slots: readonly string[]
}

/** Ended tasks that nothing needs any more; their agents then remove every trace of them. */
export function expendable(tasks: readonly TaskState[], needed: Needed): TaskState[] {
  const ended = tasks.filter((state) => isOver(state) && (needed.run === null || state.task.run !== needed.run.id)).sort(newestFirst)
  const backingOff = new Set(needed.slots.flatMap(failuresBySlot(ended, needed.templateDigest)))
  const failed = ended.filter((state) => hasFailed(state) && !backingOff.has(state))
  const others = ended.filter((state) => !hasFailed(state))
  return [...failed.slice(Math.max(0, KEPT_FAILED - backingOff.size)), ...others.slice(KEPT_STOPPED)]
}

function failuresBySlot(ended: readonly TaskState[], templateDigest: Digest): (slot: string) => TaskState[] {
  const bySlot = new Map<string, TaskState[]>()
  for (const state of ended.filter((one) => hasFailed(one) && one.task.templateDigest === templateDigest))
    bySlot.set(state.task.slot, [...(bySlot.get(state.task.slot) ?? []), state])
  return (slot) => (bySlot.get(slot) ?? []).slice(0, KEPT_FOR_BACKOFF)
}

const newestFirst = (a: TaskState, b: TaskState): number => -oldestFirst(a, b)
