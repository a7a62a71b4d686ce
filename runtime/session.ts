import type { Channel } from '../src/lib/channel.ts'
import type { Clock } from '../src/lib/clock.ts'
import type { Logger } from '../src/lib/log.ts'
import { pause } from '../src/lib/waits.ts'
import type { Millis } from '../src/model/ids.ts'
import type { AgentFrame, ServerFrame } from '../src/model/protocol.ts'
import type { AgentRecord } from '../src/model/records.ts'
import { DriverName } from '../src/model/task-spec.ts'
import type { Contact } from './contact.ts'
import type { EpochGuard } from './epoch-guard.ts'
import { changesOf, type LookAtMachine, MACHINE_CHECKED_EVERY, type MachineState } from './machine-state.ts'
import type { Reporter } from './report.ts'
import type { Roster } from './roster.ts'

const HEARTBEAT_EVERY: Millis = 5_000
export type LogsFrame = Extract<ServerFrame, { type: 'logs' }>

export interface SessionDeps {
  readonly agent: Omit<AgentRecord, 'joinedAt' | 'maintenance' | 'silence' | keyof MachineState>
  readonly look: LookAtMachine
  readonly guard: EpochGuard
  readonly reporter: Reporter
  readonly roster: Roster
  readonly contact: Contact
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
  const state = await deps.look(either)
  deps.reporter.close()
  const at = deps.contact.stamp()
  channel.send({ type: 'hello', agent: { ...deps.agent, ...state }, epoch: deps.guard.remembered(), tasks: deps.reporter.greeting(), at })
  deps.reporter.open((frame) => channel.send(frame))
  const beside = [heartbeats(deps, channel, either), watchMachine(deps, { channel, state }, either)]
  try {
    return await obeyFrames(deps, { channel, state, beside }, either)
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
  readonly state: MachineState
}

async function obeyFrames(deps: SessionDeps, open: Open & { beside: Promise<void>[] }, signal: AbortSignal): Promise<SessionEnd> {
  let end: SessionEnd = 'not-accepted'
  for await (const frame of open.channel.frames()) {
    if (frame.type === 'ack') deps.reporter.acked(frame.seq)
    if (frame.type === 'logs') deps.serveLogs(frame)
    // Before its orders were obeyed nobody knows whether it leads.
    if (frame.type === 'pong' && end === 'accepted') deps.contact.answered(frame.at)
    if (frame.type === 'refused') {
      deps.log.warn({ reason: frame.reason }, 'refused by the control plane')
      open.channel.close('refused')
      end = 'not-accepted'
    }
    if (frame.type !== 'assignments') continue
    if (!(await deps.guard.accepts(frame))) {
      open.channel.close('orders of a leader that has been replaced')
      continue
    }
    end = 'accepted'
    deps.roster.apply(frame)
    if (frame.full) open.beside.push(deps.roster.sweep(availableOf(open.state), signal))
  }
  return end
}

const availableOf = ({ drivers }: MachineState): ReadonlySet<DriverName> =>
  new Set(DriverName.options.filter((driver) => drivers[driver]?.available === true))

async function heartbeats(
  { clock, reporter, contact }: SessionDeps,
  channel: Channel<AgentFrame, ServerFrame>,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    await pause(clock, HEARTBEAT_EVERY, signal)
    if (signal.aborted) return
    channel.send({ type: 'heartbeat', at: contact.stamp(), wall: clock.now() })
    reporter.repeatUnanswered()
  }
}

/** What can run here, and what the machine runs short of, is part of `hello`, so a change of it asks for a new connection. */
async function watchMachine(deps: SessionDeps, { channel, state }: Open, signal: AbortSignal): Promise<void> {
  for (;;) {
    await pause(deps.clock, MACHINE_CHECKED_EVERY, signal)
    if (signal.aborted) return
    const changes = changesOf(state, await deps.look(signal))
    if (changes.length === 0 || signal.aborted) continue
    deps.log.info({ changes }, 'machine changed')
    channel.close('the machine changed')
  }
}
