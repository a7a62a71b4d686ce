import type { Failure, Step, TaskEvent } from '../src/core/task.ts'
import { UNKNOWN_HEALTH } from '../src/core/task-life.ts'
import type { HealthNews } from '../src/core/task-probe.ts'
import { orAbandon } from '../src/lib/abandon.ts'
import type { Clock } from '../src/lib/clock.ts'
import { messageOf, StuckError, TerminalError } from '../src/lib/errors.ts'
import type { Logger } from '../src/lib/log.ts'
import type { Semaphore } from '../src/lib/semaphore.ts'
import type { Millis, TaskId } from '../src/model/ids.ts'
import type { TaskSpec } from '../src/model/task-spec.ts'
import type { Artifacts } from './artifacts/artifacts.ts'
import type { Contact } from './contact.ts'
import type { AttemptRef, Driver, Exit, Handle, Prepared } from './driver.ts'
import { lastLines } from './last-lines.ts'
import { createProber, type Prober } from './prober.ts'
import { NO_SECRETS, type OpenedSecrets, type OpenSecret, openSecrets, withoutSecrets, withoutWords } from './secrets.ts'

/** No back-off is longer, so a wall clock that jumped back cannot stretch one. */
const SLEEP_MAX: Millis = 300_000

export interface StepTools {
  readonly driver: Driver
  readonly clock: Clock
  readonly artifacts: Artifacts
  readonly openSecret: OpenSecret
  readonly contact: Contact
  /** Bounds starts on the whole machine. */
  readonly starts: Semaphore
  readonly log: Logger
}

export interface Subject {
  readonly task: TaskId
  readonly spec: TaskSpec
  readonly tools: StepTools
  /** Aborted when an order comes that makes the step pointless, or when the agent ends. */
  readonly signal: AbortSignal
}

/** What one step leaves for a later one; lost with the agent, which then finds out anew. */
export interface Carried {
  artifacts: Prepared['artifacts']
  /** Null until they are asked for. */
  secrets: OpenedSecrets | null
  /** Of the attempt that runs; whoever drops it ends it. */
  prober: Prober | null
}

type DriverStep = Exclude<Step, { type: 'idle' | 'forget' }>

/** Does one step. Null: it was cut short and nothing can be said. */
export async function perform(step: DriverStep, subject: Subject, carried: Carried): Promise<TaskEvent | null> {
  const event = await done(step, subject, carried)
  if (event === null) return null
  carried.secrets ??= await secretsOfRunning(subject)
  return carried.secrets === null ? withoutWords(event) : withoutSecrets(event, carried.secrets)
}

async function done(step: DriverStep, subject: Subject, carried: Carried): Promise<TaskEvent | null> {
  switch (step.type) {
    case 'prepare':
      return await prepare(subject, carried)
    case 'start':
      return await start(refOf(subject, step.attempt), subject, carried)
    case 'recover':
      return await recover(refOf(subject, step.attempt), subject)
    case 'wait':
      return await waitFor(step, subject, carried)
    case 'stop':
      return await stop(step, subject)
    case 'backOff':
      return await backOff(step.until, subject)
    case 'remove':
      return await remove(refOf(subject, step.attempt), subject)
    default:
      return step satisfies never
  }
}

function failureOf(error: unknown, code: string): Failure {
  if (error instanceof TerminalError) return { retryable: false, code: error.code, message: error.message }
  if (error instanceof StuckError) return { retryable: true, code: 'Stuck', message: error.message }
  return { retryable: true, code, message: messageOf(error) }
}

const refOf = ({ task }: Subject, attempt: number): AttemptRef => ({ task, attempt })

async function prepare({ spec, tools, signal }: Subject, carried: Carried): Promise<TaskEvent | null> {
  try {
    carried.artifacts = await tools.artifacts.prepare(spec, signal)
    carried.secrets = await openSecrets(spec, tools.openSecret, signal)
    return { type: 'prepared', images: await tools.driver.prepare(spec, signal) }
  } catch (error) {
    return signal.aborted ? null : { type: 'prepareFailed', failure: failureOf(error, 'PrepareFailed') }
  }
}

/** Once the driver is called nothing cuts it short: its answer decides what is on the machine. */
async function start(ref: AttemptRef, subject: Subject, carried: Carried): Promise<TaskEvent> {
  const { spec, tools, signal } = subject
  const attempt = { called: false }
  const prepared: Prepared = { artifacts: carried.artifacts, secrets: carried.secrets ?? NO_SECRETS }
  try {
    const handle = await tools.starts.run(async () => {
      signal.throwIfAborted()
      attempt.called = true
      return await tools.driver.start(ref, spec, prepared)
    }, signal)
    const prober = createProber({ ...tools, ...prepared, handle, spec, startedAt: tools.clock.now(), known: UNKNOWN_HEALTH })
    carried.prober = prober
    await prober.first(signal)
    return { type: 'started', ref: handle.ref, ready: prober.health().ready }
  } catch (error) {
    if (!attempt.called) return { type: 'startNotCalled', failure: null }
    return { type: 'startFailed', failure: failureOf(error, 'StartFailed') }
  }
}

async function recover(ref: AttemptRef, { tools, signal }: Subject): Promise<TaskEvent | null> {
  try {
    const found = await orAbandon(tools.driver.recover(ref), signal)
    if (found.state === 'attached') return { type: 'attached', ref: found.handle.ref }
    return { type: found.state === 'never-started' ? 'neverStarted' : 'goneMissing' }
  } catch (error) {
    return signal.aborted ? null : { type: 'stepFailed', failure: { ...failureOf(error, 'RecoverFailed'), retryable: true } }
  }
}

