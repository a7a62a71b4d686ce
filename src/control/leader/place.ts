import { mergeReasons } from '../../core/health.ts'
import { schedule } from '../../core/schedule/schedule.ts'
import type { AgentView, PendingGroup, Tags, Unplaced } from '../../core/schedule/types.ts'
import { priorityOf } from '../../core/template-inputs.ts'
import { groupBy } from '../../lib/group-by.ts'
import { must } from '../../lib/must.ts'
import { type AgentId, parseWorkloadKey, type WorkloadKey } from '../../model/ids.ts'
import type { Reason } from '../../model/reason.ts'
import type { Task } from '../../model/task.ts'
import type { Hub } from '../agents/hub.ts'
import type { Cluster } from './cluster.ts'
import type { WaitingGroup } from './task-groups.ts'
import type { Tried } from './tries.ts'

/** What is known of those that wait, from one turn to the next. */
export interface Waiting {
  /** Why pending tasks have no machine, by workload; as of when they were tried, and nothing has happened since that could help. */
  readonly unplaced: ReadonlyMap<WorkloadKey, readonly Reason[]>
  /** Whose turn it is. */
  readonly tags: Tags
}

export interface PlacingInput {
  readonly cluster: Cluster
  readonly tried: Tried
  readonly before: Waiting
  readonly schedulable: (agent: AgentId) => Schedulable
  readonly seed: number
}

/** One batch: every group that is worth a try. Costs what these groups and the machines are, however many tasks wait. */
export function placePending({ cluster, tried, before, schedulable, seed }: PlacingInput): Waiting & { readonly placed: readonly Task[] } {
  const groups = tried.scope === 'All' ? cluster.groups.waiting() : [...tried.workloads].flatMap((key) => cluster.groups.waitingOf(key))
  const unplaced = new Map(tried.scope === 'All' ? [] : before.unplaced)
  for (const key of tried.workloads) unplaced.delete(key)
  if (groups.length === 0) return { placed: [], unplaced, tags: before.tags }
  const pending = groups.map((group) => pendingGroup(group, cluster))
  const result = schedule({ pending, agents: agentViews(cluster, schedulable), seed, tags: before.tags })
  const workloadOf = new Map(groups.map(({ id, workload }) => [id, workload]))
  for (const [key, those] of groupBy(result.unplaced, ({ group }) => must(workloadOf.get(group), 'a group that was asked for')))
    unplaced.set(key, reasonsOf(those))
  const placed = result.placed.map(({ task, agent, ports }) => ({
    ...must(cluster.tasks.get(task), `task ${task}`),
    agent,
    ports: { ...ports },
  }))
  return { placed, unplaced, tags: result.tags }
}

/** Counts are machines. Bound tasks ask one each, which add up; groups ask all of them, so the largest count of a code stands. */
function reasonsOf(unplaced: readonly Unplaced[]): Reason[] {
  const bound = unplaced.filter(({ agent }) => agent !== null).flatMap(({ reasons }) => reasons)
  const anywhere = unplaced.filter(({ agent }) => agent === null).flatMap(({ reasons }) => reasons)
  const largest = new Map<string, Reason>()
  for (const reason of [...mergeReasons(bound), ...anywhere]) {
    const before = largest.get(reason.code)
    if (before === undefined || reason.count > before.count) largest.set(reason.code, reason)
  }
  return mergeReasons([...largest.values()])
}

function pendingGroup(group: WaitingGroup, cluster: Cluster): PendingGroup {
  const { id, workload, tasks, bound } = group
  const first = firstOf(group, cluster)
  return {
    id,
    workload,
    priority: priorityNow(first, cluster),
    createdAt: first.createdAt,
    requirements: cluster.requirements(first.inputsDigest),
    tasks,
    bound,
    // As Kubernetes runs what a DaemonSet wants on cordoned nodes.
    ...(parseWorkloadKey(workload).kind === 'Deployment' ? { cordons: 'Ignored' as const } : {}),
    existing: cluster.groups.liveOf(group),
  }
}

/** The one that came first. */
export function firstOf({ tasks, bound }: WaitingGroup, cluster: Cluster): Task {
  const [first] = tasks.size > 0 ? tasks : bound.keys()
  return must(cluster.tasks.get(must(first, 'a group that waits has a task')), 'a task that waits')
}

/** As git says it now, whatever it said when the task came. */
export const priorityNow = (task: Task, cluster: Cluster): number => priorityOf(cluster.version(cluster.inputsNow(task)))

type Schedulable = 'Yes' | 'Cordoned' | 'No'

/** It is heard of, and nobody took it out of service. */
export function isSchedulable(agent: AgentId, { cluster, hub }: { cluster: Cluster; hub: Pick<Hub, 'standing'> }): Schedulable {
  if (hub.standing(agent) !== 'Ready') return 'No'
  return cluster.agents.get(agent)?.maintenance == null ? 'Yes' : 'Cordoned'
}

export function agentViews(cluster: Cluster, schedulable: (agent: AgentId) => Schedulable): AgentView[] {
  return [...cluster.agents.values()].map(({ id, labels, drivers, capacity, pressure }) => ({
    id,
    labels,
    drivers,
    capacity,
    pressure,
    used: cluster.usageOf(id),
    schedulable: schedulable(id) === 'Yes',
    cordoned: schedulable(id) === 'Cordoned',
  }))
}
