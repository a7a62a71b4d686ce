import { createHash } from 'node:crypto'
import type { Clock } from '../../../src/lib/clock.ts'
import { TerminalError } from '../../../src/lib/errors.ts'
import { must } from '../../../src/lib/must.ts'
import type { LogLine } from '../../../src/model/protocol.ts'
import type { TaskSpec } from '../../../src/model/task-spec.ts'
import type { AttemptRef, Driver, Exit, Handle, LogQuery, ResolvedImages } from '../../driver.ts'
import { Changes } from './changes.ts'
import { type FakeMachine, type FakeRecord, keyOf } from './machine.ts'
import { exitAt, healthAt, linesOf, linesUntil, nextChange, probedAt } from './script.ts'

export interface FakeDriverOptions {
  readonly machine: FakeMachine
  readonly clock: Clock
}

interface Context extends FakeDriverOptions {
  readonly changes: Changes
}

const bare = ({ task, attempt }: AttemptRef): AttemptRef => ({ task, attempt })
const handleOf = (ref: AttemptRef): Handle => ({ ...bare(ref), ref: keyOf(ref) })

/**
 * Pretends to run tasks: all it does follows from the time of the start and the `fake` script,
 * so it goes on over a restart of the agent, and under a virtual clock it is deterministic.
 */
export function createFakeDriver(options: FakeDriverOptions): Driver {
  const context = { ...options, changes: new Changes(options.clock) }
  const { machine, clock } = context
  return {
    fingerprint: async () => ({ available: true, detail: 'fake' }),
    prepare: async (spec) => resolvedImages(spec),
    start: (ref, spec) => start(context, ref, spec),
    recover: async (ref) => {
      const record = await recorded(context, { ...bare(ref), unit: '', script: null, startedAt: null, stoppedAt: null })
      return record.startedAt === null ? { state: 'never-started' } : { state: 'attached', handle: handleOf(ref) }
    },
    wait: (handle, signal) => wait(context, handle, signal),
    health: async (handle) => {
      const record = await machine.read(handle)
      return record === null ? 'starting' : healthAt(record, clock.now())
    },
    probe: async (handle) => {
      const record = await machine.read(handle)
      return record === null ? { passed: false, message: 'it is not on this machine' } : probedAt(record, clock.now())
    },
    stop: (handle) => stop(context, handle),
    remove: async (ref) => {
      await stop(context, ref)
      await machine.remove(ref)
      context.changes.announce(keyOf(ref))
    },
    logs: (handle, query, signal) => logs(context, { handle, query, signal }),
    stats: async () => ({ memoryBytes: 0, peakMemoryBytes: null, cpuMicros: 0 }),
    owned: async () => (await machine.list()).map(bare),
    close: async () => undefined,
  }
}

/** A registry that never changes its mind: equal texts are equal images. */
function resolvedImages({ units }: TaskSpec): ResolvedImages {
  return Object.fromEntries(units.flatMap(({ name, image, pinned }) => (image === undefined ? [] : [[name, pinned ?? resolved(image)]])))
}

function resolved(image: string): string {
  if (image.includes('@')) return image
  return `${image.replace(/:[^:/]*$/, '')}@sha256:${createHash('sha256').update(image).digest('hex')}`
}

async function known({ machine }: Context, ref: AttemptRef): Promise<FakeRecord> {
  const record = await machine.read(ref)
  if (record === null) throw new TerminalError('RemovedExternally', `attempt ${keyOf(ref)} is not on this machine`)
  return record
}

/** Makes the record unless there is one, and gives the one that counts. */
async function recorded(context: Context, record: FakeRecord): Promise<FakeRecord> {
  await context.machine.create(record)
  return known(context, record)
}

async function start(context: Context, ref: AttemptRef, spec: TaskSpec): Promise<Handle> {
  const { name, fake } = must(spec.units[0], 'a task has a unit')
  if (fake?.failStart) throw new TerminalError('StartFailed', 'the script says that it cannot start')
  const fresh = { ...bare(ref), unit: name, script: fake ?? null, startedAt: context.clock.now(), stoppedAt: null }
  const record = await recorded(context, fresh)
  if (record.startedAt !== null) return handleOf(ref)
  throw new TerminalError('AttemptAbandoned', `attempt ${keyOf(ref)} was given up before it started`)
}

async function wait(context: Context, handle: Handle, signal: AbortSignal): Promise<Exit> {
  const { changes, clock } = context
  for (;;) {
    signal.throwIfAborted()
    const since = changes.version
    const record = await known(context, handle)
    const exit = exitAt(record, clock.now())
    if (exit !== null) return exit
    await changes.until({ key: keyOf(handle), since, at: nextChange(record, clock.now()) }, signal)
  }
}

async function stop({ machine, clock, changes }: Context, ref: AttemptRef): Promise<void> {
  const record = await machine.read(ref)
  if (record === null || exitAt(record, clock.now()) !== null) return
  await machine.replace({ ...record, stoppedAt: clock.now() })
  changes.announce(keyOf(ref))
}

interface Reading {
  readonly handle: Handle
  readonly query: LogQuery
  readonly signal: AbortSignal
}

async function* logs(context: Context, reading: Reading): AsyncGenerator<LogLine> {
  const { handle, query } = reading
  const record = await known(context, handle)
  if (query.unit !== null && query.unit !== record.unit) return
  const all = linesUntil(record, context.clock.now())
  const lines = linesOf(all, query)
  if (query.follow) yield* follow(context, reading, all.length - lines.length)
  else yield* lines
}

async function* follow(context: Context, { handle, signal }: Reading, skip: number): AsyncGenerator<LogLine> {
  const { changes, clock } = context
  let sent = skip
  while (!signal.aborted) {
    const since = changes.version
    const record = await known(context, handle)
    const lines = linesUntil(record, clock.now())
    yield* lines.slice(sent)
    sent = lines.length
    if (exitAt(record, clock.now()) !== null) return
    const next = { key: keyOf(handle), since, at: nextChange(record, clock.now()) }
    await changes.until(next, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
  }
}
