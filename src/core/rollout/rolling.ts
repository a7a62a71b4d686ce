import type { Digest, Millis, TaskId } from '../../model/ids.ts'
import type { DeploymentSpec } from '../../model/manifest.ts'
import type { IntOrPercent } from '../../model/quantity.ts'
import { availableAt, isAvailable, isLive, isReady, isWanted, occupies, oldestFirst, type TaskState } from '../task-state.ts'

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

type BudgetInput = Pick<RollingInput, 'slots' | 'tasks' | 'limits' | 'minReadyMs' | 'now'>

export interface RollingLimits {
  /** Replicated slots are alike, Global ones are machines: a task on one that no longer matches helps nobody. */
  readonly mode: DeploymentSpec['mode']
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
  const kept = { mode: spec.mode, strategy: spec.strategy.type }
  if (fixedPort(spec) !== null) return { ...kept, maxSurge: 0, maxUnavailable: Math.max(1, unavailable) }
  return { ...kept, maxSurge: surge, maxUnavailable: surge === 0 ? Math.max(1, unavailable) : unavailable }
}

function resolve(value: IntOrPercent, total: number, round: (n: number) => number): number {
  return typeof value === 'number' ? value : round((Number.parseInt(value, 10) * total) / 100)
}

/** The first host port that the manifest fixes; null: the scheduler chooses them all. */
export function fixedPort({ template }: DeploymentSpec): number | null {
  const units = template.spec.containers ?? template.spec.processes ?? []
  return units.flatMap(({ ports }) => ports).find(({ hostPort }) => hostPort !== 0)?.hostPort ?? null
}

/**
 * Which slots to fill and which tasks to stop now, so that never fewer are available nor more alive than allowed.
 * The order of the tasks given does not matter.
 */
export function planRolling(given: RollingInput): RollingPlan {
  const strays = strayed(given)
  const input = { ...given, tasks: given.tasks.filter((state) => !strays.includes(state)).sort(oldestFirst) }
  const plan = input.limits.strategy === 'Recreate' ? recreate(input) : rollingUpdate(input)
  return { ...plan, stop: [...strays.map(idOf), ...plan.stop] }
}

/** Tasks of a Global workload on machines that it no longer matches. */
export function strayed({ slots, tasks, limits }: Pick<RollingInput, 'slots' | 'tasks' | 'limits'>): TaskState[] {
  if (limits.mode === 'Replicated') return []
  const wanted = new Set(slots)
  return tasks.filter((state) => isLive(state) && !wanted.has(state.task.slot)).sort(oldestFirst)
}

function recreate(input: RollingInput): RollingPlan {
  const { slots, unwanted } = sorted(input)
  const old = input.tasks.filter((state) => isOld(state, input))
  const stop = [...new Set([...unwanted, ...old.filter(isWanted)])].map(idOf)
  if (old.some(occupies)) return { create: [], stop, wakeAt: null }
  return { create: input.slots.filter((slot) => slots.get(slot)?.current === undefined), stop, wakeAt: nextAvailable(input) }
}

function rollingUpdate(input: RollingInput): RollingPlan {
  const budget = new Budget(input)
  const { slots, unwanted } = sorted(input)
  const stop = unwanted
    .toSorted((a, b) => Number(available(a, input)) - Number(available(b, input)))
    .filter((state) => budget.mayStop(state))
  const { free, bare, beside } = sides(input.slots, (name) => {
    const slot = slots.get(name) ?? {}
    if (slot.old === undefined || !isDone(slot.old, slot.current, input) || !budget.mayStop(slot.old)) return slot
    stop.push(slot.old)
    return slot.current === undefined ? {} : { current: slot.current }
  })
  const create: string[] = []
  const makeRoom = (): void => {
    while (budget.isFull() && beside[0] !== undefined && budget.mayStop(beside[0])) stop.push(...beside.splice(0, 1))
  }
  for (const slot of free) {
    makeRoom()
    if (budget.takeRoom()) create.push(slot)
  }
  for (const { slot, old } of bare) {
    if (budget.isFull() && budget.mayStop(old)) stop.push(old)
    else beside.push(old)
    if (budget.takeRoom()) create.push(slot)
  }
  makeRoom()
  return { create, stop: stop.map(idOf), wakeAt: nextAvailable(input) }
}

