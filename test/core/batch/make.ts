import { type RunContext, type RunPlan, stepRun } from '../../../src/core/batch/run-step.ts'
import type { TaskState } from '../../../src/core/task-state.ts'
import type { RunSpec } from '../../../src/model/batch.ts'
import type { RunId, TaskId } from '../../../src/model/ids.ts'
import type { Run } from '../../../src/model/records.ts'
import type { Observed, Task } from '../../../src/model/task.ts'
import { attempt, JOB_KEY, jobVersion, NOW, run, taskState } from '../../support/make.ts'

export const SECOND = 1000
export const MINUTE = 60_000
export const HOUR = 3_600_000
export const DAY = 86_400_000

/** What a run is, with every default. */
export const runSpec = (over: object = {}): RunSpec => jobVersion(over).spec as RunSpec

const RUN = 'default-migrate-x' as RunId

let made = 0

/** A task of the run, and what its machine said; `null`: nothing. */
export function of(slot: number | string, said: Partial<Observed> | null = null, over: Partial<Task> = {}): TaskState {
  made += 1
  return taskState({ id: `t${made}` as TaskId, workload: JOB_KEY, run: RUN, slot: String(slot), createdAt: NOW, ...over }, said)
}

const over = (phase: Observed['phase'], exitCode: number | null, at: number): Partial<Observed> => ({
  phase,
  ready: false,
  readySince: null,
  failures: phase === 'Failed' ? 1 : 0,
  attempts: [attempt(1, exitCode, at)],
  updatedAt: at,
})

export const running = (slot: number | string, task: Partial<Task> = {}): TaskState => of(slot, { phase: 'Running' }, task)
export const succeeded = (slot: number | string, at = NOW): TaskState => of(slot, over('Succeeded', 0, at))
export const failed = (slot: number | string, exitCode = 1, at = NOW): TaskState => of(slot, over('Failed', exitCode, at))
export const stopped = (slot: number | string, at = NOW): TaskState => of(slot, over('Stopped', 143, at), { desired: 'stop' })

export const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => make(index))

/** One look at the run. */
export function step(tasks: readonly TaskState[], { before = {}, ...over }: Partial<RunContext> & { before?: Partial<Run> } = {}): RunPlan {
  const context = { spec: runSpec(), tasks, busy: new Map(), machines: [], wish: 'Go' as const, now: NOW, ...over }
  return stepRun(run({ id: RUN, ...before }), context)
}

export const slotsOf = ({ create }: RunPlan): string[] => create.map(({ slot }) => slot)
