import type { AgentId } from '../../model/ids.ts'
import { type Parts, spreadValue } from './parts.ts'
import type { Slot } from './slot.ts'
import type { PendingGroup, Requirements } from './types.ts'

/** How the tasks of a workload lie over the values of one label; counts only grow during a batch. */
export interface SpreadKey {
  readonly key: string
  readonly maxSkew: number
  /** How many values the eligible agents have. */
  readonly values: number
  /** Tasks by such a value; those without any are left out, for there may be as many values as machines, and as many groups. */
  readonly counts: Map<string, number>
  minimum: number
  /** How many values stand at the minimum. */
  atMinimum: number
}

type Counts = ReadonlyMap<AgentId, number>

/** What a group asks, with its tasks as they lie now. */
export interface Demand {
  readonly requirements: Requirements
  /** By agent, from before the batch. */
  readonly existing: Counts
  /** By agent, placed in this batch. */
  readonly placed: Map<AgentId, number>
  readonly spread: readonly SpreadKey[]
}

export function demandOf({ requirements, existing }: PendingGroup, parts: Parts, byId: ReadonlyMap<string, Slot>): Demand {
  const spread = requirements.spread.map(({ key, maxSkew }, index): SpreadKey => {
    const values = parts.values[index] ?? new Set()
    const byValue = countValues({ key, values, existing, byId })
    return { key, maxSkew, values: values.size, counts: byValue, ...minimumOf(byValue, values.size) }
  })
  return { requirements, existing, placed: new Map(), spread }
}

interface ValueCounting {
  readonly key: string
  readonly values: ReadonlySet<string>
  readonly existing: Counts
  readonly byId: ReadonlyMap<string, Slot>
}

/** Tasks on agents that are not eligible now (cordoned, say) still count where their value is among the eligible ones. */
function countValues({ key, values, existing, byId }: ValueCounting): Map<string, number> {
  const byValue = new Map<string, number>()
  for (const [agent, count] of existing) {
    const slot = byId.get(agent)
    const value = slot === undefined ? undefined : spreadValue(slot, key)
    if (value !== undefined && values.has(value)) byValue.set(value, (byValue.get(value) ?? 0) + count)
  }
  return byValue
}

function minimumOf(counts: ReadonlyMap<string, number>, values: number): { minimum: number; atMinimum: number } {
  if (counts.size < values) return { minimum: 0, atMinimum: values - counts.size }
  let minimum = Number.POSITIVE_INFINITY
  let atMinimum = 0
  for (const count of counts.values()) {
    if (count === minimum) atMinimum += 1
    if (count < minimum) [minimum, atMinimum] = [count, 1]
  }
  return { minimum, atMinimum }
}

export const countOn = ({ existing, placed }: Demand, { view }: Slot): number => (existing.get(view.id) ?? 0) + (placed.get(view.id) ?? 0)

/** On all agents together. */
export const countAll = ({ existing, placed }: Demand): number => sum(existing) + sum(placed)

const sum = (counts: Counts): number => [...counts.values()].reduce((total, count) => total + count, 0)

/** Tasks that share a value with this agent. */
export const spreadCount = (spread: SpreadKey, slot: Slot): number => spread.counts.get(spreadValue(slot, spread.key)) ?? 0

export const keepsSkew = (spread: SpreadKey, slot: Slot): boolean => spreadCount(spread, slot) + 1 - spread.minimum <= spread.maxSkew

export const hardLimitOf = ({ requirements }: Demand): number => requirements.maxPerNode ?? Number.POSITIVE_INFINITY

export function countPlaced(demand: Demand, slot: Slot): void {
  demand.placed.set(slot.view.id, (demand.placed.get(slot.view.id) ?? 0) + 1)
  for (const spread of demand.spread) raise(spread, spreadValue(slot, spread.key))
}

/** Looks for the new minimum only when the last value leaves the old one: once in as many placements as there are values. */
function raise(spread: SpreadKey, value: string): void {
  const before = spread.counts.get(value) ?? 0
  spread.counts.set(value, before + 1)
  if (before !== spread.minimum) return
  spread.atMinimum -= 1
  if (spread.atMinimum === 0) Object.assign(spread, minimumOf(spread.counts, spread.values))
}
