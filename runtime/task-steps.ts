import type { Failure, Step, TaskEvent } from '../src/core/task.ts'
import { orAbandon } from '../src/lib/abandon.ts'
import type { Clock } from '../src/lib/clock.ts'
import { messageOf, TerminalError } from '../src/lib/errors.ts'
import type { Logger } from '../src/lib/log.ts'
import type { Semaphore } from '../src/lib/semaphore.ts'
import type { Millis, TaskId } from '../src/model/ids.ts'
import type { TaskSpec } from '../src/model/task-spec.ts'
import type { AttemptRef, Driver, Handle, PreparedFiles } from './driver.ts'

/** How often an attempt that is not ready yet is asked, at first and at most. */
const READY_POLL_MIN: Millis = 100
const READY_POLL_MAX: Millis = 1_000
/** No back-off is longer, so a wall clock that jumped back cannot stretch one. */
const SLEEP_MAX: Millis = 300_000

/** Gives the folders of a task's trees, fetching what is not on the machine. @throws RetryableError, TerminalError */
type PrepareFiles = (spec: TaskSpec, signal: AbortSignal) => Promise<PreparedFiles>

export interface StepTools {
  readonly driver: Driver
  readonly clock: Clock
  readonly prepareFiles: PrepareFiles
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

/** What `prepare` left for `start`; lost with the agent, which then prepares again. */
export interface Prepared {
  files: PreparedFiles
}

type DriverStep = Exclude<Step, { type: 'idle' | 'forget' }>

/** Does one step. Null: it was cut short and nothing can be said. */
export async function perform(step: DriverStep, subject: Subject, prepared: Prepared): Promise<TaskEvent | null> {
  switch (step.type) {
    case 'prepare':
      return await prepare(subject, prepared)
    case 'start':
      return await start(refOf(subject, step.attempt), subject, prepared)
    case 'recover':
      return await recover(refOf(subject, step.attempt), subject)
    case 'wait':
      return await waitFor(step, subject)
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
  return { retryable: true, code, message: messageOf(error) }
}

const refOf = ({ task }: Subject, attempt: number): AttemptRef => ({ task, attempt })

async function prepare({ spec, tools, signal }: Subject, prepared: Prepared): Promise<TaskEvent | null> {
  try {
    prepared.files = await tools.prepareFiles(spec, signal)
    await tools.driver.prepare(spec, signal)
    return { type: 'prepared' }
  } catch (error) {
    return signal.aborted ? null : { type: 'prepareFailed', failure: failureOf(error, 'PrepareFailed') }
  }
}

/** Once the driver is called nothing cuts it short: its answer decides what is on the machine. */
async function start(ref: AttemptRef, { spec, tools, signal }: Subject, prepared: Prepared): Promise<TaskEvent> {
  const attempt = { called: false }
  try {
    return await tools.starts.run(async () => {
      signal.throwIfAborted()
      attempt.called = true
      const handle = await tools.driver.start(ref, spec, prepared.files)
      return { type: 'started', ref: handle.ref, ready: await isReady(tools, handle) }
    }, signal)
  } catch (error) {
    if (!attempt.called) return { type: 'startNotCalled', failure: null }
    return { type: 'startFailed', failure: failureOf(error, 'StartFailed') }
  }
}

/** A driver that cannot tell now is asked again later. */
async function isReady({ driver, log }: StepTools, handle: Handle): Promise<boolean> {
  try {
    return await driver.ready(handle)
  } catch (error) {
    log.debug({ task: handle.task, attempt: handle.attempt, error: messageOf(error) }, 'readiness not known')
    return false
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

async function waitFor(step: Wait, subject: Subject): Promise<TaskEvent | null> {
  const { tools, signal, task } = subject
  const handle: Handle = { task, attempt: step.attempt, ref: step.ref }
  const over = new AbortController()
  const onAbort = (): void => over.abort(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    if (signal.aborted) return null
    const exited = exitOf(tools.driver, handle, over.signal)
    return await (step.ready ? exited : Promise.race([exited, readiness(handle, tools, over.signal)]))
  } catch (error) {
    return signal.aborted ? null : { type: 'stepFailed', failure: failureOf(error, 'WaitFailed') }
  } finally {
    signal.removeEventListener('abort', onAbort)
    over.abort()
  }
}

async function exitOf(driver: Driver, handle: Handle, signal: AbortSignal): Promise<TaskEvent> {
  return { type: 'exited', exit: await driver.wait(handle, signal) }
}

async function readiness(handle: Handle, tools: StepTools, signal: AbortSignal): Promise<TaskEvent> {
  for (let pause = READY_POLL_MIN; ; pause = Math.min(READY_POLL_MAX, pause * 2)) {
    if (await isReady(tools, handle)) return { type: 'ready' }
    await tools.clock.sleep(pause, signal)
  }
}

/** The end is waited for by the driver; when the agent ends first, the next one stops it again. */
async function stop(step: Extract<Step, { type: 'stop' }>, { task, spec, tools, signal }: Subject): Promise<TaskEvent | null> {
  const handle: Handle = { task, attempt: step.attempt, ref: step.ref }
  try {
    await orAbandon(tools.driver.stop(handle, spec.gracePeriodSeconds * 1000), signal)
    return { type: 'stopped', exit: await tools.driver.wait(handle, signal) }
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
