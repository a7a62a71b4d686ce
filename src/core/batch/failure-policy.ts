import type { FailureRule, RunSpec } from '../../model/batch.ts'
import { NOT_ITS_FAULT } from '../task-end.ts'
import { hasFailed, type TaskState } from '../task-state.ts'

type Action = FailureRule['action']

/** How a task came to its end, as far as a rule asks. */
interface Ending {
  readonly exitCode: number | null
  readonly reason: string
}

/** What a failed task means for its run: the first rule that fits, as in Kubernetes' podFailurePolicy; else it counts. */
export function actionFor({ taskFailurePolicy }: Pick<RunSpec, 'taskFailurePolicy'>, task: TaskState): Action {
  const ending = endingOf(task)
  return taskFailurePolicy?.rules.find((rule) => fits(rule, ending))?.action ?? 'Count'
}

/** One that was refused or lost has no attempt that could tell. */
function endingOf({ observed }: TaskState): Ending {
  const last = observed?.attempts.at(-1)
  return { exitCode: last?.exitCode ?? null, reason: last?.reason ?? observed?.reasons[0]?.code ?? observed?.phase ?? '' }
}

/** An exit code that nobody knows fits no rule about exit codes. */
function fits({ onExitCodes, onReasons }: FailureRule, { exitCode, reason }: Ending): boolean {
  if (onReasons !== undefined) return onReasons.includes(reason)
  if (onExitCodes === undefined || exitCode === null || exitCode === 0) return false
  return onExitCodes.values.includes(exitCode) === (onExitCodes.operator === 'In')
}

/**
 * Failed attempts of a task that its limit counts: those restarted in place, and a task that never got to one. A machine that
 * rebooted, or a runtime that killed its tasks as it restarted, is nobody's failure.
 */
export function countedFailures(spec: Pick<RunSpec, 'taskFailurePolicy'>, task: TaskState): number {
  const failures = Math.max(task.observed?.failures ?? 0, hasFailed(task) && !NOT_ITS_FAULT.has(endingOf(task).reason) ? 1 : 0)
  return failures > 0 && hasFailed(task) && actionFor(spec, task) === 'Ignore' ? 0 : failures
}
