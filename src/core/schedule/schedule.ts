import { batchOf } from './batch.ts'
import { byRank, takeTurns } from './order.ts'
import { beginPlacing, type Placing, placeSome, unplacedOf } from './placing.ts'
import type { PendingGroup, ScheduleRequest, ScheduleResult } from './types.ts'

/** A turn is one task, or this part of what the group got in the batch already: nobody is ahead by more, and large batches take few turns. */
const TURN_PART = 1 / 8

/**
 * Finds an agent and host ports for every pending task, or the reasons why there is none.
 * Packs: the fullest used agent that fits, an unused one when no used one does; no agent gets more than half of a
 * workload while another has room, so that one loss never takes all of it.
 * Where there is not room for all, higher priorities go first and equals take turns (`order.ts`). Nothing is kept free for a task
 * that does not fit, and nothing that was placed makes way.
 * Pure: equal requests give equal results, whatever the order of agents and groups in them.
 */
export function schedule(request: ScheduleRequest): ScheduleResult {
  return placeAll(request) ?? placeInTurns(request)
}

/** Group after group, which packs best and costs least; null when there is not room for all of them, for then the order matters. */
function placeAll(request: ScheduleRequest): ScheduleResult | null {
  const batch = batchOf(request)
  for (const group of [...request.pending].sort(byRank)) {
    const placing = beginPlacing(batch, group)
    placeSome(batch, placing, placing.left)
    if (placing.left > 0 || placing.refused.length > 0) return null
  }
  return { placed: batch.placed, unplaced: [], tags: request.tags }
}

function placeInTurns(request: ScheduleRequest): ScheduleResult {
  const batch = batchOf(request)
  const placings = new Map<PendingGroup, Placing>()
  const tags = takeTurns(request.pending, request.tags, (group) => {
    const before = batch.placed.length
    const placing = placings.get(group) ?? beginPlacing(batch, group)
    placings.set(group, placing)
    placeSome(batch, placing, Math.max(1, Math.floor((group.tasks.size - placing.left) * TURN_PART)))
    return batch.placed.length - before
  })
  return { placed: batch.placed, unplaced: unplacedOf(batch, placings.values()), tags }
}
