/**
 * Probes of one unit of an attempt, with Kubernetes' semantics: thresholds count answers in a row, the startup probe
 * comes before the others, readiness begins as "not ready", liveness as passed.
 * Pure; `runtime/unit-probes.ts` asks and keeps the state. Times are of the monotonic clock.
 */
import type { Millis } from '../model/ids.ts'
import type { ProbeSpec, ProbeSpecs } from '../model/probe.ts'
import { type Reason, reasonOf } from '../model/reason.ts'
import { short } from './task-text.ts'

export type ProbeKind = keyof ProbeSpecs

/** `unknown`: nobody could ask, which says nothing of the task. */
export type Answer = { readonly type: 'passed' } | { readonly type: 'failed'; readonly message: string } | { readonly type: 'unknown' }

interface ProbeState {
  /** What it counts as; `open`: neither threshold was reached yet. */
  readonly stands: 'open' | 'passed' | 'failed'
  readonly last: 'passed' | 'failed' | null
  /** Answers like the last one, in a row. */
  readonly row: number
  readonly due: Millis
  /** Why it counts as failed, and since when it says so in these words. */
  readonly failure: { readonly message: string; readonly since: Millis } | null
}

/** Null: not given, or there is nothing left to ask. */
export type Probes = Readonly<Record<ProbeKind, ProbeState | null>>

/** How an attempt is, as far as its probes or its own health check tell. */
export interface Health {
  readonly startup: 'none' | 'pending' | 'passed'
  readonly ready: boolean
  /** Why it is not ready, when a threshold says so. */
  readonly unready: Reason | null
  /** Why it has to be restarted. */
  readonly unhealthy: Reason | null
}

/** What is known of an attempt already, perhaps from before the agent restarted. */
export interface KnownHealth {
  readonly startup: 'pending' | 'passed'
  readonly ready: boolean
  readonly unready: Reason | null
}

export type HealthNews =
  | { readonly type: 'unhealthy' | 'unready'; readonly reason: Reason }
  | { readonly type: 'ready' }
  | { readonly type: 'startupPassed' }

/** A message that is another every time (a time, a count) would else be a report at every period. */
const MESSAGE_STEADY: Millis = 30_000

/** The probes of an attempt that started at `startedAt`, or goes on with what is `known` of it. */
export function firstProbes(specs: ProbeSpecs, known: KnownHealth, startedAt: Millis): Probes {
  const begin = (spec: ProbeSpec | undefined, stands: ProbeState['stands']): ProbeState | null =>
    spec === undefined ? null : { stands, last: null, row: 0, due: startedAt + spec.initialDelaySeconds * 1000, failure: null }
  const readiness = begin(specs.readiness, known.ready ? 'passed' : 'open')
  return {
    startup: known.startup === 'passed' || known.ready ? null : begin(specs.startup, 'open'),
    readiness: readiness === null || known.unready === null ? readiness : failedBefore(readiness, known.unready),
    liveness: begin(specs.liveness, 'passed'),
  }
}

const failedBefore = (state: ProbeState, { message }: Reason): ProbeState => ({
  ...state,
  stands: 'failed',
  failure: { message, since: Number.NEGATIVE_INFINITY },
})

/** When this probe is to be asked next; null: not before another one has passed, or never again. */
export function dueAt(probes: Probes, kind: ProbeKind): Millis | null {
  if (unhealthyReason(probes) !== null) return null
  const startupOpen = probes.startup !== null && probes.startup.stands === 'open'
  if (startupOpen !== (kind === 'startup')) return null
  return probes[kind]?.due ?? null
}

export function onAnswer(probes: Probes, asked: { kind: ProbeKind; spec: ProbeSpec; answer: Answer; now: Millis }): Probes {
  const state = probes[asked.kind]
  return state === null ? probes : { ...probes, [asked.kind]: afterAnswer(state, asked) }
}

/** One row of the table: the period starts anew after each answer, and a threshold reached decides what it counts as. */
function afterAnswer(state: ProbeState, { spec, answer, now }: { spec: ProbeSpec; answer: Answer; now: Millis }): ProbeState {
  const due = now + spec.periodSeconds * 1000
  if (answer.type === 'unknown') return { ...state, due }
  const row = answer.type === state.last ? state.row + 1 : 1
  const threshold = answer.type === 'passed' ? spec.successThreshold : spec.failureThreshold
  const stands = row >= threshold ? answer.type : state.stands
  return { stands, last: answer.type, row, due, failure: failureNow({ state, stands, answer, now }) }
}

type Turn = { state: ProbeState; stands: ProbeState['stands']; answer: Exclude<Answer, { type: 'unknown' }>; now: Millis }

function failureNow({ state, stands, answer, now }: Turn): ProbeState['failure'] {
  if (stands !== 'failed') return null
  const said = state.failure
  if (answer.type === 'passed') return said
  const message = short(answer.message)
  if (said !== null && (message === said.message || now - said.since < MESSAGE_STEADY)) return said
  return { message, since: now }
}

const CODES: Readonly<Record<ProbeKind, string>> = {
  startup: 'StartupProbeFailed',
  readiness: 'ReadinessProbeFailed',
  liveness: 'LivenessProbeFailed',
}

function failed(probes: Probes, kind: ProbeKind): Reason | null {
  const failure = probes[kind]?.failure ?? null
  return failure === null ? null : reasonOf(CODES[kind], failure.message)
}

const unhealthyReason = (probes: Probes): Reason | null => failed(probes, 'startup') ?? failed(probes, 'liveness')

export function healthOf(probes: Probes): Health {
  const { startup, readiness } = probes
  const started = startup === null || startup.stands === 'passed'
  return {
    startup: startup === null ? 'none' : started ? 'passed' : 'pending',
    ready: started && (readiness === null || readiness.stands === 'passed'),
    unready: failed(probes, 'readiness'),
    unhealthy: unhealthyReason(probes),
  }
}

/** Several units are ready when all are, and restarted when one has to be. */
export function jointHealth(units: readonly Health[]): Health {
  const startups = units.map((unit) => unit.startup)
  return {
    startup: startups.includes('pending') ? 'pending' : startups.includes('passed') ? 'passed' : 'none',
    ready: units.every((unit) => unit.ready),
    unready: units.find((unit) => unit.unready !== null)?.unready ?? null,
    unhealthy: units.find((unit) => unit.unhealthy !== null)?.unhealthy ?? null,
  }
}

/** The first thing that is not known yet; null: nothing new. Compared by level, so no news can be lost. */
export function newsOf(known: KnownHealth, health: Health): HealthNews | null {
  const { unready, unhealthy } = health
  if (unhealthy !== null) return { type: 'unhealthy', reason: unhealthy }
  if (health.ready) return known.ready ? null : { type: 'ready' }
  if (health.startup === 'passed' && known.startup === 'pending') return { type: 'startupPassed' }
  return unready === null || sameReason(unready, known.unready) ? null : { type: 'unready', reason: unready }
}

const sameReason = (one: Reason, other: Reason | null): boolean => one.code === other?.code && one.message === other.message
