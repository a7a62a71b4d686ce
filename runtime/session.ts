import type { Channel } from '../src/lib/channel.ts'
import type { Clock } from '../src/lib/clock.ts'
import { messageOf } from '../src/lib/errors.ts'
import type { Logger } from '../src/lib/log.ts'
import { pause } from '../src/lib/waits.ts'
import type { Millis } from '../src/model/ids.ts'
import type { AgentFrame, ServerFrame } from '../src/model/protocol.ts'
import type { AgentRecord } from '../src/model/records.ts'
import { DriverName } from '../src/model/task-spec.ts'
import type { EpochGuard } from './epoch-guard.ts'
import type { Reporter } from './report.ts'
import type { Roster } from './roster.ts'

const HEARTBEAT_EVERY: Millis = 5_000
/** A runtime that was installed or died shows in a new `hello` after so long. */
const DRIVERS_CHECKED_EVERY: Millis = 60_000

export type DriverStates = AgentRecord['drivers']
type DriverState = DriverStates[DriverName]
export type LogsFrame = Extract<ServerFrame, { type: 'logs' }>

export interface SessionDeps {
  readonly agent: Omit<AgentRecord, 'joinedAt' | 'maintenance' | 'drivers'>
  readonly fingerprint: (signal: AbortSignal) => Promise<DriverStates>
  readonly guard: EpochGuard
  readonly reporter: Reporter
  readonly roster: Roster
  /** Answers on a connection of its own, and outlives this one. */
  readonly serveLogs: (frame: LogsFrame) => void
  readonly clock: Clock
  readonly log: Logger
}

/** How a connection went: only one that gave orders shows that all is well again. */
export type SessionEnd = 'accepted' | 'not-accepted'

/** One connection, from `hello` until either side ends it. Resolves when all that it started has ended. */
export async function runSession(deps: SessionDeps, channel: Channel<AgentFrame, ServerFrame>, signal: AbortSignal): Promise<SessionEnd> {
  const over = new AbortController()
  const either = AbortSignal.any([signal, over.signal])
  const onAbort = (): void => channel.close('the agent ends')
  if (signal.aborted) onAbort()
  signal.addEventListener('abort', onAbort, { once: true })
  const drivers = await deps.fingerprint(either)
  deps.reporter.close()
  channel.send({ type: 'hello', agent: { ...deps.agent, drivers }, epoch: deps.guard.remembered(), tasks: deps.reporter.greeting() })
  deps.reporter.open((frame) => channel.send(frame))
  const beside = [heartbeats(deps, channel, either), watchDrivers(deps, { channel, drivers }, either)]
  try {
    return await obeyFrames(deps, { channel, drivers, beside }, either)
  } finally {
    over.abort()
    signal.removeEventListener('abort', onAbort)
    deps.reporter.close()
    channel.close('the agent ends this connection')
    await Promise.all(beside)
  }
}

interface Open {
  readonly channel: Channel<AgentFrame, ServerFrame>
  readonly drivers: DriverStates
}

async function obeyFrames(deps: SessionDeps, open: Open & { beside: Promise<void>[] }, signal: AbortSignal): Promise<SessionEnd> {
  let end: SessionEnd = 'not-accepted'
  for await (const frame of open.channel.frames()) {
    if (frame.type === 'ack') deps.reporter.acked(frame.seq)
    if (frame.type === 'logs') deps.serveLogs(frame)
    if (frame.type === 'refused') {
      deps.log.warn({ reason: frame.reason }, 'refused by the control plane')
      open.channel.close('refused')
    }
    if (frame.type !== 'assignments') continue
    if (!(await deps.guard.accepts(frame))) {
      open.channel.close('orders of a leader that has been replaced')
      continue
    }
    end = 'accepted'
    deps.roster.apply(frame)
    if (frame.full) open.beside.push(deps.roster.sweep(availableOf(open.drivers), signal))
  }
  return end
}

const availableOf = (drivers: DriverStates): ReadonlySet<DriverName> =>
  new Set(DriverName.options.filter((driver) => drivers[driver]?.available === true))

async function heartbeats({ clock, reporter }: SessionDeps, channel: Channel<AgentFrame, ServerFrame>, signal: AbortSignal): Promise<void> {
  for (;;) {
    await pause(clock, HEARTBEAT_EVERY, signal)
    if (signal.aborted) return
    channel.send({ type: 'heartbeat', at: clock.now() })
    reporter.repeatUnanswered()
  }
}

/** What can run here is part of `hello`, so a change of it asks for a new connection. */
async function watchDrivers(deps: SessionDeps, { channel, drivers }: Open, signal: AbortSignal): Promise<void> {
  for (;;) {
    await pause(deps.clock, DRIVERS_CHECKED_EVERY, signal)
    if (signal.aborted) return
    const now = await deps.fingerprint(signal)
    const changed = DriverName.options.filter((driver) => now[driver]?.available !== drivers[driver]?.available)
    if (changed.length === 0 || signal.aborted) continue
    deps.log.info({ drivers: changed }, 'drivers changed')
    channel.close('drivers changed')
  }
}

/** A driver that does not answer must not keep the agent from connecting. */
const FINGERPRINT_WITHIN: Millis = 5_000

interface Fingerprinting {
  readonly drivers: Readonly<Record<DriverName, { fingerprint(signal: AbortSignal): Promise<DriverState> }>>
  readonly clock: Clock
}

/** What each driver can do now; one that fails or is silent for 5 s is not available, and says why. Never rejects. */
export async function fingerprintDrivers({ drivers, clock }: Fingerprinting, signal: AbortSignal): Promise<DriverStates> {
  const states = DriverName.options.map(async (name) => {
    const over = new AbortController()
    const either = AbortSignal.any([signal, over.signal])
    const late = pause(clock, FINGERPRINT_WITHIN, either).then((): DriverState => ({ available: false, detail: 'no answer within 5 s' }))
    const answer = drivers[name]
      .fingerprint(either)
      .catch((error: unknown): DriverState => ({ available: false, detail: messageOf(error) }))
    const state = await Promise.race([answer, late])
    over.abort()
    return [name, state] as const
  })
  return Object.fromEntries(await Promise.all(states)) as DriverStates
}
