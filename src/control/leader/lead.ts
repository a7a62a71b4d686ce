import type { Clock } from '../../lib/clock.ts'
import { isAbort, messageOf, TerminalError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { Mailbox } from '../../lib/mailbox.ts'
import { firstOf, pause } from '../../lib/waits.ts'
import type { Epoch, Millis } from '../../model/ids.ts'
import type { ClusterIdentity } from '../../model/records.ts'
import { LEADER_KEY } from '../../store/keys.ts'
import type { Leadership, Op, Store, StoreReadOnlyError } from '../../store/store.ts'
import { type Admission, type Refusal, takeHello, takeStatuses } from '../agents/agent-inputs.ts'
import { type AgentChannel, type AgentInput, type Hello, Hub } from '../agents/hub.ts'
import { Committer, DemotedError } from './commit.ts'
import { Draft } from './draft.ts'
import { readIdentity } from './identity.ts'
import { loadCluster } from './load.ts'
import { SilenceWatch } from './silence.ts'
import type { Term, TurnContext } from './term.ts'
import { sendOrders, settle, type Woken } from './turn.ts'
import { Wakes } from './wakes.ts'

/** A store that is away, or a bug that ended a term, must not make a busy loop. */
const AFTER_A_TERM_MS = 1000

/** Something a person or a source asks: it writes in a turn of its own choosing and is told when that is durable. */
interface Request {
  readonly type: 'request'
  readonly perform: (context: TurnContext) => void
  readonly done: () => void
  readonly failed: (error: unknown) => void
}

type Input = AgentInput | Request

export interface LeadDeps {
  readonly store: Store
  readonly clock: Clock
  readonly log: Logger
  readonly newId: () => string
  /** Id of the cluster this process belongs to: no other store is led. */
  readonly cluster: string
  /** What the leader's key says; see `ControlDeps`. */
  readonly advertise: string | null
}

/** One term of leadership as others in the process see it. */
export interface LeadingTerm {
  readonly term: Term
  readonly post: (input: Input) => void
  /** Monotonic time until which it may act and answer. */
  readonly validUntil: () => Millis
}

/**
 * Leads until the signal aborts or leadership is lost. A turn takes all inputs, decides, commits once, and only
 * then acts. Resolves when the term is over; everything it held in memory is then void.
 */
async function lead(
  deps: LeadDeps,
  leadership: Leadership,
  options: { signal: AbortSignal; before: number; started: (leading: LeadingTerm) => void },
): Promise<void> {
  const mailbox = new Mailbox<Input>()
  const signal = AbortSignal.any([options.signal, leadership.signal])
  const over = new AbortController()
  const post = (input: Input) => {
    if (!over.signal.aborted) mailbox.put(input)
    else if (input.type === 'request') input.failed(over.signal.reason)
  }
  const identity = await sameStore(deps, { epoch: leadership.fence.epoch, before: options.before })
  const cluster = await loadCluster(deps.store)
  const committer = await Committer.open(deps.store, leadership, deps.clock)
  const hub = new Hub(deps.clock, post, () => deps.clock.monotonic() < leadership.validUntil())
  const term: Term = {
    epoch: (leadership.fence.epoch + identity.epochBase) as Epoch,
    identity,
    readOnly: null,
    cluster,
    hub,
    wakes: new Wakes(),
    appWakes: new Wakes(),
    now: () => deps.clock.now(),
    ledSince: deps.clock.now(),
    newId: deps.newId,
    unplaced: new Map(),
    tags: new Map(),
    healths: new Map(),
    turns: 0,
    read: new Set(),
    listeners: new Set(),
  }
  options.started({ term, post, validUntil: () => leadership.validUntil() })
  try {
    await takeTurns({ deps, term, committer, mailbox, leadership, watch: new SilenceWatch(deps.clock), signal })
  } finally {
    over.abort(new DemotedError('leadership ended'))
    hub.closeAll('this control plane no longer leads')
    for (const input of mailbox.takeAll()) if (input.type === 'request') input.failed(over.signal.reason)
  }
}

/**
 * An empty store, or another cluster's, would have every agent stop what it runs; of one that went back nobody knows what is true.
 * @throws TerminalError `StoreReplaced`: this process must not lead, nor try again.
 */
async function sameStore({ store, cluster }: LeadDeps, term: { epoch: number; before: number }): Promise<ClusterIdentity> {
  const found = await readIdentity(store)
  if (found?.id === cluster && term.epoch > term.before) return found
  const now = found === null ? 'holds no cluster' : found.id === cluster ? 'is older than it was' : `is of cluster ${found.id}`
  throw new TerminalError('StoreReplaced', `the store was replaced under this control plane of cluster ${cluster}: it ${now}`)
}

interface Loop {
  readonly deps: LeadDeps
  readonly term: Term
  readonly committer: Committer
  readonly mailbox: Mailbox<Input>
  readonly leadership: Leadership
  readonly watch: SilenceWatch
  readonly signal: AbortSignal
}

async function takeTurns(loop: Loop): Promise<void> {
  const { deps, term, mailbox, leadership, signal } = loop
  let woken: Woken = { workloads: term.cluster.workloads.keys(), apps: term.cluster.apps.keys() }
  while (!signal.aborted) {
    if (deps.clock.monotonic() >= leadership.validUntil()) throw new DemotedError('the lease was not renewed in time')
    await takeTurn(loop, mailbox.takeAll(), woken)
    await waitForWork(loop)
    const now = deps.clock.now()
    woken = { workloads: term.wakes.takeDue(now), apps: term.appWakes.takeDue(now) }
  }
}

/** Timers of a month overflow and fire at once; and the wall clock, by which keys are due, may jump. */
const LONGEST_SLEEP_MS = 60_000

/** Who wakes later than this was stopped, or so busy that it heard nobody; timers of a busy process are late by less. */
const OVERSLEPT_MS = 2_000

/** Sleeps until an input comes, a key is due, a machine may have fallen silent, or leadership ends. */
async function waitForWork({ deps, term, mailbox, watch, signal }: Loop): Promise<void> {
  const { clock } = deps
  const due = Math.min(...[term.wakes.next(), term.appWakes.next()].map((at) => at ?? Number.POSITIVE_INFINITY))
  const sleep = Math.max(0, Math.min(LONGEST_SLEEP_MS, due - clock.now(), watch.next - clock.monotonic()))
  const until = clock.monotonic() + sleep
  await firstOf(signal, [(either) => mailbox.waitForItem(either), (either) => pause(clock, sleep, either)])
  const late = clock.monotonic() - until
  if (late > OVERSLEPT_MS) term.hub.excuse(late)
}

async function takeTurn(loop: Loop, inputs: readonly Input[], woken: Woken): Promise<void> {
  const { deps, term, committer, watch } = loop
  const context: TurnContext = { term, draft: new Draft(term.cluster), now: deps.clock.now() }
  term.turns += 1
  const after: (() => void)[] = []
  let ops: readonly Op[] = []
  const { unplaced } = term
  try {
    for (const input of inputs) after.push(take(input, context, deps))
    watch.look(context)
    settle(context, woken)
    ops = context.draft.ops()
    await committer.commit(ops, (refusal) => turnAway(loop, inputs, refusal))
    term.readOnly = null
  } catch (error) {
    const ended = error instanceof DemotedError ? error : new DemotedError(`the turn failed: ${messageOf(error)}`, { cause: error })
    for (const input of inputs) if (input.type === 'request') input.failed(ended)
    throw error
  }
  sendOrders(context)
  for (const act of after) act()
  term.cluster.versions.dropUnused()
  if (ops.length > 0 || term.unplaced !== unplaced) for (const listener of term.listeners) listener()
}

/**
 * The store is full: what was decided waits until it has space, and nothing more is decided meanwhile. People are told
 * so at once; agents keep what they run, and repeat what they report.
 */
function turnAway({ deps, term, mailbox, signal }: Loop, waiting: readonly Input[], refusal: StoreReadOnlyError): void {
  if (signal.aborted) throw new DemotedError('this process ends before the store had space', { cause: refusal })
  if (term.readOnly === null) {
    term.readOnly = { since: deps.clock.now(), reason: refusal.message }
    deps.log.error({ error: refusal.message }, 'the store takes no writes: nothing is changed until it does')
    for (const listener of term.listeners) listener()
  }
  for (const input of waiting) if (input.type === 'request') input.failed(refusal)
  for (const input of mailbox.takeAll()) {
    if (input.type === 'request') input.failed(refusal)
    else if (input.type !== 'report') mailbox.put(input)
  }
}

const nothing = () => undefined

/** Writes what an input means, and returns what to do once that is durable. */
function take(input: Input, context: TurnContext, deps: LeadDeps): () => void {
  if (input.type === 'request') return takeRequest(input, context)
  const { term, draft, now } = context
  const { hub, cluster } = term
  if (input.type === 'returned' || input.type === 'left') {
    draft.touchAgents()
    return nothing
  }
  if (input.type === 'report') {
    if (!hub.isCurrent(input.agent, input.channel)) return nothing
    takeStatuses(input.statuses, input.agent, { cluster, draft, now })
    return () => input.channel.send({ type: 'ack', seq: input.seq })
  }
  const { agent } = input.hello
  const admission = admissionOf(input.hello, context)
  if (admission.admitted === 'Yes') {
    hub.admit(agent.id, input.channel)
    draft.touchAgents()
    deps.log.info({ agent: agent.id, tasks: input.hello.tasks.length }, 'agent connected')
    return () => hub.answer(input.channel, input.hello)
  }
  deps.log.warn({ agent: agent.id, reason: admission.reason }, 'agent refused')
  return () => refuse(input.channel, admission, term)
}

/** One that was given up has nothing to run here any more, whatever it ran. */
function refuse(channel: AgentChannel, { reason, tasks }: Refusal, { hub, epoch }: Term): void {
  if (tasks === 'Stop') hub.dismiss(channel, { epoch, reason })
  else hub.refuse(channel, reason)
}

/**
 * An agent that obeys a later epoch is refused and no more: if another process leads by now, the fence says so, and if
 * the store was restored from a backup, stepping back for each such agent would leave the cluster without a leader for ever.
 */
function admissionOf(hello: Hello, { term, draft, now }: TurnContext): Admission {
  if (hello.epoch > term.epoch)
    return {
      admitted: 'No',
      tasks: 'Keep',
      reason:
        `it obeys epoch ${hello.epoch}, this control plane is of epoch ${term.epoch}: another one leads, or the store ` +
        'was brought back by other means than `drover restore`; if so, start the servers with --accept-store, and agents obey again',
    }
  const { hub, cluster, identity } = term
  const unheardBefore = hello.epoch < identity.epochBase ? identity.restoredAt : null
  return takeHello(hello, hub.isHeard(hello.agent.id) ? 'Yes' : 'No', { cluster, draft, now, unheardBefore })
}

/** A request that cannot be done fails alone, and the turn goes on; but by halves nothing is committed. */
function takeRequest(request: Request, { draft, ...rest }: TurnContext): () => void {
  const before = draft.changes
  try {
    request.perform({ draft, ...rest })
    return request.done
  } catch (error) {
    if (draft.changes !== before) throw error
    request.failed(error)
    return nothing
  }
}

/** Leads whenever this process is elected, until the signal aborts. @throws TerminalError `StoreReplaced` */
export async function campaignAndLead(
  deps: LeadDeps,
  options: { signal: AbortSignal; started: (leading: LeadingTerm, term: AbortSignal) => void; ended: () => void },
): Promise<void> {
  const { signal } = options
  let before = 0
  while (!signal.aborted) {
    try {
      const leadership = await deps.store.campaign(LEADER_KEY, { signal, value: deps.advertise ?? '' })
      deps.log.info({ epoch: leadership.fence.epoch }, 'leading')
      const over = new AbortController()
      try {
        await lead(deps, leadership, {
          signal,
          before,
          started: (leading) => options.started(leading, AbortSignal.any([signal, leadership.signal, over.signal])),
        })
      } finally {
        over.abort(new DemotedError('the term is over'))
        before = leadership.fence.epoch
        options.ended()
        await leadership.resign()
      }
    } catch (error) {
      if (isAbort(error, signal)) return
      if (error instanceof TerminalError && error.code === 'StoreReplaced') throw error
      deps.log.warn({ error: messageOf(error) }, 'term ended')
      await pause(deps.clock, AFTER_A_TERM_MS, signal)
    }
  }
}
