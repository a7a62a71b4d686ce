import { isTerminal, isUnplaced, type TaskState } from '../../core/task-state.ts'
import { groupBy } from '../../lib/group-by.ts'
import { must } from '../../lib/must.ts'
import type { Digest, Millis } from '../../model/ids.ts'
import type { Reason } from '../../model/reason.ts'
import type { WorkloadRecord } from '../../model/records.ts'
import type { TaskView, WhyView } from '../../model/views.ts'
import { reasonsOf, type Term } from '../leader/term.ts'
import { queuedReasons } from './queue-place.ts'
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
  const reasons = reasonsOf(record.key, term)
  return reasons.length === 0 ? [] : [{ about: record.key, reasons, until: null }]
}

interface TasksContext {
  /** What they should run: one that ended with another is nobody's trouble any more. */
  readonly templateDigest: Digest
  readonly term: Term
  readonly now: Millis
}

/** Those that are not simply running, each with its own reasons and the end of its back-off; those that wait for a machine all together. */
export function taskLines(states: readonly TaskState[], { templateDigest, term, now }: TasksContext): Line[] {
  const begun = states.flatMap((state): Line[] => {
    if (state.task.agent === null) return []
    const view = taskView(state, term)
    const abandoned = isTerminal(state) && state.task.templateDigest !== templateDigest
    if (view.desired === 'stop' || abandoned || view.reasons.length === 0) return []
    return [taskLine(state, view, now)]
  })
  return [...waitingLines(states, term), ...begun]
}

/** Of one template they are alike, and there may be many. */
function waitingLines(states: readonly TaskState[], term: Term): Line[] {
  const waiting = states.map(({ task }) => task).filter(isUnplaced)
  return [...groupBy(waiting, ({ templateDigest }) => templateDigest).values()].map((tasks) => {
    const first = must(tasks[0], 'a group has a task')
    const reasons = [...(term.unplaced.get(first.workload) ?? []), ...queuedReasons(first, 'Group', term.cluster)]
    return { about: tasks.length === 1 ? `task/${first.id} Pending` : `${tasks.length} tasks Pending`, reasons, until: null }
  })
}

export function taskLine({ observed }: TaskState, { id, phase, reasons }: TaskView, now: Millis): Line {
  const until = observed?.backoffUntil ?? null
  return { about: `task/${id} ${phase}`, reasons, until: until !== null && until > now ? iso(until) : null }
}