type Wait = Extract<Step, { type: 'wait' }>

async function waitFor(step: Wait, subject: Subject, carried: Carried): Promise<TaskEvent | null> {
  const { tools, signal, spec, task } = subject
  const handle: Handle = { task, attempt: step.attempt, ref: step.ref }
  const over = new AbortController()
  const onAbort = (): void => over.abort(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    if (signal.aborted) return null
    carried.secrets ??= await secretsOfRunning(subject)
    const secrets = carried.secrets ?? NO_SECRETS
    carried.prober ??= createProber({ ...tools, secrets, handle, spec, startedAt: step.startedAt, known: step.known })
    const exited = exitOf(tools.driver, handle, over.signal)
    const seen = await Promise.race([exited, carried.prober.next(step.known, over.signal), cutOff(subject, over.signal)])
    const told = await withLastLines(seen, () => lastLines(tools, handle, signal))
    return told.type === 'unhealthy' ? await unlessExited(told, exited) : told
  } catch (error) {
    if (signal.aborted) return null
    const failure = failureOf(error, 'WaitFailed')
    return error instanceof StuckError ? { type: 'stuck', failure } : { type: 'stepFailed', failure }
  } finally {
    signal.removeEventListener('abort', onAbort)
    over.abort()
  }
}

/** Of a task that an agent before this one started. It runs on without: only commands of probes would want them. Null: they cannot be opened. */
async function secretsOfRunning({ spec, task, tools, signal }: Subject): Promise<OpenedSecrets | null> {
  try {
    return await openSecrets(spec, tools.openSecret, signal)
  } catch (error) {
    if (!signal.aborted) tools.log.warn({ task, error: messageOf(error) }, 'secrets of a running task cannot be opened')
    return null
  }
}

interface Exited {
  readonly type: 'exited'
  readonly exit: Exit
}

async function exitOf(driver: Driver, handle: Handle, signal: AbortSignal): Promise<Exited> {
  return { type: 'exited', exit: await driver.wait(handle, signal) }
}

interface CutOff {
  readonly type: 'cutOff'
  readonly seconds: number
}

/** Only of a task that may not run for ever without a control plane. */
async function cutOff({ spec: { stopLocal }, tools }: Subject, signal: AbortSignal): Promise<CutOff> {
  if (stopLocal === undefined) return await new Promise(() => undefined)
  await tools.contact.lostFor(stopLocal.afterSeconds * 1000, signal)
  signal.throwIfAborted()
  return { type: 'cutOff', seconds: stopLocal.afterSeconds }
}

export const isCutOff = ({ stopLocal }: TaskSpec, contact: Contact): boolean =>
  stopLocal !== undefined && contact.isLostFor(stopLocal.afterSeconds * 1000)

/** What ended by itself meanwhile did not answer because of that: its exit tells more. */
async function unlessExited(told: Extract<TaskEvent, { type: 'unhealthy' }>, exited: Promise<Exited>): Promise<TaskEvent> {
  const last = await Promise.race([exited, told])
  return last.type === 'exited' ? { ...last, lastLines: told.lastLines } : last
}

/** What went well needs no last words. */
async function withLastLines(seen: Exited | HealthNews | CutOff, read: () => Promise<readonly string[]>): Promise<TaskEvent> {
  switch (seen.type) {
    case 'exited':
      return { ...seen, lastLines: seen.exit.exitCode === 0 && seen.exit.signal === null ? [] : await read() }
    case 'unready':
    case 'unhealthy':
      return { type: seen.type, reason: seen.reason, lastLines: await read() }
    default:
      return seen
  }
}

/** The end is waited for by the driver; when the agent ends first, the next one stops it again. */
async function stop(step: Extract<Step, { type: 'stop' }>, { task, spec, tools, signal }: Subject): Promise<TaskEvent | null> {
  const handle: Handle = { task, attempt: step.attempt, ref: step.ref }
  try {
    const grace = step.by === 'cutOff' && spec.stopLocal !== undefined ? spec.stopLocal.graceSeconds : spec.gracePeriodSeconds
    await orAbandon(tools.driver.stop(handle, grace * 1000), signal)
    const exit = await tools.driver.wait(handle, signal)
    return { type: 'stopped', exit, lastLines: step.by === 'order' ? [] : await lastLines(tools, handle, signal) }
  } catch (error) {
    return signal.aborted ? null : { type: 'stepFailed', failure: failureOf(error, 'StopFailed') }
  }
}

async function backOff(until: Millis, { tools, signal }: Subject): Promise<TaskEvent | null> {
  try {
    await tools.clock.sleep(Math.min(SLEEP_MAX, until - tools.clock.now()), signal)
    return { type: 'due' }
  } catch (error) {
    if (!signal.aborted) throw error
    return null
  }
}

async function remove(ref: AttemptRef, { tools, signal }: Subject): Promise<TaskEvent | null> {
  try {
    await orAbandon(tools.driver.remove(ref), signal)
    return { type: 'removed', attempt: ref.attempt }
  } catch (error) {
    return signal.aborted ? null : { type: 'removeFailed', attempt: ref.attempt, failure: failureOf(error, 'RemoveFailed') }
  }
}
