import type { TaskState } from '../../../../src/core/task-state.ts'
import type { RunSpec } from '../../../../src/model/batch.ts'

/** What a run is to come to at a look, worked out from every task it ever had and nothing else. */
export interface ExpectedRun {
  readonly phase: 'Pending' | 'Running' | 'Suspended' | 'Succeeded' | 'Failed'
  readonly reason: string | null
  readonly create: readonly { readonly slot: string; readonly maxRestarts: number }[]
}

export interface RunFacts {
  readonly spec: RunSpec
  readonly tasks: readonly TaskState[]
  /** Numbers in which another run may still have something running. */
  readonly busy: ReadonlySet<string>
  readonly machines: readonly string[]
  readonly wish: 'Go' | 'Wait' | 'Suspend'
  readonly startedAt: number | null
  readonly now: number
}

/** 10 s, doubled, at most 300 s; the first failure waits for nothing. */
const DELAYS = [0, 0, 10, 20, 40, 80, 160, 300]
const ORPHANS_GONE_AFTER = 60_000

const phaseOf = ({ observed }: TaskState): string => observed?.phase ?? 'Assigned'
const failed = (task: TaskState): boolean => ['Failed', 'Rejected', 'Lost'].includes(phaseOf(task))
const ended = (task: TaskState): boolean => failed(task) || ['Succeeded', 'Stopped'].includes(phaseOf(task))
/** Told to go for its machine's sake, and not gone yet. */
const leaving = (task: TaskState): boolean => task.task.stopReason !== null && mayRun(task, Number.POSITIVE_INFINITY)
const live = (task: TaskState): boolean => task.task.desired === 'run' && !ended(task)

/** Whether its machine may still run something of it. */
export function mayRun(task: TaskState, now: number): boolean {
  if (task.task.agent === null) return task.task.desired === 'run'
  if (!ended(task)) return true
  const { reasons = [], updatedAt = 0 } = task.observed ?? {}
  return phaseOf(task) === 'Lost' && reasons.some(({ code }) => code === 'AgentForgot') && now < updatedAt + ORPHANS_GONE_AFTER
}

function actionOf({ taskFailurePolicy }: RunSpec, { observed }: TaskState): string {
  const last = observed?.attempts.at(-1)
  const code = last?.exitCode ?? null
  const reason = last?.reason ?? observed?.reasons[0]?.code ?? observed?.phase
  for (const { action, onExitCodes, onReasons } of taskFailurePolicy?.rules ?? []) {
    if (onReasons?.includes(reason ?? '')) return action
    if (onExitCodes === undefined || code === null || code === 0) continue
    if (onExitCodes.operator === 'In' ? onExitCodes.values.includes(code) : !onExitCodes.values.includes(code)) return action
  }
  return 'Count'
}

function failuresOf(spec: RunSpec, task: TaskState): number {
  const told = task.observed?.failures ?? 0
  const why = task.observed?.attempts.at(-1)?.reason ?? ''
  if (!failed(task) || ['HostReboot', 'RuntimeRestart'].includes(why)) return told
  return actionOf(spec, task) === 'Ignore' ? 0 : Math.max(told, 1)
}

export function expectRun(facts: RunFacts): ExpectedRun {
  const { spec, tasks, machines, wish, startedAt } = facts
  if (wish === 'Suspend') return { phase: 'Suspended', reason: null, create: [] }
  if (wish === 'Wait' && startedAt === null && tasks.length === 0) return { phase: 'Pending', reason: null, create: [] }
  const slots = spec.mode === 'Global' ? machines : Array.from({ length: spec.completions }, (_, index) => String(index))
  const bySlot = new Map(slots.map((slot) => [slot, tasks.filter(({ task }) => task.slot === slot)]))
  const done = slots.filter((slot) => bySlot.get(slot)?.some((task) => phaseOf(task) === 'Succeeded'))
  const lost = slots.filter((slot) => !done.includes(slot) && isLost(spec, bySlot.get(slot) ?? []))
  const end = endOf(facts, { slots, done: done.length, lost: lost.length })
  if (end !== null) return { ...end, create: [] }
  const open = slots.filter((slot) => !done.includes(slot) && !lost.includes(slot))
  return { phase: 'Running', reason: null, create: creates(facts, open, bySlot) }
}

function isLost(spec: RunSpec, tasks: readonly TaskState[]): boolean {
  const limit = spec.backoffLimitPerIndex ?? Number.POSITIVE_INFINITY
  const failures = tasks.reduce((sum, task) => sum + failuresOf(spec, task), 0)
  return failures > limit || tasks.some((task) => failed(task) && actionOf(spec, task) === 'FailIndex')
}

function endOf(
  { spec, tasks, startedAt, now }: RunFacts,
  { slots, done, lost }: { slots: readonly string[]; done: number; lost: number },
): Pick<ExpectedRun, 'phase' | 'reason'> | null {
  const failure = (reason: string) => ({ phase: 'Failed' as const, reason })
  if (slots.length > 0 && done === slots.length) return { phase: 'Succeeded', reason: 'Completed' }
  if (tasks.some((task) => failed(task) && actionOf(spec, task) === 'FailJob')) return failure('TaskFailurePolicy')
  if (lost > (spec.maxFailedIndexes ?? Number.POSITIVE_INFINITY)) return failure('MaxFailedIndexesExceeded')
  if (lost > 0 && done + lost === slots.length) return failure('FailedIndexes')
  const failures = tasks.reduce((sum, task) => sum + failuresOf(spec, task), 0)
  if (spec.backoffLimitPerIndex === undefined && failures > spec.backoffLimit) return failure('BackoffLimitExceeded')
  const late = spec.activeDeadlineSeconds !== undefined && now >= (startedAt ?? now) + spec.activeDeadlineSeconds * 1000
  return late ? failure('DeadlineExceeded') : null
}

function creates(
  { spec, tasks, busy, now }: RunFacts,
  open: readonly string[],
  bySlot: ReadonlyMap<string, readonly TaskState[]>,
): ExpectedRun['create'] {
  const room = spec.mode === 'Global' ? open.length : spec.parallelism - tasks.filter(live).length
  const free = open.filter((slot) => {
    const own = bySlot.get(slot) ?? []
    if (own.some((task) => live(task) || leaving(task)) || dueAt(own) > now) return false
    return !spec.exclusive || !(busy.has(slot) || own.some((task) => mayRun(task, now)))
  })
  const all = tasks.reduce((sum, task) => sum + failuresOf(spec, task), 0)
  // With a limit for each index a machine restarts nothing by itself.
  const maxRestarts = spec.backoffLimitPerIndex === undefined ? spec.backoffLimit - all : 0
  return free.slice(0, Math.max(0, room)).map((slot) => ({ slot, maxRestarts }))
}

function dueAt(own: readonly TaskState[]): number {
  const bad = own.filter(failed)
  const count = bad.reduce((sum, { observed }) => sum + Math.max(1, observed?.failures ?? 0), 0)
  const last = Math.max(0, ...bad.map(({ observed }) => observed?.updatedAt ?? 0))
  return last + (DELAYS[Math.min(count, DELAYS.length - 1)] ?? 0) * 1000
}
