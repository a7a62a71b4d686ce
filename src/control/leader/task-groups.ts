import { isLive, isUnplaced, type TaskState } from '../../core/task-state.ts'
import type { AgentId, Digest, TaskId, WorkloadKey } from '../../model/ids.ts'
import type { Task } from '../../model/task.ts'

/** Tasks of one workload and template, which ask the same of a machine: those that wait for one, in the order in which they came. */
export interface WaitingGroup {
  readonly id: string
  readonly workload: WorkloadKey
  readonly templateDigest: Digest
  /** They may go anywhere. */
  readonly tasks: ReadonlySet<TaskId>
  /** Each has one agent to go to. */
  readonly bound: ReadonlyMap<TaskId, AgentId>
}

interface OpenGroup extends WaitingGroup {
  readonly tasks: Set<TaskId>
  readonly bound: Map<TaskId, AgentId>
}

type Grouped = Pick<Task, 'workload' | 'templateDigest'>

const idOf = ({ workload, templateDigest }: Grouped): string => `${workload} ${templateDigest}`

/** What the scheduler asks of groups, kept up to date task by task: who waits, and on which agents the live ones are. */
export class TaskGroups {
  readonly #waiting = new Map<WorkloadKey, Map<string, OpenGroup>>()
  readonly #live = new Map<string, Map<AgentId, number>>()

  /** Every group with a task that waits. */
  waiting(): WaitingGroup[] {
    return [...this.#waiting.values()].flatMap((groups) => [...groups.values()])
  }

  waitingOf(workload: WorkloadKey): WaitingGroup[] {
    return [...(this.#waiting.get(workload)?.values() ?? [])]
  }

  /** The group of a task, if any of it waits. */
  waitingWith(task: Grouped): WaitingGroup | undefined {
    return this.#waiting.get(task.workload)?.get(idOf(task))
  }

  /** How many live tasks of a group each agent has. */
  liveOf(group: Grouped): ReadonlyMap<AgentId, number> {
    return this.#live.get(idOf(group)) ?? new Map()
  }

  /** `boundTo`: the one agent it may go to while it waits; null: any. */
  add(state: TaskState, boundTo: AgentId | null): void {
    const { task } = state
    if (!isUnplaced(task)) this.#count(state, 1)
    else if (boundTo === null) this.#open(task).tasks.add(task.id)
    else this.#open(task).bound.set(task.id, boundTo)
  }

  remove(state: TaskState): void {
    const { task } = state
    if (isUnplaced(task)) this.#leave(task)
    else this.#count(state, -1)
  }

  #open(task: Task): OpenGroup {
    const { workload, templateDigest } = task
    const groups = this.#waiting.get(workload) ?? new Map<string, OpenGroup>()
    this.#waiting.set(workload, groups)
    const id = idOf(task)
    const group = groups.get(id) ?? { id, workload, templateDigest, tasks: new Set(), bound: new Map() }
    groups.set(id, group)
    return group
  }

  #leave(task: Task): void {
    const groups = this.#waiting.get(task.workload)
    const group = groups?.get(idOf(task))
    group?.tasks.delete(task.id)
    group?.bound.delete(task.id)
    if (group !== undefined && group.tasks.size + group.bound.size === 0) groups?.delete(group.id)
    if (groups?.size === 0) this.#waiting.delete(task.workload)
  }

  #count(state: TaskState, by: 1 | -1): void {
    const { agent } = state.task
    if (agent === null || !isLive(state)) return
    const id = idOf(state.task)
    const counts = this.#live.get(id) ?? new Map<AgentId, number>()
    const count = (counts.get(agent) ?? 0) + by
    if (count === 0) counts.delete(agent)
    else counts.set(agent, count)
    if (counts.size === 0) this.#live.delete(id)
    else this.#live.set(id, counts)
  }
}
