import { onResult } from '../src/core/task.ts'
import type { Clock } from '../src/lib/clock.ts'
import { messageOf } from '../src/lib/errors.ts'
import type { Logger } from '../src/lib/log.ts'
import type { Millis, TaskId } from '../src/model/ids.ts'
import { DriverName } from '../src/model/task-spec.ts'
import type { AttemptRef, Driver } from './driver.ts'
import type { AgentNotes, Journal, JournalEntry } from './journal.ts'

export type Drivers = Readonly<Record<DriverName, Driver>>

export interface Recovered {
  readonly notes: AgentNotes
  /** Each ready to go on: whatever was under way is asked of its driver first. */
  readonly entries: readonly JournalEntry[]
}

/** What the last agent on this machine knew. @throws when the journal as a whole cannot be read. */
export async function recoverJournal(deps: { journal: Journal; clock: Clock; log: Logger }): Promise<Recovered> {
  const { agent, entries, damaged } = await deps.journal.load()
  for (const problem of damaged) deps.log.error({ problem }, 'journal entry not readable, put aside')
  const resume = (entry: JournalEntry): JournalEntry => ({
    ...entry,
    state: onResult(entry.state, { type: 'agentRestarted' }, deps.clock.now()),
  })
  return { notes: agent, entries: entries.map(resume) }
}

export interface Owned {
  readonly driver: DriverName
  readonly refs: readonly AttemptRef[]
}

/** What one driver holds on this machine; null when it cannot tell, which is logged. */
export async function ownedBy({ drivers, log }: { drivers: Drivers; log: Logger }, driver: DriverName): Promise<Owned | null> {
  try {
    return { driver, refs: await drivers[driver].owned() }
  } catch (error) {
    log.warn({ driver, error: messageOf(error) }, 'driver cannot say what it runs')
    return null
  }
}

/** What each driver holds; one that cannot tell is left out. */
export async function ownedByDriver(drivers: Drivers, log: Logger): Promise<readonly Owned[]> {
  const asked = await Promise.all(DriverName.options.map((driver) => ownedBy({ drivers, log }, driver)))
  return asked.filter((owned) => owned !== null)
}

/**
 * The highest attempt of every task on the machine. A task whose journal entry was lost goes on from there,
 * instead of running a second time beside itself.
 */
export function highestAttempts(owned: readonly Owned[]): ReadonlyMap<TaskId, number> {
  const highest = new Map<TaskId, number>()
  for (const { task, attempt } of owned.flatMap((one) => one.refs)) highest.set(task, Math.max(attempt, highest.get(task) ?? 0))
  return highest
}

/** Half a minute for an orphan to end by itself: nobody knows any more what grace it was promised. */
const ORPHAN_GRACE: Millis = 30_000

/** Stops one attempt that belongs to nobody and removes its traces. */
export async function removeOrphan(driver: Driver, ref: AttemptRef): Promise<void> {
  const found = await driver.recover(ref)
  if (found.state === 'attached') await driver.stop(found.handle, ORPHAN_GRACE)
  await driver.remove(ref)
}
