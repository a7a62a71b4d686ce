import { setMaxListeners } from 'node:events'
import type { AgentTask } from '../src/core/task-life.ts'
import { orAbandon } from '../src/lib/abandon.ts'
import type { Clock } from '../src/lib/clock.ts'
import { messageOf } from '../src/lib/errors.ts'
import type { Logger } from '../src/lib/log.ts'
import { createSemaphore } from '../src/lib/semaphore.ts'
import { pause } from '../src/lib/waits.ts'
import type { Millis, TaskId } from '../src/model/ids.ts'
import type { DriverName } from '../src/model/task-spec.ts'
import { type ArtifactSources, createArtifacts } from './artifacts/artifacts.ts'
import type { Contact } from './contact.ts'
import type { AttemptRef, Driver, Handle } from './driver.ts'
import type { Journal, JournalEntry } from './journal.ts'
import { type Drivers, ownedBy, removeOrphan } from './recover.ts'
import type { OpenSecret } from './secrets.ts'
import { newEntry, type RunnerDeps, type RunnerStart, type StatusSink, startRunner, type TaskRunner } from './task-runner.ts'
import { type AssignmentsFrame, orphans, taskChanges } from './tasks.ts'

const SWEEP_AGAIN_AFTER: Millis = 10_000

export interface RosterDeps extends ArtifactSources {
  readonly drivers: Drivers
  readonly journal: Journal
  readonly openSecret: OpenSecret
  readonly contact: Contact
  readonly clock: Clock
  readonly log: Logger
  readonly statuses: StatusSink
  /** Starts under way at once on this machine. */
  readonly startLimit: number
  /** Highest attempt on the machine of tasks that the journal may not know. */
  readonly found: ReadonlyMap<TaskId, number>
}

/** Every task of this machine with its loop. */
export interface Roster {
  adopt(entry: JournalEntry): void
  /** Orders that were accepted: starts, updates and ends loops; returns at once. */
  apply(frame: AssignmentsFrame): void
  /** Where the log of that attempt is; null attempt: the newest that started. Null: there is none. */
  findLog(task: TaskId, attempt: number | null): { driver: Driver; handle: Handle } | null
  /** Stops and removes what no task here owns; tries again until it worked or the signal aborts. */
  sweep(available: ReadonlySet<DriverName>, signal: AbortSignal): Promise<void>
  /** Resolves when every loop has ended. Rejects with the first one's broken assumption. */
  ended(): Promise<void>
}

export function createRoster(deps: RosterDeps, signal: AbortSignal): Roster {
  const runners = new Map<TaskId, TaskRunner>()
  const starts = createSemaphore(deps.startLimit)
  const artifacts = createArtifacts(deps)

  const retainArtifacts = async (): Promise<void> => {
    try {
      await artifacts.retain([...runners.values()].map((runner) => runner.entry().assignment.spec))
    } catch (error) {
      deps.log.warn({ error: messageOf(error) }, 'unused artifacts not removed')
    }
  }

  const afterEnd = async (runner: TaskRunner): Promise<void> => {
    await runner.done
    if (signal.aborted) return
    runners.delete(runner.task)
    await retainArtifacts()
  }

  const running = new Set<Promise<void>>()
  const begin = (start: RunnerStart): void => {
    const { driver } = start.entry.assignment.spec
    const tools: RunnerDeps = { ...deps, driver: deps.drivers[driver], artifacts, starts }
    const runner = startRunner(tools, start, signal)
    runners.set(runner.task, runner)
    const end = afterEnd(runner)
    running.add(end)
    end.then(
      () => running.delete(end),
      (error: unknown) => deps.log.error({ task: runner.task, error: messageOf(error) }, 'task loop broke'),
    )
  }

  const known = (): ReadonlyMap<TaskId, number> =>
    new Map([...runners].map(([task, runner]) => [task, runner.entry().assignment.generation]))

  return {
    adopt: (entry) => begin({ entry, from: 'journal' }),
    apply(frame) {
      const changes = taskChanges(frame, known())
      for (const task of changes.leave) runners.get(task)?.leave()
      for (const order of changes.update) runners.get(order.task)?.order(order)
      for (const order of changes.start) begin({ entry: newEntry(order, deps.found.get(order.task) ?? null), from: 'order' })
    },
    findLog(task, attempt) {
      const entry = runners.get(task)?.entry()
      if (entry === undefined) return null
      const found = startedAttempts(entry.state).find((one) => attempt === null || one.attempt === attempt)
      return found === undefined ? null : { driver: deps.drivers[entry.assignment.spec.driver], handle: { task, ...found } }
    },
    async sweep(available, until) {
      const known = (): ReadonlyMap<TaskId, AgentTask> => new Map([...runners].map(([task, runner]) => [task, runner.entry().state]))
      await Promise.all([...available].map((name) => sweepUntilClean({ ...deps, name, known }, until)))
    },
    async ended() {
      await Promise.all(running)
    },
  }
}

/** Newest first. */
function startedAttempts({ life, attempt, leftovers }: AgentTask): { attempt: number; ref: string }[] {
  const current = 'ref' in life ? [{ attempt, ref: life.ref }] : []
  const ended = leftovers.flatMap((one) => (one.ref === null ? [] : [{ attempt: one.attempt, ref: one.ref }])).reverse()
  return [...current, ...ended]
}

interface Sweep extends RosterDeps {
  readonly name: DriverName
  readonly known: () => ReadonlyMap<TaskId, AgentTask>
}

async function sweepUntilClean(sweep: Sweep, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && !(await sweepOnce(sweep, signal))) await pause(sweep.clock, SWEEP_AGAIN_AFTER, signal)
}

/** Asks the machine first and what is known after, so a task that starts meanwhile is not taken for an orphan. */
async function sweepOnce(sweep: Sweep, signal: AbortSignal): Promise<boolean> {
  const owned = await unlessEnded(ownedBy(sweep, sweep.name), signal)
  if (owned === null) return false
  const room = createSemaphore(sweep.startLimit)
  const removals = orphans(owned.refs, sweep.known()).map((ref) => room.run(() => removed(sweep, ref, signal), NEVER))
  return (await Promise.all(removals)).every((done) => done)
}

/** Each removal that waits for room listens to it, which Node takes for a leak above ten unless it is told. */
const NEVER = new AbortController().signal
setMaxListeners(0, NEVER)

/** Null when the session ends first: a driver that hangs must not keep it. */
async function unlessEnded<T>(work: Promise<T>, signal: AbortSignal): Promise<T | null> {
  return await orAbandon(work, signal).catch((error: unknown) => {
    if (!signal.aborted) throw error
    return null
  })
}

async function removed({ drivers, log, name }: Sweep, ref: AttemptRef, signal: AbortSignal): Promise<boolean> {
  const fields = { driver: name, ...ref }
  if (signal.aborted) return false
  try {
    await orAbandon(removeOrphan(drivers[name], ref), signal)
    log.info(fields, 'orphan removed')
    return true
  } catch (error) {
    if (!signal.aborted) log.warn({ ...fields, error: messageOf(error) }, 'orphan not removed')
    return false
  }
}
