import type { Digest, Millis, TaskId } from '../../model/ids.ts'
import { isAvailable, isLive, occupies, oldestFirst, type TaskState } from '../task-state.ts'
import { Budget, nextAvailable, type RollingInput, strayed } from './rolling.ts'

/** A look at a Deployment whose old tasks are to go on serving, whatever becomes of the new ones. */
export interface KeepInput extends RollingInput {
  /** The version that serves; null: there is none to refill slots with. */
  readonly fallback: { readonly templateDigest: Digest; readonly slots: readonly string[] } | null
  /** Tasks of the new version wanted beside the old ones; `AsTheyAre`: none is added, and where one serves alone it does. */
  readonly canaries: number | 'AsTheyAre'
  /** Tasks that may live at once. */
  readonly most: number
}

export interface KeepPlan {
  /** Slots to give a task of the new version. */
  readonly create: readonly string[]
  /** Slots to give a task of the version that serves. */
  readonly refill: readonly string[]
  readonly stop: readonly TaskId[]
  readonly wakeAt: Millis | null
}

/** Stops nothing that serves: only what is left of versions in between, and tasks on machines that match no more. */
export function planKeep(given: KeepInput): KeepPlan {
  const wanted = [...new Set([...given.slots, ...(given.fallback?.slots ?? [])])]
  const strays = strayed({ ...given, slots: wanted })
  const tasks = given.tasks.filter((state) => isLive(state) && !strays.includes(state)).sort(oldestFirst)
  const input = { ...given, tasks }
  const budget = new Budget({ ...input, slots: given.fallback?.slots ?? given.slots })
  const surplus = new Set([...leftovers(input, new Set(wanted)), ...doubles(input)])
  const ending = [...surplus].filter((state) => budget.mayStop(state))
  const leaving = [...ending, ...makingRoom(input, { ending, budget })]
  const stop = [...strays, ...leaving].map((state) => state.task.id)
  const room = Math.max(0, given.most - (tasks.length - leaving.length))
  const refill = mayRefill(given) ? refillSlots(input, leaving).slice(0, room) : []
  return { create: canarySlots(input).slice(0, room - refill.length), refill, stop, wakeAt: nextAvailable(input) }
}

/** Tasks of a version that was given up on its way, beside one that serves in their slot, and those in slots that neither version has. */
function leftovers(input: KeepInput, wanted: ReadonlySet<string>): TaskState[] {
  const { tasks, fallback } = input
  if (fallback === null) return []
  const serving = new Set(tasks.filter((state) => isOf(state, fallback.templateDigest)).map(({ task }) => task.slot))
  const isLeft = (state: TaskState): boolean =>
    !isOf(state, fallback.templateDigest) && !isOf(state, input.templateDigest) && serving.has(state.task.slot)
  return tasks.filter((state) => isLeft(state) || !wanted.has(state.task.slot))
}

/** Of several alike in one slot all but the best: one left a machine, or is back on one, and has a successor by now. */
function doubles(input: KeepInput): TaskState[] {
  const alike = new Map<string, TaskState[]>()
  for (const state of input.tasks) {
    const key = `${state.task.slot} ${state.task.templateDigest}`
    alike.set(key, [...(alike.get(key) ?? []), state])
  }
  return [...alike.values()].filter(({ length }) => length > 1).flatMap((all) => worseOf(all, input))
}

/** What is to leave its machine goes once another serves in its place. */
function worseOf(alike: readonly TaskState[], { minReadyMs, now }: KeepInput): TaskState[] {
  const serves = (state: TaskState): boolean => isAvailable(state, minReadyMs, now)
  const bestFirst = (a: TaskState, b: TaskState): number => Number(serves(b)) - Number(serves(a))
  const staying = alike.filter((state) => !isLeaving(state)).sort(bestFirst)
  const leaving = alike.filter(isLeaving).sort(bestFirst)
  const isServed = staying[0] !== undefined && serves(staying[0])
  return [...staying.slice(1), ...leaving.slice(isServed ? 0 : 1)]
}

/** Where no more may live, one that is to leave its machine ends before its successor begins. */
function makingRoom({ tasks, most }: KeepInput, { ending, budget }: { ending: readonly TaskState[]; budget: Budget }): TaskState[] {
  if (tasks.length - ending.length < most) return []
  const next = tasks.find((state) => isLeaving(state) && !ending.includes(state) && !hasSibling(state, tasks) && budget.mayStop(state))
  return next === undefined ? [] : [next]
}

const isLeaving = ({ machine }: TaskState): boolean => machine === 'Leaving'

const hasSibling = ({ task }: TaskState, tasks: readonly TaskState[]): boolean =>
  tasks.some((other) => other.task.id !== task.id && other.task.slot === task.slot && !isLeaving(other))

function canarySlots({ tasks, templateDigest, slots, canaries }: KeepInput): string[] {
  if (canaries === 'AsTheyAre') return []
  const taken = new Set(tasks.filter((state) => isOf(state, templateDigest) && !isLeaving(state)).map(({ task }) => task.slot))
  return slots.filter((slot) => !taken.has(slot)).slice(0, Math.max(0, canaries - taken.size))
}

/** `Recreate` promises that no two versions run at once, also where a rollout is held; canaries are meant to run beside. */
function mayRefill({ tasks, limits, fallback, canaries }: KeepInput): boolean {
  if (limits.strategy !== 'Recreate' || canaries !== 'AsTheyAre' || fallback === null) return true
  return !tasks.some((state) => (isLive(state) || occupies(state)) && !isOf(state, fallback.templateDigest))
}

/** With canaries each slot keeps its old task beside them; a rollout that is held stays as mixed as it is. */
function refillSlots({ tasks, templateDigest, fallback, canaries }: KeepInput, leaving: readonly TaskState[]): string[] {
  if (fallback === null) return []
  const counts = (state: TaskState): boolean =>
    !leaving.includes(state) && !isLeaving(state) && (canaries === 'AsTheyAre' || !isOf(state, templateDigest))
  const taken = new Set(tasks.filter(counts).map(({ task }) => task.slot))
  return fallback.slots.filter((slot) => !taken.has(slot))
}

const isOf = (state: TaskState, templateDigest: Digest): boolean => state.task.templateDigest === templateDigest
