/**
 * The life of one task on one machine: which driver call comes next, and what its outcome means.
 * Pure; `runtime/task-runner.ts` does the calls and keeps the state in the journal.
 *
 * Promises: an attempt is started at most once (a start that may have happened is only ever *asked about*),
 * it gets exactly one record if it started and none if it did not, attempts only grow,
 * and what `statusOf` shows never goes back.
 */
import type { Millis } from '../model/ids.ts'
import type { Reason } from '../model/reason.ts'
import { retryDelay } from './restart.ts'
import { type AttemptEnd, CUT_OFF, type Exit, endAttempt } from './task-end.ts'
import { type AgentTask, type Desired, type Life, type RestartRule, UNKNOWN_HEALTH } from './task-life.ts'
import type { KnownHealth } from './task-probe.ts'
import { short } from './task-text.ts'

export type Step =
  /** Pull, unpack, check; nothing of the attempt is on the machine yet. */
  | { readonly type: 'prepare' }
  | { readonly type: 'start'; readonly attempt: number }
  /** Ask the driver what became of this attempt. */
  | { readonly type: 'recover'; readonly attempt: number }
  /** Until it exits, or there is news of how it is. */
  | { readonly type: 'wait'; readonly attempt: number; readonly ref: string; readonly startedAt: Millis; readonly known: KnownHealth }
  | { readonly type: 'stop'; readonly attempt: number; readonly ref: string; readonly by: 'order' | 'itself' | 'cutOff' }
  | { readonly type: 'backOff'; readonly until: Millis }
  | { readonly type: 'remove'; readonly attempt: number }
  /** Every trace is gone: drop the journal entry, the loop ends. */
  | { readonly type: 'forget' }
  /** Nothing to do until an order comes. */
  | { readonly type: 'idle' }

export interface Failure {
  /** False: trying the same again cannot work. */
  readonly retryable: boolean
  readonly code: string
  readonly message: string
}

export type TaskEvent =
  | { readonly type: 'assigned'; readonly desired: Desired; readonly rule: RestartRule }
  /** The state was read from the journal: whatever was under way may or may not have happened. */
  | { readonly type: 'agentRestarted' }
  | { readonly type: 'due' }
  | { readonly type: 'prepared'; readonly images: Readonly<Record<string, string>> }
  | { readonly type: 'prepareFailed'; readonly failure: Failure }
  | { readonly type: 'started'; readonly ref: string; readonly ready: boolean }
  /** The driver's start was called and failed: the attempt may still have started. */
  | { readonly type: 'startFailed'; readonly failure: Failure }
  /** The driver's start was not called. `failure` null: an order came first. */
  | { readonly type: 'startNotCalled'; readonly failure: Failure | null }
  | { readonly type: 'attached'; readonly ref: string }
  | { readonly type: 'neverStarted' }
  | { readonly type: 'goneMissing' }
  | { readonly type: 'startupPassed' }
  | { readonly type: 'ready' }
  /** A threshold says that it is not ready, or says so in other words. */
  | { readonly type: 'unready'; readonly reason: Reason; readonly lastLines: readonly string[] }
  /** It runs but has to be restarted. */
  | { readonly type: 'unhealthy'; readonly reason: Reason; readonly lastLines: readonly string[] }
  /** It may not run any longer without a control plane. */
  | { readonly type: 'cutOff'; readonly seconds: number }
  | { readonly type: 'exited'; readonly exit: Exit; readonly lastLines: readonly string[] }
  /** It has ended by itself, but for processes that cannot be killed: until they are gone it is not over. */
  | { readonly type: 'stuck'; readonly failure: Failure }
  | { readonly type: 'stopped'; readonly exit: Exit; readonly lastLines: readonly string[] }
  /** Waiting, recovering or stopping did not work. Not retryable: there is nothing to wait for or to stop. */
  | { readonly type: 'stepFailed'; readonly failure: Failure }
  | { readonly type: 'removed'; readonly attempt: number }
  | { readonly type: 'removeFailed'; readonly attempt: number; readonly failure: Failure }

