import type { Millis, TaskId } from '../model/ids.ts'
import type { Reason } from '../model/reason.ts'
import type { AttemptRecord, ObservedPhase, TaskStatus } from '../model/task.ts'
import type { TaskSpec } from '../model/task-spec.ts'
import type { KnownHealth } from './task-probe.ts'

/** What the control plane wants; only moves from left to right. `gone`: stop it and remove every trace. */
export type Desired = 'run' | 'stop' | 'gone'

export type EndPhase = Extract<ObservedPhase, 'Succeeded' | 'Failed' | 'Stopped' | 'Lost' | 'Rejected'>

/** Where one attempt is. Data stands only in the phase in which it exists; `ref` is the driver's own. */
export type Life =
  /** Nothing of this attempt is on the machine. */
  | { readonly phase: 'Preparing' }
  /** The intent is written down; the driver's start was called, or is about to be. */
  | { readonly phase: 'Starting' }
  /** It may be on the machine: only the driver can tell. People go on seeing `was`. */
  | ({
      readonly phase: 'Recovering'
      readonly was: 'Starting' | 'Running' | 'Stopping'
      readonly startedAt: Millis | null
      readonly because: Reason | null
    } & KnownHealth)
  | ({ readonly phase: 'Running'; readonly ref: string; readonly startedAt: Millis } & KnownHealth)
  /** `because`: what is wrong with it, so it is restarted; null when an order stops it, or when it has ended and will not go. */
  | { readonly phase: 'Stopping'; readonly ref: string; readonly startedAt: Millis | null; readonly because: Reason | null }
  | { readonly phase: 'Ended'; readonly as: EndPhase }
  /** Every trace is gone; only the journal entry is left to forget. */
  | { readonly phase: 'Removed' }

/** An attempt that is over but still has logs, a container or a directory on the machine. */
interface Leftover {
  readonly attempt: number
  readonly ref: string | null
  /** Its removal failed once; tried again only when the whole task goes. */
  readonly stuck: boolean
}

export type RestartRule = Pick<TaskSpec, 'restartPolicy' | 'maxRestarts'>

/** All that an agent knows of one task; kept in its journal as JSON. */
export interface AgentTask {
  readonly task: TaskId
  readonly rule: RestartRule
  readonly desired: Desired
  readonly attempt: number
  /** Failed attempts over the whole life; what `maxRestarts` bounds. */
  readonly failures: number
  /** Ends in a row without a calm stretch; what the back-off grows with. */
  readonly ends: number
  /** Failed calls in a row (prepare, start, recover, stop, remove); no attempt is used up by them. */
  readonly tries: number
  /** Do nothing before this moment of the wall clock. */
  readonly until: Millis | null
  readonly everStarted: boolean
  readonly reasons: readonly Reason[]
  readonly records: readonly AttemptRecord[]
  readonly leftovers: readonly Leftover[]
  /** What each image was resolved to, by container name. */
  readonly images: Readonly<Record<string, string>>
  /** Last words of the newest attempt that failed, or whose probe fails. */
  readonly lastLines: readonly string[]
  readonly life: Life
}

/** A task nobody has heard of before. `found`: an attempt of it that the machine holds although the journal does not. */
export function initialState(order: { task: TaskId; rule: RestartRule; desired: Desired; found: number | null }): AgentTask {
  const { task, rule, desired, found } = order
  return {
    task,
    rule: { restartPolicy: rule.restartPolicy, maxRestarts: rule.maxRestarts },
    desired,
    attempt: found ?? 1,
    failures: 0,
    ends: 0,
    tries: 0,
    until: null,
    everStarted: false,
    reasons: [],
    records: [],
    leftovers: [],
    images: {},
    lastLines: [],
    life: initialLife(desired, found),
  }
}

/** Nothing is known of how it is. */
export const UNKNOWN_HEALTH: KnownHealth = { startup: 'pending', ready: false, unready: null }

function initialLife(desired: Desired, found: number | null): Life {
  if (found !== null) return { phase: 'Recovering', was: 'Starting', startedAt: null, because: null, ...UNKNOWN_HEALTH }
  if (desired === 'run') return { phase: 'Preparing' }
  return desired === 'stop' ? { phase: 'Ended', as: 'Stopped' } : { phase: 'Removed' }
}

/** What people and the control plane see. */
export function statusOf(state: AgentTask): TaskStatus {
  const { life } = state
  return {
    task: state.task,
    attempt: state.attempt,
    phase: shownPhase(life),
    ready: 'ready' in life && shownPhase(life) === 'Running' && life.ready,
    failures: state.failures,
    reasons: [...healthReasons(life), ...state.reasons],
    backoffUntil: life.phase === 'Preparing' || life.phase === 'Recovering' ? state.until : null,
    startedAt: startedAt(state),
    attempts: [...state.records],
    images: { ...state.images },
    lastLines: [...state.lastLines],
  }
}

/** What is wrong with the attempt itself, before what is wrong with a call for it. */
function healthReasons(life: Life): Reason[] {
  const because = 'because' in life ? life.because : null
  const unready = 'unready' in life ? life.unready : null
  return [because, unready].filter((reason) => reason !== null)
}

function shownPhase(life: Life): ObservedPhase {
  switch (life.phase) {
    case 'Recovering':
      return life.was
    case 'Ended':
      return life.as
    case 'Removed':
      return 'Stopped'
    default:
      return life.phase
  }
}

function startedAt(state: AgentTask): Millis | null {
  if ('startedAt' in state.life) return state.life.startedAt
  const last = state.records.at(-1)
  return last?.attempt === state.attempt ? last.startedAt : null
}
