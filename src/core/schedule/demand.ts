import { type Parts, spreadValue } from './parts.ts'
import type { Slot } from './slot.ts'
import type { PendingGroup, Requirements } from './types.ts'

/** How the tasks of a workload lie over the values of one label; counts only grow during a batch. */
export interface SpreadKey {
  readonly key: string
  readonly maxSkew: number
  /** Tasks by label value, for the values found on eligible agents. */
  readonly counts: Map<string, number>
  minimum: number
  /** How many values stand at the minimum. */
  atMinimum: number
}

/** What a group asks, with the counts of its workload as they are now. */
export interface Demand {
  readonly requirements: Requirements
  /** Tasks of the workload by agent id, with those placed in this batch. */
  readonly counts: Map<string, number>
  readonly spread: readonly SpreadKey[]
}

export interface DemandInput {
  readonly group: PendingGroup
  readonly parts: Parts
  readonly byId: ReadonlyMap<string, Slot>
  /** Tasks of the same workload that this batch placed before, by agent. */
  readonly placed: ReadonlyMap<string, number>
}

export function demandOf({ group, parts, byId, placed }: DemandInput): Demand {
  const counts = new Map<string, number>(group.existing)
  for (const [agent, count] of placed) counts.set(agent, (counts.get(agent) ?? 0) + count)
  const spread = group.requirements.spread.map(({ key, maxSkew }, index): SpreadKey => {
    const byValue = countValues({ key, values: parts.values[index] ?? new Set(), counts, byId })
    return { key, maxSkew, counts: byValue, ...minimumOf(byValue) }
  })
  return { requirements: group.requirements, counts, spread }
}

interface ValueCounting {
  readonly key: string
  readonly values: ReadonlySet<string>
  readonly counts: ReadonlyMap<string, number>
  readonly byId: ReadonlyMap<string, Slot>
}

/** Tasks on agents that are not eligible now (cordoned, say) still count where their value is among the eligible ones. */
function countValues({ key, values, counts, byId }: ValueCounting): Map<string, number> {
  const byValue = new Map([...values].map((value) => [value, 0]))
  for (const [agent, count] of counts) {
    const slot = byId.get(agent)
    const before = slot === undefined ? undefined : byValue.get(spreadValue(slot, key))
    if (slot !== undefined && before !== undefined) byValue.set(spreadValue(slot, key), before + count)
  }
  return byValue
}

function minimumOf(counts: ReadonlyMap<string, number>): { minimum: number; atMinimum: number } {
  let minimum = Number.POSITIVE_INFINITY
  let atMinimum = 0
  for (const count of counts.values()) {
    if (count === minimum) atMinimum += 1
    if (count < minimum) [minimum, atMinimum] = [count, 1]
  }
  return { minimum, atMinimum }
}

export const countOn = (demand: Demand, slot: Slot): number => demand.counts.get(slot.view.id) ?? 0

/** Tasks that share a value with this agent. */
export const spreadCount = (spread: SpreadKey, slot: Slot): number => spread.counts.get(spreadValue(slot, spread.key)) ?? 0

export const keepsSkew = (spread: SpreadKey, slot: Slot): boolean => spreadCount(spread, slot) + 1 - spread.minimum <= spread.maxSkew

export const hardLimitOf = ({ requirements }: Demand): number => requirements.maxPerNode ?? Number.POSITIVE_INFINITY

export function countPlaced(demand: Demand, slot: Slot): void {
  demand.counts.set(slot.view.id, countOn(demand, slot) + 1)
  for (const spread of demand.spread) raise(spread, spreadValue(slot, spread.key))
}

/** Looks for the new minimum only when the last value leaves the old one: once in as many placements as there are values. */
function raise(spread: SpreadKey, value: string): void {
  const before = spread.counts.get(value) ?? 0
  spread.counts.set(value, before + 1)
  if (before !== spread.minimum) return
  spread.atMinimum -= 1
  if (spread.atMinimum === 0) Object.assign(spread, minimumOf(spread.counts))
}