/** Ended attempts that stay on the machine for their logs; the container or directory of an older one goes. */
export const LEFTOVERS_KEPT = 3

/** The one next thing to do. */
export function nextStep(state: AgentTask, now: Millis): Step {
  const { life } = state
  const surplus = life.phase === 'Preparing' ? surplusLeftover(state) : null
  if (surplus !== null) return { type: 'remove', attempt: surplus }
  if (state.until !== null && state.until > now) return { type: 'backOff', until: state.until }
  switch (life.phase) {
    case 'Preparing':
      return { type: 'prepare' }
    case 'Starting':
      return { type: 'start', attempt: state.attempt }
    case 'Recovering':
      return { type: 'recover', attempt: state.attempt }
    case 'Running':
      return { type: 'wait', attempt: state.attempt, ref: life.ref, startedAt: life.startedAt, known: knownOf(life) }
    case 'Stopping':
      return { type: 'stop', attempt: state.attempt, ref: life.ref, by: stoppedBy(state, life) }
    case 'Ended':
      return leavingStep(state)
    case 'Removed':
      return { type: 'forget' }
    default:
      return life satisfies never
  }
}

/** What is stopped for its health, or only because it will not go after its end, is wanted all the same. */
function stoppedBy({ desired }: AgentTask, { because }: Stopping): 'order' | 'itself' | 'cutOff' {
  if (because?.code === CUT_OFF) return 'cutOff'
  return because === null && desired !== 'run' ? 'order' : 'itself'
}

function surplusLeftover(state: AgentTask): number | null {
  const removable = state.leftovers.filter((one) => !one.stuck)
  return removable.length > LEFTOVERS_KEPT ? (removable[0]?.attempt ?? null) : null
}

function leavingStep(state: AgentTask): Step {
  const [first] = state.leftovers
  return state.desired === 'gone' && first !== undefined ? { type: 'remove', attempt: first.attempt } : { type: 'idle' }
}

/** The state after `event`. An event that does not belong to the present phase changes nothing. */
export function onResult(state: AgentTask, event: TaskEvent, now: Millis): AgentTask {
  const handle = HANDLERS[event.type] as Handler<TaskEvent>
  return obey(handle(state, event, now))
}

type Handler<E extends TaskEvent> = (state: AgentTask, event: E, now: Millis) => AgentTask

