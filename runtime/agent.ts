/**
 * The agent of one machine: keeps its tasks running whether or not anybody is there to ask, obeys the newest
 * leader it has heard of, and tells what happened until it is acknowledged. It decides nothing about placement.
 */
import { setMaxListeners } from 'node:events'
import { fullJitter } from '../src/lib/backoff.ts'
import type { Channel } from '../src/lib/channel.ts'
import type { Clock } from '../src/lib/clock.ts'
import { messageOf, RetryableError } from '../src/lib/errors.ts'
import type { Logger } from '../src/lib/log.ts'
import { pause } from '../src/lib/waits.ts'
import type { AgentId, Millis } from '../src/model/ids.ts'
import type { AgentFrame, ServerFrame } from '../src/model/protocol.ts'
import type { Capacity } from '../src/model/records.ts'
import { DriverName } from '../src/model/task-spec.ts'
import type { DownloadCache } from './artifacts/downloads.ts'
import { createContact } from './contact.ts'
import type { Disks } from './disks.ts'
import { createEpochGuard } from './epoch-guard.ts'
import type { Journal } from './journal.ts'
import { createLogService, type LogService } from './log-service.ts'
import { createLook } from './machine-state.ts'
import { type Drivers, highestAttempts, ownedBy, recoverJournal } from './recover.ts'
import { createReporter } from './report.ts'
import { createRoster, type Roster } from './roster.ts'
import type { OpenSecret } from './secrets.ts'
import { ComeBackSoon } from './server-ring.ts'
import { runSession, type SessionDeps } from './session.ts'
import type { TreeCache } from './trees.ts'
import type { Uplink } from './uplink.ts'

/** Full jitter between these keeps 200 agents from returning at the same moment. */
const RECONNECT_BASE: Millis = 500
const RECONNECT_CAP: Millis = 30_000
/** While servers choose a leader, so that the new one is not left without agents. */
const ELECTION_BASE: Millis = 2_000
const CONNECT_WITHIN: Millis = 10_000
/** A container runtime that hangs must not keep the agent from its other tasks. */
const OWNED_WITHIN: Millis = 10_000

interface AgentIdentity {
  readonly id: AgentId
  /** Of the state directory: a cloned machine is refused. */
  readonly instance: string
  readonly bootId: string
  readonly version: string
}

export interface AgentDeps {
  readonly identity: AgentIdentity
  readonly capacity: Capacity
  readonly labels: Readonly<Record<string, string>>
  readonly uplink: Uplink
  readonly drivers: Drivers
  readonly journal: Journal
  readonly trees: TreeCache
  readonly downloads: DownloadCache
  readonly disks: Disks
  readonly openSecret: OpenSecret
  readonly clock: Clock
  /** [0, 1), for the jitter of reconnects. */
  readonly random: () => number
  readonly log: Logger
  /** Starts under way at once; 2 x cores is where Docker's tail latency begins to grow. */
  readonly startLimit: number
}

/**
 * Runs until `stop` aborts and leaves the tasks running then. Resolves when all that it started has ended,
 * but for a stop under way at a driver: the next agent asks for it again.
 * The drivers stay open: whoever made them closes them.
 * @throws when the journal cannot be read.
 */
export async function runAgent(deps: AgentDeps, stop: AbortSignal): Promise<void> {
  const signal = ofManyListeners(stop)
  const { notes, entries } = await recoverJournal(deps)
  const found = await attemptsFound(deps, signal)
  const reporter = createReporter(deps.clock)
  const fetchTree = deps.uplink.fetchTree.bind(deps.uplink)
  const contact = createContact(deps.clock)
  const roster = createRoster({ ...deps, fetchTree, statuses: reporter, found, contact }, signal)
  for (const entry of entries) roster.adopt(entry)
  const logs = createLogService({ ...deps, roster }, signal)
  const { id, instance, bootId, version } = deps.identity
  const session: SessionDeps = {
    agent: { id, instance, bootId, version, capacity: deps.capacity, labels: { ...deps.labels } },
    look: createLook(deps),
    guard: createEpochGuard(notes, deps),
    reporter,
    roster,
    contact,
    serveLogs: (frame) => logs.serve(frame),
    clock: deps.clock,
    log: deps.log,
  }
  await stayConnected(deps, session, signal)
  await ended({ roster, logs })
}

/** Every task listens to it, which Node takes for a leak above ten unless it is told. */
function ofManyListeners(stop: AbortSignal): AbortSignal {
  const signal = AbortSignal.any([stop])
  setMaxListeners(0, signal)
  return signal
}

async function ended({ roster, logs }: { roster: Roster; logs: LogService }): Promise<void> {
  await Promise.all([roster.ended(), logs.ended()])
}

async function attemptsFound({ drivers, clock, log }: AgentDeps, signal: AbortSignal): Promise<ReturnType<typeof highestAttempts>> {
  const over = new AbortController()
  const late = pause(clock, OWNED_WITHIN, AbortSignal.any([signal, over.signal])).then(() => null)
  const owned = await Promise.all(DriverName.options.map((driver) => Promise.race([ownedBy({ drivers, log }, driver), late])))
  over.abort()
  return highestAttempts(owned.filter((one) => one !== null))
}

async function stayConnected(deps: AgentDeps, session: SessionDeps, signal: AbortSignal): Promise<void> {
  let failures = 0
  while (!signal.aborted) {
    const outcome = await connectOnce(deps, session, signal)
    failures = outcome === 'failed' ? failures + 1 : 0
    const base = outcome === 'noLeader' ? ELECTION_BASE : RECONNECT_BASE
    await pause(deps.clock, fullJitter(failures, base, RECONNECT_CAP, deps.random), signal)
  }
}

/** `accepted`: a leader gave orders. `noLeader`: servers answer, and are choosing one. */
async function connectOnce(deps: AgentDeps, session: SessionDeps, signal: AbortSignal): Promise<'accepted' | 'noLeader' | 'failed'> {
  try {
    const channel = await dial(deps, signal)
    deps.log.info({ agent: deps.identity.id }, 'connected')
    const end = await runSession(session, channel, signal)
    deps.log.info({ agent: deps.identity.id, reason: await channel.closed }, 'disconnected')
    return end === 'accepted' ? 'accepted' : 'failed'
  } catch (error) {
    if (!signal.aborted) deps.log.warn({ agent: deps.identity.id, error: messageOf(error) }, 'not connected')
    return error instanceof ComeBackSoon ? 'noLeader' : 'failed'
  }
}

/** The signal goes on to belong to the channel, so only a call that is still open is cut short when time is up. */
async function dial({ uplink, clock }: AgentDeps, signal: AbortSignal): Promise<Channel<AgentFrame, ServerFrame>> {
  const late = new AbortController()
  const answered = new AbortController()
  const deadline = pause(clock, CONNECT_WITHIN, answered.signal).then(() => {
    if (!answered.signal.aborted) late.abort(new RetryableError('the control plane does not answer'))
  })
  try {
    return await uplink.connect(AbortSignal.any([signal, late.signal]))
  } finally {
    answered.abort()
    await deadline
  }
}