/** An old task goes when it serves nobody, or when its successor in the slot is available. One that is ready serves, for however short. */
function isDone(old: TaskState, current: TaskState | undefined, input: RollingInput): boolean {
  return !isReady(old) || (current !== undefined && available(current, input))
}

interface Sides {
  /** Slots without a live task. */
  readonly free: string[]
  /** Slots whose old task has no successor yet. */
  readonly bare: { readonly slot: string; readonly old: TaskState }[]
  /** Old tasks that wait for their successors: where there is no more room they may be what those wait for. */
  readonly beside: TaskState[]
}

function sides(names: readonly string[], slotOf: (name: string) => Slot): Sides {
  const found: Sides = { free: [], bare: [], beside: [] }
  for (const slot of names) {
    const { old, current } = slotOf(slot)
    if (old === undefined && current === undefined) found.free.push(slot)
    else if (old !== undefined && current === undefined) found.bare.push({ slot, old })
    else if (old !== undefined) found.beside.push(old)
  }
  return found
}

/** How many more tasks may live, and how many available ones may still be missed. */
export class Budget {
  readonly #input: BudgetInput
  #room: number
  #spare: number

  constructor(input: BudgetInput) {
    const live = input.tasks.filter(isLive)
    const serving = live.filter((state) => available(state, input)).length
    this.#input = input
    this.#room = input.slots.length + input.limits.maxSurge - live.length
    this.#spare = serving - (input.slots.length - input.limits.maxUnavailable)
  }

  isFull(): boolean {
    return this.#room <= 0
  }

  takeRoom(): boolean {
    if (this.#room <= 0) return false
    this.#room -= 1
    return true
  }

  /** A task that serves nobody may always go; one that does, while enough others are available. */
  mayStop(state: TaskState): boolean {
    const isAvailableNow = available(state, this.#input)
    if (isReady(state) && this.#spare - (isAvailableNow ? 1 : 0) < 0) return false
    if (isAvailableNow) this.#spare -= 1
    this.#room += 1
    return true
  }
}

const idOf = (state: TaskState): TaskId => state.task.id
/** To be replaced by another: of an earlier template, or on a machine that it is to leave. */
const isOld = (state: TaskState, input: RollingInput): boolean =>
  state.task.templateDigest !== input.templateDigest || state.machine === 'Leaving'
const available = (state: TaskState, input: Pick<RollingInput, 'minReadyMs' | 'now'>): boolean =>
  isAvailable(state, input.minReadyMs, input.now)

/** At most one live task of the present template and one of an earlier. */
interface Slot {
  readonly old?: TaskState
  readonly current?: TaskState
}

interface Sorted {
  /** A slot without a live task is not in the map. */
  readonly slots: ReadonlyMap<string, Slot>
  /** Live tasks in no wanted slot, and all but the best of several alike in one. */
  readonly unwanted: readonly TaskState[]
}

function sorted(input: RollingInput): Sorted {
  const wanted = new Set(input.slots)
  const slots = new Map<string, Slot>()
  const unwanted: TaskState[] = []
  const live = input.tasks.filter(isLive)
  for (const state of [...live.filter((task) => available(task, input)), ...live.filter((task) => !available(task, input))]) {
    const slot = slots.get(state.task.slot)
    const place = isOld(state, input) ? 'old' : 'current'
    if (!wanted.has(state.task.slot) || slot?.[place] !== undefined) unwanted.push(state)
    else slots.set(state.task.slot, { ...slot, [place]: state })
  }
  return { slots, unwanted }
}

/** When the next task counts as available, if nothing else happens first. */
export function nextAvailable(input: Pick<RollingInput, 'tasks' | 'minReadyMs' | 'now'>): Millis | null {
  const coming = input.tasks.filter(isLive).map((state) => availableAt(state, input.minReadyMs))
  return coming.reduce<Millis | null>((first, at) => (at !== null && at > input.now && (first === null || at < first) ? at : first), null)
}
