import type { Reason } from '../../model/reason.ts'
import type { Demand } from './demand.ts'
import { AGENT_FILTERS, CAPACITY_FILTERS, type Filter, READY_FILTERS, WORKLOAD_FILTERS } from './filters.ts'
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

const isCovered = (requirements: Requirements, slot: Slot): boolean => AGENT_FILTERS.every((filter) => filter.check(requirements, slot))

export const isEligible = (requirements: Requirements, slot: Slot): boolean =>
  READY_FILTERS.every((filter) => filter.check(requirements, slot)) && isCovered(requirements, slot)

export const hasRoom = (requirements: Requirements, slot: Slot): boolean =>
  CAPACITY_FILTERS.every((filter) => filter.check(requirements, slot))

export const passesAll = (demand: Demand, slot: Slot): boolean =>
  isEligible(demand.requirements, slot) &&
  hasRoom(demand.requirements, slot) &&
  WORKLOAD_FILTERS.every((filter) => filter.check(demand, slot))

/** How each of some agents fares under some rules. */
export interface Verdict {
  /** Each agent that fails counts under the first rule it fails. */
  readonly reasons: readonly Reason[]
  readonly passing: readonly Slot[]
}

/** Under the rules that are the same for all groups of a class, so that many groups look at all agents once. */
export function verdictOf(requirements: Requirements, slots: readonly Slot[]): Verdict {
  const filters = [...READY_FILTERS, ...AGENT_FILTERS, ...CAPACITY_FILTERS]
  return judge(bind(filters, requirements), slots, slots.length)
}

/** Why none of so many agents takes the task, most frequent reason first. An agent that fails no rule is left out. */
export function reasonsFor(demand: Demand, { reasons, passing }: Verdict, agents: number): Reason[] {
  return [...reasons, ...judge(bind(WORKLOAD_FILTERS, demand), passing, agents).reasons].sort(
    (a, b) => b.count - a.count || (a.code < b.code ? -1 : 1),
  )
}

function judge(filters: readonly BoundFilter[], slots: readonly Slot[], agents: number): Verdict {
  const failed = new Map<BoundFilter, Slot[]>()
  const passing: Slot[] = []
  for (const slot of slots) {
    const first = filters.find((filter) => !filter.check(slot))
    const those = first === undefined ? passing : failed.get(first)
    if (those !== undefined) those.push(slot)
    else if (first !== undefined) failed.set(first, [slot])
  }
  const reasons = [...failed].map(([{ code, explain }, those]) => ({
    code,
    message: `${subject(those, agents)} ${explain(those)}`,
    count: those.length,
  }))
  return { reasons, passing }
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
  return verdictOf(requirements, [slot]).reasons[0] ?? null
}

/** The agents that Global mode covers: label and runtime rules hold. Capacity, cordons and what passes are not asked. Sorted by id. */
export function eligibleAgents(requirements: Requirements, agents: readonly AgentView[]): AgentView[] {
  return agents.filter((view) => isCovered(requirements, slotOf(view, 0, 0))).sort((a, b) => (a.id < b.id ? -1 : 1))
}