/** A row says what one event means; the phase in which it belongs is checked there. */
const HANDLERS: { readonly [K in TaskEvent['type']]: Handler<Extract<TaskEvent, { type: K }>> } = {
  assigned: (state, event) => {
    const desired = further(state.desired, event.desired)
    const { restartPolicy, maxRestarts } = event.rule
    const same = desired === state.desired && restartPolicy === state.rule.restartPolicy && maxRestarts === state.rule.maxRestarts
    return same ? state : { ...state, desired, rule: { restartPolicy, maxRestarts } }
  },
  agentRestarted: (state) => ({ ...state, life: asked(state.life) }),
  due: (state) => ({ ...state, until: null }),
  prepared: (state, { images }) =>
    state.life.phase === 'Preparing'
      ? { ...state, until: null, reasons: [], images: { ...images, ...state.images }, life: { phase: 'Starting' } }
      : state,
  prepareFailed: (state, { failure }, now) => (state.life.phase === 'Preparing' ? tryAgainOrGiveUp(state, failure, now) : state),
  started: (state, { ref, ready }, now) =>
    state.life.phase === 'Starting' ? running(state, { phase: 'Running', ref, startedAt: now, ...UNKNOWN_HEALTH, ready }) : state,
  startFailed: (state, { failure }, now) => {
    if (state.life.phase !== 'Starting') return state
    const doubtful: AgentTask = { ...state, life: asked(state.life) }
    return failure.retryable ? paused(doubtful, failure, now) : givenUp(withLeftover(state), failure)
  },
  startNotCalled: (state, { failure }, now) => {
    if (state.life.phase !== 'Starting') return state
    const next: AgentTask = { ...state, attempt: state.attempt + 1, life: { phase: 'Preparing' } }
    return state.desired === 'run' ? paused(next, failure, now) : { ...state, life: { phase: 'Ended', as: 'Stopped' } }
  },
  attached: (state, { ref }, now) => (state.life.phase === 'Recovering' ? attached(state, state.life, { ref, now }) : state),
  neverStarted: (state, _event, now) => (state.life.phase === 'Recovering' ? neverStarted(state, state.life, now) : state),
  goneMissing: (state, _event, now) => (state.life.phase === 'Recovering' ? endAttempt(state, lost(now), now) : state),
  startupPassed: (state) => (state.life.phase === 'Running' ? { ...state, life: { ...state.life, startup: 'passed' } } : state),
  ready: (state) => (state.life.phase === 'Running' ? nowReady(state, state.life) : state),
  unready: (state, { reason, lastLines }) =>
    state.life.phase === 'Running' ? { ...state, lastLines, life: { ...state.life, ready: false, unready: reason } } : state,
  unhealthy: (state, { reason, lastLines }) => {
    if (state.life.phase !== 'Running') return state
    const { ref, startedAt } = state.life
    return { ...state, lastLines, life: { phase: 'Stopping', ref, startedAt, because: reason } }
  },
  cutOff: (state, { seconds }) => {
    if (state.life.phase !== 'Running') return state
    const { ref, startedAt } = state.life
    const because = { code: CUT_OFF, message: `no control plane was heard of for ${seconds} s`, count: 1 }
    return { ...state, life: { phase: 'Stopping', ref, startedAt, because } }
  },
  exited: (state, { exit, lastLines }, now) => (state.life.phase === 'Running' ? endAttempt(state, { ...exit, lastLines }, now) : state),
  stuck: (state, { failure }, now) => {
    if (state.life.phase !== 'Running') return state
    const { ref, startedAt } = state.life
    return paused({ ...state, life: { phase: 'Stopping', ref, startedAt, because: null } }, failure, now)
  },
  stopped: (state, { exit, lastLines }, now) => {
    if (state.life.phase !== 'Stopping') return state
    return endAttempt(state, { ...(state.desired === 'run' ? exit : asStopped(exit)), lastLines }, now)
  },
  stepFailed: (state, { failure }, now) => {
    const { phase } = state.life
    if (phase !== 'Running' && phase !== 'Recovering' && phase !== 'Stopping') return state
    if (!failure.retryable && phase !== 'Recovering') return endAttempt(state, { ...lost(now), reason: failure.code }, now)
    return paused({ ...state, life: phase === 'Stopping' ? state.life : asked(state.life) }, failure, now)
  },
  removed: (state, { attempt }) => ({
    ...state,
    tries: state.life.phase === 'Ended' ? 0 : state.tries,
    leftovers: state.leftovers.filter((one) => one.attempt !== attempt),
  }),
  removeFailed: (state, { attempt, failure }, now) => {
    const leftovers = state.leftovers.map((one) => (one.attempt === attempt ? { ...one, stuck: true } : one))
    return state.life.phase === 'Ended' ? paused(state, failure, now) : { ...state, leftovers }
  },
}

/** Whatever happened, the order comes first: nothing goes on that nobody wants. */
function obey(state: AgentTask): AgentTask {
  const { life, desired } = state
  if (desired === 'run') return state
  if (life.phase === 'Preparing') return obey({ ...state, until: null, reasons: [], life: { phase: 'Ended', as: 'Stopped' } })
  if (life.phase === 'Running') {
    const { ref, startedAt } = life
    return { ...state, until: null, life: { phase: 'Stopping', ref, startedAt, because: null } }
  }
  if (life.phase === 'Ended' && desired === 'gone' && state.leftovers.length === 0)
    return { ...state, until: null, life: { phase: 'Removed' } }
  return state
}

const ORDER: readonly Desired[] = ['run', 'stop', 'gone']
const further = (a: Desired, b: Desired): Desired => (ORDER.indexOf(b) > ORDER.indexOf(a) ? b : a)

