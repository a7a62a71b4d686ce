import type { AgentId, Millis } from '../model/ids.ts'
import { type Reason, reasonOf } from '../model/reason.ts'
import type { Write } from '../model/records.ts'
import type { Observed } from '../model/task.ts'
import { isTerminal, neverHeard, type TaskState, UNREACHABLE } from './task-state.ts'

/** Why a task is told to stop whose machine is drained. */
export const DRAINED = 'Drained'

/**
 * So long a machine is silent until a task there that was told to stop counts as lost: what waits for its end (a removal,
 * a `Recreate`) goes on then. Kubernetes evicts after five minutes, too.
 */
const LOST_AFTER: Millis = 300_000

/** Machines on which tasks cannot stay, or of which nothing is heard; only those that hold tasks of the workload. */
export interface Machines {
  /** Until when tasks may run on a machine that is drained. */
  readonly drains: ReadonlyMap<AgentId, Millis>
  /** For how long nothing was heard of a machine, milliseconds; those that are heard of are absent. */
  readonly silent: ReadonlyMap<AgentId, Millis>
  /** `Paused`: so many fell silent at once that nothing is replaced. */
  readonly replacement: 'Go' | 'Paused'
}

export interface LostTask extends TaskState {
  readonly observed: Observed
}

/** Nobody knows how far it came; should its machine come back with it, it is told to stop there. */
export function lostTask({ task, observed }: TaskState, reason: Reason, now: Millis): LostTask[] {
  if (task.agent === null) return []
  const told = { agent: task.agent, phase: 'Lost', ready: false, readySince: null, updatedAt: now } as const
  return [{ task, observed: { ...(observed ?? neverHeard(task)), ...told, reasons: [reason] } }]
}

export const unreachable = (agent: AgentId): Reason => reasonOf(UNREACHABLE, `agent ${agent} has not been heard of`)

export const lostWrites = (lost: readonly LostTask[]): Write[] =>
  lost.map(({ task, observed }): Write => ({ table: 'observed', id: task.id, value: observed }))

interface LostStops {
  readonly lost: readonly LostTask[]
  /** When the next one is. */
  readonly at: readonly Millis[]
}

/** Tasks whose stop nobody will confirm; one that others must not run beside is waited for. */
export function lostStops(tasks: readonly TaskState[], { silent }: Machines, now: Millis): LostStops {
  const due = tasks.flatMap((state) => {
    const { agent, desired } = state.task
    const silence = agent === null ? undefined : silent.get(agent)
    return silence === undefined || desired === 'run' || isTerminal(state) ? [] : [{ state, at: now + LOST_AFTER - silence }]
  })
  return {
    lost: due.flatMap(({ state, at }) =>
      at <= now && state.task.agent !== null ? lostTask(state, unreachable(state.task.agent), now) : [],
    ),
    at: due.flatMap(({ at }) => (at > now ? [at] : [])),
  }
}

/** The tasks with some of them as they are from now on. */
export function withChangedTasks(tasks: readonly TaskState[], changed: readonly TaskState[]): readonly TaskState[] {
  if (changed.length === 0) return tasks
  const byId = new Map(changed.map((state) => [state.task.id, state]))
  return tasks.map((state) => byId.get(state.task.id) ?? state)
}
