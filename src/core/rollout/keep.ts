import type { Digest, Millis, TaskId } from '../../model/ids.ts'
import { isLive, occupies, oldestFirst, type TaskState } from '../task-state.ts'
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
  const leaving = leftovers(input, new Set(wanted))
  const stop = [...strays, ...leaving].map((state) => state.task.id)
  const room = Math.max(0, given.most - (tasks.length - leaving.length))
  const refill = mayRefill(given) ? refillSlots(input, leaving).slice(0, room) : []
  return { create: canarySlots(input).slice(0, room - refill.length), refill, stop, wakeAt: nextAvailable(input) }
}

/** Tasks of a version that was given up on its way, beside one that serves in their slot, and those in slots that neither version has. */
function leftovers(input: KeepInput, wanted: ReadonlySet<string>): TaskState[] {
  const { tasks, fallback } = input
  if (fallback === null) return []
  const budget = new Budget({ ...input, slots: fallback.slots })
  const serving = new Set(tasks.filter((state) => isOf(state, fallback.templateDigest)).map(({ task }) => task.slot))
  const isLeft = (state: TaskState): boolean =>
    !isOf(state, fallback.templateDigest) && !isOf(state, input.templateDigest) && serving.has(state.task.slot)
  return tasks.filter((state) => (isLeft(state) || !wanted.has(state.task.slot)) && budget.mayStop(state))
}

function canarySlots({ tasks, templateDigest, slots, canaries }: KeepInput): string[] {
  if (canaries === 'AsTheyAre') return []
  const taken = new Set(tasks.filter((state) => isOf(state, templateDigest)).map(({ task }) => task.slot))
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
  const counts = (state: TaskState): boolean => !leaving.includes(state) && (canaries === 'AsTheyAre' || !isOf(state, templateDigest))
  const taken = new Set(tasks.filter(counts).map(({ task }) => task.slot))
  return fallback.slots.filter((slot) => !taken.has(slot))
}

const isOf = (state: TaskState, templateDigest: Digest): boolean => state.task.templateDigest === templateDigest
