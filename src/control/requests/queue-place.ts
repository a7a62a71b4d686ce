import { isUnplaced } from '../../core/task-state.ts'
import { type Reason, reasonOf } from '../../model/reason.ts'
import type { Task } from '../../model/task.ts'
import type { Cluster } from '../leader/cluster.ts'
import { firstOf, priorityNow } from '../leader/place.ts'
import type { WaitingGroup } from '../leader/task-groups.ts'

/** What is tried before a group that waits, and who shares its turns. */
interface QueuePlace {
  readonly priority: number
  /** Tasks of higher priority that wait, whatever machine they want. */
  readonly above: number
  /** Other workloads of its priority that wait. */
  readonly beside: number
}

/** Costs as much as groups wait, however many tasks they have. */
function placeInQueue(group: WaitingGroup, cluster: Cluster): QueuePlace {
  const priority = priorityNow(firstOf(group, cluster), cluster)
  const others = cluster.groups.waiting().map((other) => ({ ...other, priority: priorityNow(firstOf(other, cluster), cluster) }))
  const above = others.filter((other) => other.priority > priority).reduce((sum, { tasks, bound }) => sum + tasks.size + bound.size, 0)
  const beside = new Set(
    others.filter((other) => other.priority === priority && other.workload !== group.workload).map((one) => one.workload),
  )
  return { priority, above, beside: beside.size }
}

/** Counts the tasks that are tried before this one, or before the first of its group; none for one that waits for nothing but room. */
export function queuedReasons(task: Task, of: 'Task' | 'Group', cluster: Cluster): Reason[] {
  const group = isUnplaced(task) ? cluster.groups.waitingWith(task) : undefined
  if (group === undefined) return []
  const { priority, above, beside } = placeInQueue(group, cluster)
  const own = of === 'Group' ? 0 : Math.max(0, [...group.tasks].indexOf(task.id))
  const first = [...(above > 0 ? [`${above} of higher priority`] : []), ...(own > 0 ? [`${own} of its own workload`] : [])]
  const said = [
    ...(first.length > 0 ? [`tasks tried first: ${first.join(', ')}`] : []),
    ...(beside > 0 ? [`${beside} other ${beside === 1 ? 'workload takes' : 'workloads take'} turns with it at priority ${priority}`] : []),
  ]
  return said.length === 0 ? [] : [reasonOf('Queued', said.join('; '), above + own)]
}
