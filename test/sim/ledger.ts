import type { FakeRecord } from '../../runtime/drivers/fake/machine.ts'
import { exitAt } from '../../runtime/drivers/fake/script.ts'
import type { Millis, TaskId } from '../../src/model/ids.ts'
import type { AgentNode } from './agent-node.ts'

/** One attempt that really started, as it stands now. */
export interface Started {
  readonly agent: AgentNode
  record: FakeRecord
}

/** What really ran, where and until when. The product never reads it, so that it can be held against what the product says. */
export class Ledger {
  readonly #byTask = new Map<TaskId, Started[]>()
  readonly #running = new Map<AgentNode, Set<Started>>()

  started(agent: AgentNode, record: FakeRecord): void {
    const entry: Started = { agent, record }
    this.#byTask.set(record.task as TaskId, [...this.of(record.task as TaskId), entry])
    this.#running.set(agent, (this.#running.get(agent) ?? new Set()).add(entry))
  }

  stopped(agent: AgentNode, record: FakeRecord): void {
    const entry = this.attempt(agent, record)
    if (entry !== undefined) entry.record = record
  }

  /** In order of their starts. */
  of(task: TaskId): readonly Started[] {
    return this.#byTask.get(task) ?? []
  }

  attempt(agent: AgentNode, { task, attempt }: { readonly task: string; readonly attempt: number }): Started | undefined {
    return this.of(task as TaskId).findLast((one) => one.agent === agent && one.record.attempt === attempt)
  }

  /** What runs on a machine at `now`, which only grows. */
  runningOn(agent: AgentNode, now: Millis): Started[] {
    const running = this.#running.get(agent) ?? new Set()
    for (const entry of running) if (!isRunning(entry, now)) running.delete(entry)
    return [...running]
  }
}

export const isRunning = ({ agent, record }: Started, now: Millis): boolean =>
  record.startedAt !== null && exitAt(record, agent.steady(now)) === null
