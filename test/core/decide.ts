import { expect } from 'vitest'
import { withRuns } from '../../src/core/batch/job.ts'
import type { Decision } from '../../src/core/decision.ts'
import { decisionViolations } from '../../src/core/invariants.ts'
import { reconcile } from '../../src/core/reconcile.ts'
import { goodNow } from '../../src/core/rollout/follow.ts'
import type { TaskState } from '../../src/core/task-state.ts'
import type { WorkloadState } from '../../src/core/workload.ts'
import type { TaskId } from '../../src/model/ids.ts'
import type { CronState, Run, Write } from '../../src/model/records.ts'
import type { Rollout } from '../../src/model/rollout.ts'
import type { Observed, Task } from '../../src/model/task.ts'
import { AGENT, digest, NOW, observed } from '../support/make.ts'

/** The state as it is once the writes are committed; null when the workload's record went. */
function applied(state: WorkloadState, writes: readonly Write[]): WorkloadState | null {
  const tasks = new Map(state.tasks.map((one) => [one.task.id as string, one]))
  const rollouts = new Map(state.rollouts.map((one) => [one.id, one]))
  let { record } = state
  const runs = new Map(state.runs.map((run) => [run.id as string, run]))
  let { cron } = state
  for (const write of writes) {
    if (write.table === 'workloads' && write.value === null) return null
    if (write.table === 'workloads') record = write.value as typeof record
    if (write.table === 'rollouts' && write.value === null) rollouts.delete(write.id)
    else if (write.table === 'rollouts') rollouts.set(write.id, write.value as Rollout)
    if (write.table === 'tasks' && write.value === null) tasks.delete(write.id)
    else if (write.table === 'tasks') tasks.set(write.id, { task: write.value as Task, observed: tasks.get(write.id)?.observed })
    const told = write.table === 'observed' ? tasks.get(write.id) : undefined
    if (told !== undefined && write.value !== null) tasks.set(write.id, { ...told, observed: write.value as Observed })
    if (write.table === 'runs' && write.value === null) runs.delete(write.id)
    else if (write.table === 'runs') runs.set(write.id, write.value as Run)
    if (write.table === 'schedules' && cron !== null) cron = { ...cron, state: write.value as CronState | null }
  }
  const newestFirst = [...rollouts.values()].sort((a, b) => b.number - a.number)
  return withFallback(sorted({ ...state, record, cron, rollouts: newestFirst, tasks: [...tasks.values()], runs: [...runs.values()] }))
}

/** As the control plane sorts the runs of a Job. */
export const sorted = (state: WorkloadState): WorkloadState => (state.version.kind === 'Job' ? withRuns(state, state.version.spec) : state)

/** The control plane reads it from the record. */
function withFallback(state: WorkloadState): WorkloadState {
  const { good, inputsDigest } = state.record
  return { ...state, fallback: good === null || good.inputsDigest === inputsDigest ? null : { target: good, slots: state.slots } }
}

/** Decides, and holds the decision to its promise: the same again changes nothing. */
export class Decider {
  state: WorkloadState
  now = NOW
  last: Decision = { writes: [], wakeAt: null }
  /** Every run as it was last written. */
  readonly runs = new Map<string, Run>()
  #ids = 0

  constructor(state: WorkloadState) {
    this.state = state
  }

  decide(): this {
    this.last = reconcile(this.state, this.#context())
    expect(decisionViolations(this.state, this.last.writes), 'what no decision may lead to').toEqual([])
    for (const write of this.last.writes) if (write.table === 'runs') this.runs.set(write.id, write.value as Run)
    const next = applied(this.state, this.last.writes)
    if (next === null) return this
    this.state = next
    expect(reconcile(next, this.#context()).writes, 'a second decision at the same moment changes nothing').toEqual([])
    return this
  }

  after(ms: number): this {
    this.now += ms
    return this.decide()
  }

  /** What the agent says next of a task, and what is decided then. */
  say(id: string, said: Partial<Observed>): this {
    return this.tell(id, said).decide()
  }

  /** Every wanted task gets ready. */
  allReady(): this {
    for (const { task } of this.live) this.tell(task.id, { phase: 'Running', ready: true, readySince: this.now })
    return this.decide()
  }

  /** What the agent says, before anything is decided. */
  tell(id: string, said: Partial<Observed>): this {
    const tell = (one: TaskState): TaskState =>
      one.task.id === id
        ? {
            task: { ...one.task, agent: one.task.agent ?? AGENT },
            observed: observed({ ready: false, ...one.observed, updatedAt: this.now, ...said, task: one.task.id }),
          }
        : one
    this.state = { ...this.state, tasks: this.state.tasks.map(tell) }
    return this
  }

  /** A new template for the workload. */
  template(word: string): this {
    const { generation } = this.state.record
    const good = goodNow(this.state.record, this.state.rollouts)
    const record = { ...this.state.record, good, templateDigest: digest(word), inputsDigest: digest(word), generation: generation + 1 }
    this.state = withFallback(sorted({ ...this.state, record }))
    return this.decide()
  }

  get live(): TaskState[] {
    return this.state.tasks.filter(
      ({ task, observed: said }) =>
        task.desired === 'run' && !['Failed', 'Succeeded', 'Stopped', 'Rejected', 'Lost'].includes(said?.phase ?? ''),
    )
  }

  get ids(): TaskId[] {
    return this.live.map(({ task }) => task.id)
  }

  /** Writes of the last decision about tasks and runs: what is more than bookkeeping. */
  get acts(): Write[] {
    return this.last.writes.filter(({ table }) => table === 'tasks' || table === 'observed' || table === 'runs')
  }

  get run(): Run | null {
    return this.state.run
  }

  #context() {
    return { now: this.now, newId: () => `${++this.#ids}` }
  }
}
