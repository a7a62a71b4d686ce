import { nextStep, onResult, type Step, type TaskEvent } from '../src/core/task.ts'
import { CUT_OFF } from '../src/core/task-end.ts'
import { type AgentTask, type Desired, initialState, statusOf } from '../src/core/task-life.ts'
import { messageOf } from '../src/lib/errors.ts'
import { pause } from '../src/lib/waits.ts'
import type { Millis, TaskId } from '../src/model/ids.ts'
import type { Assignment } from '../src/model/protocol.ts'
import type { TaskStatus } from '../src/model/task.ts'
import type { TaskSpec, UnitSpec } from '../src/model/task-spec.ts'
import type { Journal, JournalEntry } from './journal.ts'
import { type Carried, isCutOff, perform, type StepTools } from './task-steps.ts'

/** Where a runner says what people should see; an adapter over `report.ts`. */
export interface StatusSink {
  publish(status: TaskStatus): void
  /** The control plane asked for it to be forgotten, so it wants to hear no more. */
  withdraw(task: TaskId): void
}

export interface RunnerDeps extends StepTools {
  readonly journal: Journal
  readonly statuses: StatusSink
}

export interface TaskRunner {
  readonly task: TaskId
  /** A newer generation of the order; an older one is the caller's to refuse. */
  order(assignment: Assignment): void
  /** Stop it if need be, remove every trace, forget it. */
  leave(): void
  entry(): JournalEntry
  /** Resolves when the task is forgotten or the agent ends; never rejects for what a driver does. */
  readonly done: Promise<void>
}

/** An order for a task that this machine may hold an attempt of, although the journal does not know it. */
export function newEntry(assignment: Assignment, found: number | null): JournalEntry {
  const { task, desired, spec } = assignment
  return { assignment, state: initialState({ task, desired, rule: spec, found }) }
}

export interface RunnerStart {
  readonly entry: JournalEntry
  /** `journal`: it is written there as it stands. `order`: nobody has written it down yet. */
  readonly from: 'journal' | 'order'
}

/** One task's loop: next step, do it, note the result, say it. Orders come in between. */
export function startRunner(deps: RunnerDeps, start: RunnerStart, signal: AbortSignal): TaskRunner {
  const runner = new Runner(deps, start, signal)
  return {
    task: start.entry.state.task,
    order: (assignment) => runner.order(assignment),
    leave: () => runner.want('gone'),
    entry: () => runner.entry,
    done: runner.run(),
  }
}

class Runner {
  entry: JournalEntry
  readonly #deps: RunnerDeps
  readonly #signal: AbortSignal
  readonly #carried: Carried = { artifacts: {}, secrets: null, prober: null }
  /** Ends the wait, back-off or preparation under way when an order makes it pointless. */
  #interrupt = new AbortController()
  #doing: Step['type'] = 'idle'
  /** The state last written down and told. */
  #kept: { readonly state: AgentTask | null; readonly durable: boolean }

  constructor(deps: RunnerDeps, { entry, from }: RunnerStart, signal: AbortSignal) {
    this.#deps = deps
    this.#signal = signal
    this.entry = entry
    this.#kept = { state: from === 'journal' ? entry.state : null, durable: true }
    if (from === 'journal') this.#tell(entry.state)
  }

  order(assignment: Assignment): void {
    this.entry = { ...this.entry, assignment }
    this.want(assignment.desired)
  }