/** What may be on the machine has to be asked for. */
function asked(life: Life): Life {
  const nothing = { because: null, ...UNKNOWN_HEALTH }
  switch (life.phase) {
    case 'Starting':
      return { ...nothing, phase: 'Recovering', was: 'Starting', startedAt: null }
    case 'Running':
      return { ...nothing, phase: 'Recovering', was: 'Running', startedAt: life.startedAt, ...knownOf(life) }
    case 'Stopping':
      return { ...nothing, phase: 'Recovering', was: 'Stopping', startedAt: life.startedAt, because: life.because }
    default:
      return life
  }
}

const knownOf = ({ startup, ready, unready }: KnownHealth): KnownHealth => ({ startup, ready, unready })

type Running = Extract<Life, { phase: 'Running' }>
type Stopping = Extract<Life, { phase: 'Stopping' }>
type Recovering = Extract<Life, { phase: 'Recovering' }>

function running(state: AgentTask, life: Running): AgentTask {
  return { ...state, tries: 0, until: null, everStarted: true, reasons: [], life }
}

/** Nothing is left for a startup probe to ask; the lines of a probe that failed are old news. */
function nowReady(state: AgentTask, life: Running): AgentTask {
  const lastLines = life.unready === null ? state.lastLines : []
  return { ...state, lastLines, life: { ...life, startup: 'passed', ready: true, unready: null } }
}

function attached(state: AgentTask, life: Recovering, { ref, now }: { ref: string; now: Millis }): AgentTask {
  const startedAt = life.startedAt ?? now
  const again = running(state, { phase: 'Running', ref, startedAt, ...knownOf(life) })
  return life.was === 'Stopping' ? { ...again, life: { phase: 'Stopping', ref, startedAt, because: life.because } } : again
}

/** Safe to go on with the next attempt, and nobody's failure. A start that was seen to happen is lost instead. */
function neverStarted(state: AgentTask, life: Recovering, now: Millis): AgentTask {
  if (life.was !== 'Starting') return endAttempt(state, lost(now), now)
  const clean = withLeftover(state)
  if (state.desired !== 'run') return { ...clean, until: null, reasons: [], life: { phase: 'Ended', as: 'Stopped' } }
  return { ...clean, until: null, attempt: state.attempt + 1, life: { phase: 'Preparing' } }
}

const withLeftover = (state: AgentTask): AgentTask => ({
  ...state,
  leftovers: [...state.leftovers, { attempt: state.attempt, ref: null, stuck: false }],
})

/** Wait longer each time; the phase stays, so no attempt is used up. */
function paused(state: AgentTask, failure: Failure | null, now: Millis): AgentTask {
  if (failure === null) return state
  const tries = state.tries + 1
  const reasons = [{ code: failure.code, message: short(failure.message), count: tries }]
  return { ...state, tries, until: now + retryDelay(tries), reasons }
}

function tryAgainOrGiveUp(state: AgentTask, failure: Failure, now: Millis): AgentTask {
  return failure.retryable ? paused(state, failure, now) : givenUp(state, failure)
}

/** Rejected: it never ran here, so another machine may do better. Failed: it did run here. */
function givenUp(state: AgentTask, failure: Failure): AgentTask {
  const reasons = [{ code: failure.code, message: short(failure.message), count: 1 }]
  if (state.desired !== 'run') return { ...state, until: null, reasons: [], life: { phase: 'Ended', as: 'Stopped' } }
  return { ...state, until: null, reasons, life: { phase: 'Ended', as: state.everStarted ? 'Failed' : 'Rejected' } }
}

const lost = (now: Millis): AttemptEnd => ({
  ...{ exitCode: null, signal: null, reason: 'LostUnknownExit' },
  ...{ startedAt: null, finishedAt: now, peakMemoryBytes: null, lastLines: [] },
})

/** It ended because it was told to; other causes (OOMKilled, HostReboot) are worth keeping. */
const asStopped = (exit: Exit): Exit => (exit.reason === 'Completed' || exit.reason === 'Error' ? { ...exit, reason: 'Stopped' } : exit)
