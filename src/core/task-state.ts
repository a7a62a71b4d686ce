import type { Millis } from '../model/ids.ts'
import { type Observed, type Task, type TaskPhase, type TaskStatus, TERMINAL } from '../model/task.ts'

/**
 * What becomes of a task because of its machine. `Leaving`: it serves, and is to move away. `Silent`: nothing is heard of it,
 * so that it serves nobody as far as anyone knows. `Absent`: that has been so for long enough, and another takes its place.
 */
export type MachineTrouble = 'Leaving' | 'Silent' | 'Absent'

/** A task as the leader knows it: what is wanted, and what its agent last said. */
export interface TaskState {
  readonly task: Task
  readonly observed: Observed | undefined
  /** Absent: nothing is wrong with its machine, or it does not matter here. */
  readonly machine?: MachineTrouble
}

/** How far an agent's silence has gone; see the failure detector in `control/hub`. */
export type AgentStanding = 'Ready' | 'Suspect' | 'Unreachable'

/** How well a task can be seen: as well as its agent, unless that is there and the runtime under the task does not answer. */
export type Sight = AgentStanding | 'RuntimeSilent'

export function isTerminal(state: TaskState): boolean {
  return state.observed === undefined ? false : TERMINAL.has(state.observed.phase)
}

/** Nothing of it can be running: it ended, or was told to stop before it ever had a machine. */
export function isOver(state: TaskState): boolean {
  return isTerminal(state) || (state.task.desired === 'stop' && state.task.agent === null)
}

/** It waits for a machine. */
export function isUnplaced({ agent, desired }: Task): boolean {
  return agent === null && desired === 'run'
}

/** Why a task is lost whose machine an operator gave up. */
export const FORGOTTEN = 'AgentForgotten'
/** Why a task is lost, or was replaced, whose machine nothing is heard of. */
export const UNREACHABLE = 'AgentUnreachable'

/** An agent that is back sweeps away within this time what it does not know; see `sweep` in `runtime/roster.ts`. */
const SWEPT_WITHIN: Millis = 60_000
/** Where the leader takes a task for lost, and not its agent: what runs of it is swept away. */
const ONLY_PRESUMED: ReadonlySet<string> = new Set(['AgentForgot', 'AgentReplaced', FORGOTTEN])

/** Until when its machine may run something of it, as far as anybody can tell: infinity while it has not ended, 0 when it has. */
export function mayRunUntil(state: TaskState): Millis {
  if (!isOver(state)) return Number.POSITIVE_INFINITY
  const { observed } = state
  const presumed = observed?.phase === 'Lost' && observed.reasons.some(({ code }) => ONLY_PRESUMED.has(code))
  return presumed ? observed.updatedAt + SWEPT_WITHIN : 0
}

/** Wanted and not ended, wherever its machine is. */
export function isWanted(state: TaskState): boolean {
  return state.task.desired === 'run' && !isTerminal(state)
}

/** It counts against `replicas` and `maxSurge`. */
export function isLive(state: TaskState): boolean {
  return isWanted(state) && state.machine !== 'Absent'
}

/** Its machine is heard of. */
export const isHeard = ({ machine }: TaskState): boolean => machine !== 'Silent' && machine !== 'Absent'

/** It may still hold ports, memory and names on its machine. */
export function occupies(state: TaskState): boolean {
  return state.task.agent !== null && !isTerminal(state)
}

/** When it counts as available: ready for `minReadyMs` on the leader's clock. Null while it is not ready. */
export function availableAt(state: TaskState, minReadyMs: Millis): Millis | null {
  const since = state.observed?.readySince ?? null
  return since === null || state.observed?.phase !== 'Running' ? null : since + minReadyMs
}

export function isAvailable(state: TaskState, minReadyMs: Millis, now: Millis): boolean {
  const at = availableAt(state, minReadyMs)
  return at !== null && at <= now && isLive(state) && isHeard(state)
}

/** It serves now, for however short: what traffic is sent to. */
export function isReady(state: TaskState): boolean {
  return isLive(state) && isHeard(state) && state.observed?.phase === 'Running' && state.observed.ready
}

/** Oldest first, and always the same order for the same tasks. */
export function oldestFirst(a: TaskState, b: TaskState): number {
  return a.task.createdAt - b.task.createdAt || (a.task.id < b.task.id ? -1 : 1)
}

/** It failed, was refused or was lost; a task that ended because it was told to is none of these. */
export function hasFailed(state: TaskState): boolean {
  const phase = state.observed?.phase
  return phase === 'Failed' || phase === 'Rejected' || phase === 'Lost'
}

/** The phase people see. An agent or a runtime that is silent for long makes its tasks `Unknown`, never failed. */
export function phaseOf(state: TaskState, sight: Sight): TaskPhase {
  const { task, observed } = state
  if (task.agent === null) return task.desired === 'stop' ? 'Stopped' : 'Pending'
  if (observed !== undefined && TERMINAL.has(observed.phase)) return observed.phase
  if (sight === 'Unreachable' || sight === 'RuntimeSilent') return 'Unknown'
  if (task.desired === 'stop') return 'Stopping'
  return observed?.phase ?? 'Assigned'
}

/** What is known of a task that no machine said a word of. */
export function neverHeard({ id }: Task): TaskStatus {
  return {
    task: id,
    attempt: 0,
    phase: 'Preparing',
    ready: false,
    failures: 0,
    reasons: [],
    backoffUntil: null,
    startedAt: null,
    attempts: [],
    images: {},
    lastLines: [],
  }
}