  want(desired: Desired): void {
    const before = this.entry.state
    this.#apply({ type: 'assigned', desired, rule: this.entry.assignment.spec })
    if (this.entry.state.desired === before.desired) return
    if (desired === 'gone') this.#deps.statuses.withdraw(before.task)
    if (!OUTLASTS_ORDERS.has(this.#doing)) this.#interrupt.abort()
  }

  async run(): Promise<void> {
    const onAbort = (): void => this.#interrupt.abort()
    this.#signal.addEventListener('abort', onAbort, { once: true })
    while (!this.#signal.aborted) {
      this.#interrupt = new AbortController()
      await this.#keep()
      if (this.entry.state.life.phase !== 'Running') this.#endProber()
      const step = nextStep(this.entry.state, this.#deps.clock.now())
      if (step.type === 'forget') {
        await this.#forget()
        break
      }
      const event = await this.#do(step)
      if (event?.type === 'prepared') await this.#intend(event)
      else if (event !== null) this.#apply(event)
    }
    this.#endProber()
    await this.#keep()
    this.#signal.removeEventListener('abort', onAbort)
  }

  #endProber(): void {
    this.#carried.prober?.end()
    this.#carried.prober = null
  }

  async #do(step: Exclude<Step, { type: 'forget' }>): Promise<TaskEvent | null> {
    const { signal } = this.#interrupt
    if (signal.aborted || this.#signal.aborted) return null
    this.#doing = step.type
    try {
      if (step.type === 'idle') return await this.#rest(signal)
      if (step.type === 'start' && !this.#kept.durable) return { type: 'startNotCalled', failure: NOT_WRITTEN }
      const { assignment, state } = this.entry
      if (STARTS.has(step.type) && isCutOff(assignment.spec, this.#deps.contact)) return await this.#untilHeard(step, signal)
      const subject = { task: state.task, spec: pinned(assignment.spec, state.images), tools: this.#deps, signal }
      return await perform(step, subject, this.#carried)
    } finally {
      this.#doing = 'idle'
    }
  }

  /** Until there is an order, or a disk that was full is to be tried again. */
  async #rest(signal: AbortSignal): Promise<null> {
    return this.#kept.durable ? aborted(signal) : pause(this.#deps.clock, WRITE_AGAIN_AFTER, signal).then(() => null)
  }

  /** Nothing that may not run without a control plane is begun without one. */
  async #untilHeard(step: Step, signal: AbortSignal): Promise<TaskEvent | null> {
    if (step.type === 'start') return { type: 'startNotCalled', failure: CUT_OFF_NOW }
    await this.#deps.contact.regained(signal)
    return null
  }

  #apply(event: TaskEvent): void {
    const state: AgentTask = onResult(this.entry.state, event, this.#deps.clock.now())
    this.entry = { ...this.entry, state }
  }

  /**
   * The intent to start is only had once it is written down. Otherwise it was never told either, so that no attempt is
   * used up for nothing, and none is told that a crash would make the agent forget.
   */
  async #intend(event: TaskEvent): Promise<void> {
    const before = this.entry
    const next = { ...before, state: onResult(before.state, event, this.#deps.clock.now()) }
    if (!(await this.#write(next))) this.#apply({ type: 'prepareFailed', failure: NOT_WRITTEN })
    // An order came meanwhile: what it makes of this is written as anything else.
    else if (this.entry !== before) this.#apply(event)
    else {
      this.entry = next
      this.#kept = { state: next.state, durable: true }
      this.#tell(next.state)
    }
  }

  /**
   * Written down, then told. With a full disk only starts are impossible: most else can be asked of the driver again after
   * a crash, so a task can still be stopped. What cannot be is told once the disk has taken it.
   */
  async #keep(): Promise<void> {
    let again = !this.#kept.durable
    while (again || this.#kept.state !== this.entry.state) {
      const { entry } = this
      const isNews = this.#kept.state !== entry.state
      this.#kept = { state: entry.state, durable: await this.#write(entry) }
      if (this.#kept.durable || (isNews && !wouldBeForgotten(entry.state))) this.#tell(entry.state)
      again = false
    }
  }

  async #write(entry: JournalEntry): Promise<boolean> {
    try {
      await this.#deps.journal.save(entry)
      return true
    } catch (error) {
      this.#deps.log.error({ task: entry.state.task, error: messageOf(error) }, 'task state not written')
      return false
    }
  }

  #tell(state: AgentTask): void {
    if (state.desired !== 'gone') this.#deps.statuses.publish(statusOf(state))
  }

  /** A trace that stays in the journal is met again after a restart, and removed then. */
  async #forget(): Promise<void> {
    const { task } = this.entry.state
    try {
      await this.#deps.journal.forget(task)
    } catch (error) {
      this.#deps.log.error({ task, error: messageOf(error) }, 'task not forgotten')
    }
  }
}

/**
 * What an order needs to be done anyway. A question that is given up still reaches the driver: late, it would mark as
 * abandoned what was removed by then, and the mark stay for ever.
 */
const OUTLASTS_ORDERS: ReadonlySet<Step['type']> = new Set(['stop', 'recover'])

/**
 * Neither an order nor the driver repeats it, so that a crash makes the agent forget it: it would find what it stopped by
 * itself running as before, and begin once more what it had given up.
 */
function wouldBeForgotten({ life, desired, records, attempt }: AgentTask): boolean {
  if (life.phase === 'Stopping') return life.because !== null || desired === 'run'
  return life.phase === 'Ended' && desired === 'run' && records.at(-1)?.attempt !== attempt
}

const WRITE_AGAIN_AFTER: Millis = 5_000

const STARTS: ReadonlySet<Step['type']> = new Set(['prepare', 'start'])

const CUT_OFF_NOW = { retryable: true, code: CUT_OFF, message: 'no control plane is heard of' }

const NOT_WRITTEN = { retryable: true, code: 'JournalFailed', message: 'the intent to start could not be written down' }

/** Every attempt of a task runs the very images that its first one was prepared with. */
function pinned(spec: TaskSpec, images: AgentTask['images']): TaskSpec {
  const pin = (unit: UnitSpec): UnitSpec => {
    const image = images[unit.name]
    return image === undefined ? unit : { ...unit, pinned: image }
  }
  return { ...spec, units: spec.units.map(pin) }
}

function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null)
    else signal.addEventListener('abort', () => resolve(null), { once: true })
  })
}
