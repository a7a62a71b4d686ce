import type { Digest, Millis, TaskId } from '../model/ids.ts'
import type { DeploymentSpec } from '../model/manifest.ts'
import type { IntOrPercent } from '../model/quantity.ts'
import { availableAt, isAvailable, isLive, isTerminal, type TaskState } from './task-state.ts'

/** One look at a Deployment's slots; the same look again, with the changes made, gives no more changes. */
export interface RollingInput {
  /** Slots that should each hold one task. */
  readonly slots: readonly string[]
  readonly tasks: readonly TaskState[]
  readonly templateDigest: Digest
  readonly limits: RollingLimits
  readonly minReadyMs: Millis
  readonly now: Millis
}

export interface RollingLimits {
  readonly strategy: 'RollingUpdate' | 'Recreate'
  readonly maxSurge: number
  readonly maxUnavailable: number
}

export interface RollingPlan {
  /** Slots to fill with a task of the current template. */
  readonly create: readonly string[]
  readonly stop: readonly TaskId[]
  /** When a running task will count as available, if nothing else happens first. */
  readonly wakeAt: Millis | null
}

/**
 * Kubernetes' rounding: surge up, unavailable down, and never both zero (deployment controller's `ResolveFenceposts`).
 * A fixed host port forces stop-first, for old and new cannot hold it on one machine.
 */
export function rollingLimits(spec: DeploymentSpec, slots: number): RollingLimits {
  const { maxSurge, maxUnavailable } = spec.strategy.rollingUpdate
  const surge = resolve(maxSurge, slots, Math.ceil)
  const unavailable = resolve(maxUnavailable, slots, Math.floor)
  if (hasFixedPort(spec)) return { strategy: spec.strategy.type, maxSurge: 0, maxUnavailable: Math.max(1, unavailable) }
  return { strategy: spec.strategy.type, maxSurge: surge, maxUnavailable: surge === 0 ? Math.max(1, unavailable) : unavailable }
}

function resolve(value: IntOrPercent, total: number, round: (n: number) => number): number {
  return typeof value === 'number' ? value : round((Number.parseInt(value, 10) * total) / 100)
}

export function hasFixedPort(spec: DeploymentSpec): boolean {
  const units = spec.template.spec.containers ?? spec.template.spec.processes ?? []
  return units.some((unit) => unit.ports.some((port) => port.hostPort !== 0))
}

/** Which slots to fill and which tasks to stop now, so that never fewer are available nor more alive than allowed. */
export function planRolling(input: RollingInput): RollingPlan {
  return input.limits.strategy === 'Recreate' ? recreate(input) : rollingUpdate(input)
}

function recreate(input: RollingInput): RollingPlan {
  const unwanted = surplus(input)
  const old = input.tasks.filter((state) => isOld(state, input) && !isTerminal(state))
  if (old.length > 0) return { create: [], stop: [...unwanted, ...old.filter(isLive).map(idOf)], wakeAt: null }
  const slots = bySlot(input)
  return { create: input.slots.filter((slot) => !slots.has(slot)), stop: unwanted, wakeAt: nextAvailable(input) }
}

function rollingUpdate(input: RollingInput): RollingPlan {
  const budget = new Budget(input)
  const slots = bySlot(input)
  const create = input.slots.filter((slot) => !slots.has(slot) && budget.takeLive())
  const stop: TaskId[] = []
  for (const slot of input.slots) {
    const { old = [], current = [] } = slots.get(slot) ?? {}
    const going = old.filter((state) => mayStop(state, current, { budget, input }))
    stop.push(...going.map(idOf))
    if (current.length > 0 || old.length === 0) continue
    const left = old.filter((state) => !going.includes(state))
    if (budget.takeLive()) create.push(slot)
    else if (left.length > 0 && budget.takeAvailable(left.length)) {
      stop.push(...left.map(idOf))
      create.push(slot)
    }
  }
  return { create, stop: [...surplus(input), ...stop], wakeAt: nextAvailable(input) }
}

/** An old task goes when it serves nobody, or when its successor in the slot is available. */
function mayStop(state: TaskState, current: readonly TaskState[], context: { budget: Budget; input: RollingInput }): boolean {
  if (!available(state, context.input)) {
    context.budget.freeLive()
    return true
  }
  return current.some((successor) => available(successor, context.input)) && context.budget.takeAvailable(1)
}

/** How many more tasks may live, and how many available ones may still be missed. */
class Budget {
  #live: number
  #spare: number

  constructor(input: RollingInput) {
    const slots = new Set(input.slots)
    const wanted = input.tasks.filter((state) => isLive(state) && slots.has(state.task.slot))
    const serving = wanted.filter((state) => available(state, input)).length
    this.#live = input.slots.length + input.limits.maxSurge - wanted.length
    this.#spare = serving - (input.slots.length - input.limits.maxUnavailable)
  }

  takeLive(): boolean {
    if (this.#live <= 0) return false
    this.#live -= 1
    return true
  }

  freeLive(): void {
    this.#live += 1
  }

  takeAvailable(count: number): boolean {
    if (this.#spare < count) return false
    this.#spare -= count
    return true
  }
}

const idOf = (state: TaskState): TaskId => state.task.id
const isOld = (state: TaskState, input: RollingInput): boolean => state.task.templateDigest !== input.templateDigest
const available = (state: TaskState, input: RollingInput): boolean => isAvailable(state, input.minReadyMs, input.now)

interface Slot {
  readonly old: TaskState[]
  readonly current: TaskState[]
}

/** Live tasks by slot; a slot without any is not in the map. */
function bySlot(input: RollingInput): ReadonlyMap<string, Slot> {
  const slots = new Map<string, Slot>()
  for (const state of input.tasks.filter(isLive)) {
    const slot = slots.get(state.task.slot) ?? { old: [], current: [] }
    slots.set(state.task.slot, slot)
    if (isOld(state, input)) slot.old.push(state)
    else slot.current.push(state)
  }
  return slots
}

/** Live tasks in no wanted slot, and all but the oldest of several current ones in a slot. */
function surplus(input: RollingInput): TaskId[] {
  const wanted = new Set(input.slots)
  const taken = new Set<string>()
  const oldestFirst = input.tasks.filter(isLive).toSorted((a, b) => a.task.createdAt - b.task.createdAt || (a.task.id < b.task.id ? -1 : 1))
  return oldestFirst.filter((state) => !wanted.has(state.task.slot) || (!isOld(state, input) && !firstIn(taken, state.task.slot))).map(idOf)
}

function firstIn(taken: Set<string>, slot: string): boolean {
  if (taken.has(slot)) return false
  taken.add(slot)
  return true
}

function nextAvailable(input: RollingInput): Millis | null {
  const coming = input.tasks.filter(isLive).map((state) => availableAt(state, input.minReadyMs))
  const later = coming.filter((at): at is Millis => at !== null && at > input.now)
  return later.length === 0 ? null : Math.min(...later)
}
