import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import type { AttemptRef, Driver, Handle, Prepared } from '../../../runtime/driver.ts'
import { TaskId } from '../../../src/model/ids.ts'
import type { LogLine } from '../../../src/model/protocol.ts'
import type { TaskSpec } from '../../../src/model/task-spec.ts'
import { waitUntil } from '../../support/wait-until.ts'

/** What a task of the suite does; every harness says it in its driver's own words. */
export type Behaviour =
  /** Until it is stopped; TERM ends it at once. */
  | { readonly kind: 'run' }
  | { readonly kind: 'exit'; readonly code: number; readonly afterMs: number }
  /** Prints the lines, then ends with 0 or runs until it is stopped. */
  | { readonly kind: 'print'; readonly stdout: readonly string[]; readonly stderr: readonly string[]; readonly end: 'exit' | 'run' }
  /** Prints one line a step, `everyMs` apart, then ends with 0. */
  | { readonly kind: 'printSlowly'; readonly lines: readonly string[]; readonly everyMs: number }
  | { readonly kind: 'ignoreTerm' }
  /** Runs until stopped, with children that left its session (double fork, setsid) and ignore TERM. */
  | { readonly kind: 'tree' }
  /** Ends itself by SIGKILL. */
  | { readonly kind: 'killed' }
  /** Speaks HTTP on this port of the machine: 200 for `/`, 404 for `/missing`, a redirect for `/moved`; `/cgi-bin/slow` takes for ever. */
  | { readonly kind: 'serve'; readonly port: number }
  /** Cannot be started: no such program. */
  | { readonly kind: 'failStart' }

/** What can be seen of an attempt without asking the driver. */
export interface Outside {
  /** How often its program really began, ever. */
  readonly starts: number
  /** Its living processes (or containers, or what the driver has of them). */
  readonly alive: number
  /** Names of everything it left on this machine: files, containers, cgroups. */
  readonly traces: readonly string[]
}

export interface DriverHarness {
  readonly files: Prepared
  /** A driver on the same state each time: the second one is a restarted agent. */
  create(): Promise<Driver>
  /** Ends everything the harness or its drivers started. */
  destroy(): Promise<void>
  spec(behaviour: Behaviour, ref: AttemptRef): TaskSpec
  outside(ref: AttemptRef): Promise<Outside>
}

/** What a driver may lack, besides behaviours: `usage` is stats that are more than zeros, `memory` the peak of an attempt. */
export type Lackable = Behaviour['kind'] | 'usage' | 'memory'

export const RUN: Behaviour = { kind: 'run' }
export const never = (): AbortSignal => new AbortController().signal
export const newRef = (attempt = 1): AttemptRef => ({ task: TaskId.parse(`suite-${randomBytes(5).toString('hex')}`), attempt })
export const keyOf = (ref: AttemptRef): string => `${ref.task}.${ref.attempt}`
export const bare = ({ task, attempt }: AttemptRef): AttemptRef => ({ task, attempt })

export async function collect(lines: AsyncIterable<LogLine>): Promise<LogLine[]> {
  const all: LogLine[] = []
  for await (const line of lines) all.push(line)
  return all
}

export const texts = (lines: readonly LogLine[], stream: LogLine['stream']): string[] =>
  lines.filter((line) => line.stream === stream).map((line) => line.text)

/** Error of a rejected promise; fails the test when it does not reject. */
export async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('it should have been refused'),
    (error: unknown) => error,
  )
}

/** The suite's hands: one harness, its drivers, and the attempts to clear away at the end. */
export class Bench {
  readonly harness: DriverHarness
  #drivers: Driver[] = []

  constructor(harness: DriverHarness) {
    this.harness = harness
  }

  async driver(): Promise<Driver> {
    const driver = await this.harness.create()
    this.#drivers.push(driver)
    return driver
  }

  async start(driver: Driver, ref: AttemptRef, behaviour: Behaviour): Promise<Handle> {
    const spec = this.harness.spec(behaviour, ref)
    await driver.prepare(spec, never())
    return driver.start(ref, spec, this.harness.files)
  }

  /** What can be seen of it once its program has said that it began. */
  async begun(ref: AttemptRef): Promise<Outside> {
    await waitUntil(async () => (await this.harness.outside(ref)).starts > 0)
    return this.harness.outside(ref)
  }

  alive = async (ref: AttemptRef): Promise<number> => (await this.harness.outside(ref)).alive

  async destroy(): Promise<void> {
    const [last] = this.#drivers.slice(-1)
    for (const ref of (await last?.owned()) ?? []) await last?.remove(ref)
    for (const driver of this.#drivers) await driver.close()
    await this.harness.destroy()
  }
}

export type Has = (what: Lackable) => boolean
export type Patient = { timeoutMs: number }
