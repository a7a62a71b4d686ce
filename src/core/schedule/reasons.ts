import type { Reason } from '../../model/reason.ts'
import type { Demand } from './demand.ts'
import { AGENT_FILTERS, CAPACITY_FILTERS, type Filter, WORKLOAD_FILTERS } from './filters.ts'
import { type Slot, slotOf } from './slot.ts'
import type { AgentView, Requirements } from './types.ts'

/** A rule with what it asks already given, so that rules of all three kinds stand in one list. */
interface BoundFilter {
  readonly code: string
  readonly check: (slot: Slot) => boolean
  readonly explain: (failed: readonly Slot[]) => string
}

const bind = <T>(filters: readonly Filter<T>[], asked: T): BoundFilter[] =>
  filters.map(({ code, check, explain }) => ({
    code,
    check: (slot) => check(asked, slot),
    explain: (failed) => explain(asked, failed),
  }))

const boundFilters = (demand: Demand): readonly BoundFilter[] => [
  ...bind(AGENT_FILTERS, demand.requirements),
  ...bind(CAPACITY_FILTERS, demand.requirements),
  ...bind(WORKLOAD_FILTERS, demand),
]

export const isEligible = (requirements: Requirements, slot: Slot): boolean =>
  AGENT_FILTERS.every((filter) => filter.check(requirements, slot))

export const hasRoom = (requirements: Requirements, slot: Slot): boolean =>
  CAPACITY_FILTERS.every((filter) => filter.check(requirements, slot))

export const passesAll = (demand: Demand, slot: Slot): boolean =>
  isEligible(demand.requirements, slot) &&
  hasRoom(demand.requirements, slot) &&
  WORKLOAD_FILTERS.every((filter) => filter.check(demand, slot))

/**
 * Why none of these agents takes the task: each agent counts under the first rule it fails, most frequent rule first.
 * An agent that fails none is left out.
 */
export function reasonsFor(demand: Demand, slots: readonly Slot[]): Reason[] {
  const filters = boundFilters(demand)
  const failed = new Map<BoundFilter, Slot[]>()
  for (const slot of slots) {
    const first = filters.find((filter) => !filter.check(slot))
    if (first === undefined) continue
    const those = failed.get(first)
    if (those === undefined) failed.set(first, [slot])
    else those.push(slot)
  }
  return [...failed]
    .map(([filter, those]) => ({
      code: filter.code,
      message: `${subject(those, slots.length)} ${filter.explain(those)}`,
      count: those.length,
    }))
    .sort((a, b) => b.count - a.count || (a.code < b.code ? -1 : 1))
}

function subject(failed: readonly Slot[], total: number): string {
  return total === 1 ? `agent ${failed[0]?.view.id}` : `${failed.length} of ${total} agents`
}

/**
 * Null when one task with these requirements could go to the agent as it is now, else the first rule against it.
 * Rules over other tasks of the workload (maxPerNode, spread) are not asked.
 */
export function fits(requirements: Requirements, agent: AgentView): Reason | null {
  const slot = slotOf(agent, 0, 0)
  return reasonsFor({ requirements, counts: new Map(), spread: [] }, [slot])[0] ?? null
}

/** The agents that Global mode covers: label and runtime rules hold. Capacity and cordons are not asked. Sorted by id. */
export function eligibleAgents(requirements: Requirements, agents: readonly AgentView[]): AgentView[] {
  const isCovered = (view: AgentView): boolean => isEligible(requirements, slotOf({ ...view, schedulable: true }, 0, 0))
  return agents.filter(isCovered).sort((a, b) => (a.id < b.id ? -1 : 1))
}
