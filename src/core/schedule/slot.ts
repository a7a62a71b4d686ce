import { hash } from './hash.ts'
import type { AgentView, Requirements } from './types.ts'

/** An agent during one batch: the view and what this batch has taken from it. What is free only shrinks. */
export interface Slot {
  /** Its place in the order that breaks ties. */
  readonly index: number
  readonly view: AgentView
  freeCpu: number
  freeMemory: number
  tasks: number
  /** Ports given in this batch, beside `view.used.ports`. */
  readonly given: Set<number>
  /** Free ports in the agent's range; null until a task asks for one. */
  freePorts: number | null
  /** Where the search for a free port goes on, counted from the start of the range; all before it, from `hash`, are taken. */
  cursor: number
}

export function slotOf(view: AgentView, index: number, seed: number): Slot {
  const { capacity, used } = view
  return {
    index,
    view,
    freeCpu: capacity.cpuMillis - used.cpuMillis,
    freeMemory: capacity.memoryBytes - used.memoryBytes,
    tasks: used.tasks,
    given: new Set(),
    freePorts: null,
    cursor: hash(seed, view.id) % Math.max(1, rangeSize(view)),
  }
}

/** Slots in the order that breaks ties: by hash with the seed, so that no agent is always first. */
export function slotsOf(agents: readonly AgentView[], seed: number): Slot[] {
  return agents
    .map((view) => ({ view, rank: hash(seed, view.id) }))
    .sort((a, b) => a.rank - b.rank || (a.view.id < b.view.id ? -1 : 1))
    .map(({ view }, index) => slotOf(view, index, seed))
}

export function isPortTaken(slot: Slot, port: number): boolean {
  return slot.view.used.ports.has(port) || slot.given.has(port)
}

/** Whether the range has enough ports for the dynamic ones beside the fixed ones the same task takes. */
export function hasDynamicPorts(slot: Slot, requirements: Requirements): boolean {
  const wanted = requirements.dynamicPorts.length
  return wanted === 0 || freePortsOf(slot) - fixedInRange(slot, requirements) >= wanted
}

function fixedInRange(slot: Slot, { fixedPorts }: Requirements): number {
  if (fixedPorts.length === 0) return 0
  return new Set(fixedPorts.map(({ port }) => port).filter((port) => inRange(slot.view, port))).size
}

export function freePortsOf(slot: Slot): number {
  if (slot.freePorts === null) {
    const taken = new Set([...slot.view.used.ports, ...slot.given])
    slot.freePorts = rangeSize(slot.view) - [...taken].filter((port) => inRange(slot.view, port)).length
  }
  return slot.freePorts
}

/** Takes what a task asks for; the task must fit. Returns its host ports by name. */
export function take(slot: Slot, requirements: Requirements): Record<string, number> {
  slot.freeCpu -= requirements.cpuMillis
  slot.freeMemory -= requirements.memoryBytes
  slot.tasks += 1
  const ports: Record<string, number> = {}
  for (const { name, port } of requirements.fixedPorts) ports[name] = takePort(slot, port)
  for (const { name } of requirements.dynamicPorts) ports[name] = takePort(slot, nextFreePort(slot))
  return ports
}

function takePort(slot: Slot, port: number): number {
  const isNew = !isPortTaken(slot, port)
  slot.given.add(port)
  if (isNew && slot.freePorts !== null && inRange(slot.view, port)) slot.freePorts -= 1
  return port
}

/** Ports never come back during a batch, so the search never returns to what it has passed. */
function nextFreePort(slot: Slot): number {
  const { from } = slot.view.capacity.ports
  const size = rangeSize(slot.view)
  for (let step = 0; step < size; step++) {
    const port = from + slot.cursor
    slot.cursor = (slot.cursor + 1) % size
    if (!isPortTaken(slot, port)) return port
  }
  throw new Error('broken assumption: a task that fits finds its dynamic ports')
}

function rangeSize(view: AgentView): number {
  return Math.max(0, view.capacity.ports.to - view.capacity.ports.from + 1)
}

function inRange(view: AgentView, port: number): boolean {
  return port >= view.capacity.ports.from && port <= view.capacity.ports.to
}
