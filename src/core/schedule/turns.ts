import { type Heap, heapOf, pop, push } from './heap.ts'
import type { QueueTags } from './types.ts'

/** Takes one turn and returns how many tasks that placed. 0: it is through, and is not asked again. */
export type Turn = () => number

/** Each until it is through, then the next. */
export function inOrder(turns: readonly Turn[]): Turn {
  let at = 0
  return () => {
    for (; at < turns.length; at++) {
      const count = turns[at]?.() ?? 0
      if (count > 0) return count
    }
    return 0
  }
}

/** Equal members, and where their queue stands. */
export interface FairQueue {
  readonly members: readonly (readonly [name: string, turn: Turn])[]
  now: number
  readonly finish: Map<string, number>
  /** Start tags of the members that wait for their next turn. */
  readonly waiting: Heap
}

/** Of equal start tags the earlier member goes first. */
export function fairQueue(members: ReadonlyMap<string, Turn>, { now, finish }: QueueTags = { now: 0, finish: new Map() }): FairQueue {
  const starts = [...members.keys()].map((name) => Math.max(now, finish.get(name) ?? 0))
  return { members: [...members], now, finish: new Map(finish), waiting: heapOf([...starts.keys()], starts) }
}

/**
 * The turn of whoever is next, by start-time fair queueing (P. Goyal, H. M. Vin, H. Cheng: SIGCOMM 1996), which stays fair
 * however unevenly room comes free. A turn starts where the member's last one ended or, if that is past, at the virtual time;
 * it is as long as the tasks it placed are many; the earliest start goes first, and is the virtual time from then on. So a
 * member that comes late starts beside the others, neither before nor behind them, and one without room saves up no turns.
 */
export function nextTurn(queue: FairQueue): number {
  const { members, finish, waiting } = queue
  for (let entry = pop(waiting); entry !== undefined; entry = pop(waiting)) {
    const [name = '', turn] = members[entry.item] ?? []
    const count = turn?.() ?? 0
    if (count === 0) continue
    queue.now = entry.key
    finish.set(name, entry.key + count)
    push(waiting, entry.key + count, entry.item)
    return count
  }
  return 0
}

/** What the next batch must know: a turn that ended before the virtual time makes no difference any more. */
export function tagsOf({ now, finish }: FairQueue): QueueTags {
  return { now, finish: new Map([...finish].filter(([, end]) => end > now)) }
}
