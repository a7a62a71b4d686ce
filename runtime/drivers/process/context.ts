import type { Clock } from '../../../src/lib/clock.ts'
import type { Logger } from '../../../src/lib/log.ts'
import type { ProcessPolicy } from '../../../src/model/process-policy.ts'
import type { TaskSpec } from '../../../src/model/task-spec.ts'
import type { AttemptRef } from '../../driver.ts'
import type { Serial } from '../../serial.ts'
import { type Observation, observe, type Result } from './attempt.ts'
import { type Leaf, leavesOf } from './cgroup.ts'
import type { Facts } from './facts.ts'
import type { Launcher } from './launcher.ts'
import type { StreamTimes } from './log-times.ts'
import { keyOf, type Layout, pathsOf } from './names.ts'
import type { Account } from './users.ts'

/** When the log files of a running task are rotated, and how many of each stream are kept: at least 2, the current one included. */
export interface LogLimits {
  readonly maxBytes: number
  readonly files: number
}

/** What every part of the driver works with. */
export interface Context {
  readonly layout: Layout
  readonly clock: Clock
  readonly log: Logger
  readonly processes: 'Allowed' | 'Refused'
  readonly policy: ProcessPolicy
  /** Absolute; with state of the agent or the control plane, which no sandbox shows. */
  readonly privateDirs: readonly string[]
  readonly logLimits: LogLimits
  readonly env: Readonly<Record<string, string>>
  /** Where the driver finds its own programs. */
  readonly path: string
  readonly launcher: Launcher
  /** Found once; rejects where process tasks cannot run at all. */
  readonly facts: () => Promise<Facts>
  /** The same, if somebody has asked already. */
  readonly probed: () => Facts | null
  /** Users that commands of probes run as. */
  readonly accounts: WeakMap<TaskSpec, Promise<Account | null>>
  /** One start and one end at a time for each attempt. */
  readonly starting: Map<string, Promise<void>>
  readonly ending: Map<string, Promise<Result | null>>
  /** When the streams of an attempt said what. */
  readonly times: Map<string, readonly [StreamTimes, StreamTimes]>
  /** Readers and rotations of a stream take turns. */
  readonly logTurns: Serial
  /** Since when (monotonic) an attempt has been silent. */
  readonly silentSince: Map<string, number>
}

/** One caller does the work, the others get its outcome. */
export function once<T>(running: Map<string, Promise<T>>, key: string, work: () => Promise<T>): Promise<T> {
  const there = running.get(key)
  if (there !== undefined) return there
  const mine = work().finally(() => running.delete(key))
  running.set(key, mine)
  return mine
}

/** Looks at an attempt, and keeps count of how long it has been silent. */
export async function look(context: Context, ref: AttemptRef): Promise<Observation> {
  const { boot } = await context.facts()
  const key = keyOf(ref)
  const now = context.clock.monotonic()
  const seen = await observe(pathsOf(context.layout, ref), boot, now - (context.silentSince.get(key) ?? now))
  if (!seen.silent) context.silentSince.delete(key)
  else if (!context.silentSince.has(key)) context.silentSince.set(key, now)
  return seen
}

export async function leaves(context: Context, ref: AttemptRef): Promise<Leaf[]> {
  return leavesOf((await context.facts()).cgroups, keyOf(ref))
}
