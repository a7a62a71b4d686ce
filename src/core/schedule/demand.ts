import { labelOf } from './labels.ts'
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
  /** Agents of which label and runtime filters hold. */
  readonly eligible: readonly Slot[]
  readonly slots: readonly Slot[]
  /** Tasks of the same workload that this batch placed before, by agent. */
  readonly placed: ReadonlyMap<string, number>
}

export function demandOf({ group, eligible, slots, placed }: DemandInput): Demand {
  const counts = new Map<string, number>(group.existing)
  for (const [agent, count] of placed) counts.set(agent, (counts.get(agent) ?? 0) + count)
  const spread = group.requirements.spread.map(({ key, maxSkew }) => spreadKey({ key, maxSkew, eligible, slots, counts }))
  return { requirements: group.requirements, counts, spread }
}

interface SpreadInput {
  readonly key: string
  readonly maxSkew: number
  readonly eligible: readonly Slot[]
  readonly slots: readonly Slot[]
  readonly counts: ReadonlyMap<string, number>
}

/** Tasks on agents that are not eligible now (cordoned, say) still count where their value is among the eligible ones. */
function spreadKey({ key, maxSkew, eligible, slots, counts }: SpreadInput): SpreadKey {
  const byValue = new Map<string, number>()
  for (const { view } of eligible) byValue.set(labelOf(view.labels, key) ?? '', 0)
  for (const { view } of counts.size === 0 ? [] : slots) {
    const value = labelOf(view.labels, key)
    const before = value === undefined ? undefined : byValue.get(value)
    if (value !== undefined && before !== undefined) byValue.set(value, before + (counts.get(view.id) ?? 0))
  }
  return { key, maxSkew, counts: byValue, ...minimumOf(byValue) }
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
export function spreadCount(spread: SpreadKey, slot: Slot): number {
  return spread.counts.get(labelOf(slot.view.labels, spread.key) ?? '') ?? 0
}

export function keepsSkew(spread: SpreadKey, slot: Slot): boolean {
  return spreadCount(spread, slot) + 1 - spread.minimum <= spread.maxSkew
}

export function countPlaced(demand: Demand, slot: Slot): void {
  demand.counts.set(slot.view.id, countOn(demand, slot) + 1)
  for (const spread of demand.spread) raise(spread, labelOf(slot.view.labels, spread.key) ?? '')
}

/** Looks for the new minimum only when the last value leaves the old one: once in as many placements as there are values. */
function raise(spread: SpreadKey, value: string): void {
  const before = spread.counts.get(value) ?? 0
  spread.counts.set(value, before + 1)
  if (before !== spread.minimum) return
  spread.atMinimum -= 1
  if (spread.atMinimum === 0) Object.assign(spread, minimumOf(spread.counts))
}
