import { parseWorkloadKey } from '../../model/ids.ts'
import { type FairQueue, fairQueue, inOrder, nextTurn, type Turn, tagsOf } from './turns.ts'
import type { PendingGroup, Tags } from './types.ts'

/** Higher priority first, then the oldest. */
export const byRank = (a: PendingGroup, b: PendingGroup): number =>
  b.priority - a.priority || a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1)

/**
 * Gives turns until no group places any more: a higher priority is through before a lower one begins. In one priority the
 * namespaces take turns, in a namespace its workloads do, and of a workload the older version is through first.
 * `turn` places some tasks of a group and returns how many; 0 when the group is through.
 */
export function takeTurns(pending: readonly PendingGroup[], tags: Tags, turn: (group: PendingGroup) => number): Tags {
  const after = new Map(tags)
  for (const [priority, groups] of groupBy([...pending].sort(byRank), (group) => String(group.priority))) {
    const queues = new Map<string, FairQueue>()
    const share = (name: string, members: ReadonlyMap<string, Turn>): Turn => {
      const queue = fairQueue(members, tags.get(name))
      queues.set(name, queue)
      return () => nextTurn(queue)
    }
    const versions = (of: readonly PendingGroup[]): Turn => inOrder(of.map((group) => () => turn(group)))
    const workloads = (of: readonly PendingGroup[], namespace: string): Turn =>
      share(
        `${priority}/${namespace}`,
        mapValues(
          groupBy(of, ({ workload }) => workload),
          versions,
        ),
      )
    const all = share(priority, mapValues(groupBy(groups, namespaceOf), workloads))
    while (all() > 0);
    for (const [name, queue] of queues) after.set(name, tagsOf(queue))
  }
  return after
}

const namespaceOf = ({ workload }: PendingGroup): string => parseWorkloadKey(workload).namespace

/** In order of appearance. */
function groupBy(groups: readonly PendingGroup[], keyOf: (group: PendingGroup) => string): Map<string, PendingGroup[]> {
  const found = new Map<string, PendingGroup[]>()
  for (const group of groups) {
    const key = keyOf(group)
    const there = found.get(key)
    if (there === undefined) found.set(key, [group])
    else there.push(group)
  }
  return found
}

const mapValues = <A, B>(map: ReadonlyMap<string, A>, of: (value: A, key: string) => B): Map<string, B> =>
  new Map([...map].map(([key, value]) => [key, of(value, key)]))
