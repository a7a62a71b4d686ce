import { mergeReasons } from '../../core/health.ts'
import { schedule } from '../../core/schedule/schedule.ts'
import type { AgentView, PendingGroup } from '../../core/schedule/types.ts'
import { isLive } from '../../core/task-state.ts'
import { groupBy } from '../../lib/group-by.ts'
import { must } from '../../lib/must.ts'
import type { AgentId, WorkloadKey } from '../../model/ids.ts'
import type { Reason } from '../../model/reason.ts'
import type { Task } from '../../model/task.ts'
import { type Cluster, isGlobal } from './cluster.ts'
import type { Term } from './term.ts'

export interface PlacingOutcome {
  readonly placed: readonly Task[]
  /** Why tasks of a workload have no machine; workloads that have none such are absent. */
  readonly unplaced: ReadonlyMap<WorkloadKey, readonly Reason[]>
}

const NOTHING: PlacingOutcome = { placed: [], unplaced: new Map() }

/** One batch: every pending task at once, grouped by workload and version. Without any, the agents are not looked at. */
export function placePending(cluster: Cluster, schedulable: (agent: AgentId) => 'Yes' | 'No', seed: number): PlacingOutcome {
  if (cluster.pending.size === 0) return NOTHING
  const pending = [...cluster.pending].map((id) => must(cluster.tasks.get(id), `pending task ${id}`))
  const result = schedule({ pending: groups(cluster, pending), agents: agentViews(cluster, schedulable), seed })
  const placed = result.placed.map(({ task, agent, ports }) => ({
    ...must(cluster.tasks.get(task), `task ${task}`),
    agent,
    ports: { ...ports },
  }))
  const reasons = new Map<WorkloadKey, Reason[]>()
  for (const item of result.unplaced) {
    const { workload } = must(cluster.tasks.get(item.task), `task ${item.task}`)
    reasons.set(workload, [...(reasons.get(workload) ?? []), ...item.reasons])
  }
  return { placed, unplaced: new Map([...reasons].map(([key, all]) => [key, mostOf(all)])) }
}

/** Counts are machines: of many alike tasks, the largest count a code, not the sum. */
function mostOf(reasons: readonly Reason[]): Reason[] {
  const largest = new Map<string, Reason>()
  for (const reason of reasons) {
    const before = largest.get(reason.code)
    if (before === undefined || reason.count > before.count) largest.set(reason.code, reason)
  }
  return mergeReasons([...largest.values()])
}

function groups(cluster: Cluster, pending: readonly Task[]): PendingGroup[] {
  const byVersion = groupBy(pending, (task) => `${task.workload} ${task.inputsDigest}`)
  return [...byVersion].map(([id, tasks]) => {
    const first = must(tasks[0], 'a group has a task')
    const bound = isGlobal(cluster.version(first.inputsDigest))
    return {
      id,
      workload: first.workload,
      createdAt: tasks.reduce((oldest, task) => Math.min(oldest, task.createdAt), first.createdAt),
      requirements: cluster.requirements(first.inputsDigest),
      tasks: tasks.map((task) => ({ id: task.id, agent: bound ? (task.slot as AgentId) : null })),
      existing: existing(cluster, first),
    }
  })
}

/** Tasks of the same template only: the old ones are on their way out, and start-first may put new beside old. */
function existing(cluster: Cluster, like: Task): Map<AgentId, number> {
  const counts = new Map<AgentId, number>()
  for (const state of cluster.tasksOfWorkload(like.workload)) {
    const { agent, templateDigest } = state.task
    if (agent !== null && templateDigest === like.templateDigest && isLive(state)) counts.set(agent, (counts.get(agent) ?? 0) + 1)
  }
  return counts
}

/** It is heard of, and nobody took it out of service. */
export function isSchedulable(agent: AgentId, { cluster, hub }: Pick<Term, 'cluster' | 'hub'>): 'Yes' | 'No' {
  return hub.standing(agent) === 'Ready' && cluster.agents.get(agent)?.maintenance == null ? 'Yes' : 'No'
}

export function agentViews(cluster: Cluster, schedulable: (agent: AgentId) => 'Yes' | 'No'): AgentView[] {
  return [...cluster.agents.values()].map(({ id, labels, drivers, capacity }) => ({
    id,
    labels,
    drivers,
    capacity,
    used: cluster.usageOf(id),
    schedulable: schedulable(id) === 'Yes',
  }))
}
