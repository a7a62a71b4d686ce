import type { Health, KnownHealth } from '../src/core/task-probe.ts'
import type { Clock } from '../src/lib/clock.ts'
import type { Logger } from '../src/lib/log.ts'
import type { Millis } from '../src/model/ids.ts'
import type { TaskSpec } from '../src/model/task-spec.ts'
import type { Driver, Handle } from './driver.ts'
import type { OpenedSecrets } from './secrets.ts'

/** The attempt whose health is asked, and what to ask with. */
export interface Patient {
  readonly handle: Handle
  readonly spec: TaskSpec
  readonly secrets: OpenedSecrets
  /** Wall clock. */
  readonly startedAt: Millis
  readonly known: KnownHealth
  readonly driver: Driver
  readonly clock: Clock
  readonly log: Logger
}

/** One source of what is known of an attempt's health. */
export interface Watch {
  health(): Health
  /** Learns what can be learned at once. */
  first(signal: AbortSignal): Promise<void>
  /** Asks when it is due and calls `changed` after each answer, until there is nothing left to ask. */
  run(signal: AbortSignal, changed: () => void): Promise<void>
}
