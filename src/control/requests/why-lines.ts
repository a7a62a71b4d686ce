import { isTerminal, type TaskState } from '../../core/task-state.ts'
import type { Digest, Millis } from '../../model/ids.ts'
import type { Reason } from '../../model/reason.ts'
import type { WorkloadRecord } from '../../model/records.ts'
import type { TaskView, WhyView } from '../../model/views.ts'
import type { Term } from '../leader/term.ts'
import { iso } from './times.ts'
import { taskView } from './views.ts'

/** One link of the chain that `why` tells: what it is about, and what is so. */
export type Line = WhyView['lines'][number]

export const lineOf = (about: string, reason: Reason, until: Millis | null = null): Line => ({
  about,
  reasons: [reason],
  until: until === null ? null : iso(until),
})

export function workloadLines(record: WorkloadRecord, term: Term): Line[] {
  const reasons = term.healths.get(record.key)?.reasons ?? []
  return reasons.length === 0 ? [] : [{ about: record.key, reasons: [...reasons], until: null }]
}

interface TasksContext {
  /** What they should run: one that ended with another is nobody's trouble any more. */
  readonly templateDigest: Digest
  readonly term: Term
  readonly now: Millis
}

/** Those that are not simply running, each with its own reasons and the end of its back-off. */
export function taskLines(states: readonly TaskState[], { templateDigest, term, now }: TasksContext): Line[] {
  return states.flatMap((state): Line[] => {
    const view = taskView(state, term)
    const abandoned = isTerminal(state) && state.task.templateDigest !== templateDigest
    if (view.desired === 'stop' || abandoned || view.reasons.length === 0) return []
    return [taskLine(state, view, now)]
  })
}

export function taskLine({ observed }: TaskState, { id, phase, reasons }: TaskView, now: Millis): Line {
  const until = observed?.backoffUntil ?? null
  return { about: `task/${id} ${phase}`, reasons, until: until !== null && until > now ? iso(until) : null }
}
