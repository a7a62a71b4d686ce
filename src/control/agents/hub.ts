import type { AgentStanding } from '../../core/task-state.ts'
import type { Channel } from '../../lib/channel.ts'
import type { Clock } from '../../lib/clock.ts'
import type { AgentId, Epoch, TaskId } from '../../model/ids.ts'
import type { AgentFrame, Assignment, ServerFrame } from '../../model/protocol.ts'
import type { TaskStatus } from '../../model/task.ts'

/** Silence after which an agent gets no new work, and after which its tasks' state is unknown. */
const SUSPECT_AFTER_MS = 15_000
export const UNREACHABLE_AFTER_MS = 40_000
/**
 * A new leader begins to count the silence of an agent that it never heard of only after so long: one that lives may need
 * that to find it, with up to 30 s between two calls and 10 s until a call is given up.
 */
const ELECTION_GRACE_MS = 60_000

export type Hello = Extract<AgentFrame, { type: 'hello' }>
export type AgentChannel = Channel<ServerFrame, AgentFrame>

/** What agents say, in the order it arrived; the loop takes it turn by turn. */
export type AgentInput =
  | { readonly type: 'hello'; readonly channel: AgentChannel; readonly hello: Hello }
  | {
      readonly type: 'report'
      readonly agent: AgentId
      readonly channel: AgentChannel
      readonly seq: number
      readonly statuses: readonly TaskStatus[]
    }
  /** Heard of again after a silence: from now on it may be given tasks. */
  | { readonly type: 'returned'; readonly agent: AgentId }
  /** Its connection ended, and no other took its place. */
  | { readonly type: 'left'; readonly agent: AgentId }

/**
 * Connections of agents and how long they have been silent. Lives for one term of leadership: nothing here is
 * durable, and a new leader starts with a grace in which nobody counts as silent.
 */
export class Hub {
  readonly #clock: Clock
  readonly #post: (input: AgentInput) => void
  readonly #sessions = new Map<AgentId, AgentChannel>()
  /** Agents that said hello and have not yet been sent their whole set: deltas before it would mean nothing. */
  readonly #unsynced = new Set<AgentId>()
  /** Every open connection, those too on which nobody has said hello yet. */
  readonly #open = new Set<AgentChannel>()
  #over: string | null = null
  readonly #lastSeen = new Map<AgentId, number>()
  readonly #clockOff = new Map<AgentId, number>()
  readonly #leads: () => boolean
  #since: number
  #calmSince = Number.NEGATIVE_INFINITY

  /** `leads`: whether this process leads by its own clock; only then agents are told that they are heard. */
  constructor(clock: Clock, post: (input: AgentInput) => void, leads: () => boolean) {
    this.#clock = clock
    this.#post = post
    this.#leads = leads
    this.#since = clock.monotonic()
  }

  /** Reads one connection until it ends; resolves then. `bearer`: the only agent it may be; null: any, for the caller is trusted. */
  async serve(channel: AgentChannel, bearer: AgentId | null): Promise<void> {
    if (this.#over !== null) channel.close(this.#over)
    this.#open.add(channel)
    let agent: AgentId | null = null
    for await (const frame of channel.frames()) {
      const problem = protocolProblem(frame, agent, bearer)
      if (problem !== null) channel.close(problem)
      else agent ??= frame.type === 'hello' ? frame.agent.id : null
      if (problem === null && agent !== null) this.#take(frame, agent, channel)
    }
    this.#open.delete(channel)
    if (agent === null || !this.isCurrent(agent, channel)) return
    this.#sessions.delete(agent)
    this.#unsynced.delete(agent)
    this.#post({ type: 'left', agent })
  }

  #take(frame: AgentFrame, agent: AgentId, channel: AgentChannel): void {
    if (frame.type === 'hello') this.#post({ type: 'hello', channel, hello: frame })
    else if (this.isCurrent(agent, channel)) this.#heardOf(agent)
    if (frame.type === 'heartbeat' && this.isCurrent(agent, channel)) this.#beat(frame, agent, channel)
    if (frame.type === 'report') this.#post({ type: 'report', agent, channel, seq: frame.seq, statuses: frame.statuses })
  }

  #beat(frame: Extract<AgentFrame, { type: 'heartbeat' }>, agent: AgentId, channel: AgentChannel): void {
    if (frame.wall !== undefined) this.#clockOff.set(agent, frame.wall - this.#clock.now())
    this.answer(channel, frame)
  }

  /** Says that it was heard; one that holds no lease any more must not keep an agent from giving up what another leader replaces. */
  answer(channel: AgentChannel, { at }: { readonly at?: number }): void {
    if (at !== undefined && this.#leads()) channel.send({ type: 'pong', at })
  }

  /** Only from the connection that was admitted: another that merely bears its name does not show that the agent lives. */
  #heardOf(agent: AgentId): void {
    const before = this.standing(agent)
    this.#lastSeen.set(agent, this.#clock.monotonic())
    if (before !== 'Ready') this.#post({ type: 'returned', agent })
  }

  /** From now on this connection is the agent's; an earlier one is closed. One that has ended meanwhile is nobody's. */
  admit(agent: AgentId, channel: AgentChannel): void {
    if (!this.#open.has(channel)) return
    const before = this.#sessions.get(agent)
    if (before !== channel) before?.close('a newer connection of this agent took over')
    this.#sessions.set(agent, channel)
    this.#unsynced.add(agent)
    this.#lastSeen.set(agent, this.#clock.monotonic())
  }

  isCurrent(agent: AgentId, channel: AgentChannel): boolean {
    return this.#sessions.get(agent) === channel
  }

  isConnected(agent: AgentId): boolean {
    return this.#sessions.has(agent)
  }

  /** Connected, and not only by a line that nobody has closed since its machine went down. */
  isHeard(agent: AgentId): boolean {
    return this.standing(agent) === 'Ready' && this.isConnected(agent)
  }

  /** The whole set after a hello, a delta from then on; nothing to an agent that is away, for it will say hello. */
  sendOrders(
    agent: AgentId,
    orders: { epoch: Epoch; all: () => readonly Assignment[]; changed: readonly Assignment[]; gone: readonly TaskId[] },
  ): void {
    const channel = this.#sessions.get(agent)
    if (channel === undefined) return
    const full = this.#unsynced.delete(agent)
    const tasks = full ? orders.all() : orders.changed
    if (!full && tasks.length === 0 && orders.gone.length === 0) return
    channel.send({ type: 'assignments', epoch: orders.epoch, full, tasks: [...tasks], gone: full ? [] : [...orders.gone] })
  }

  /** Agents that said hello and have not yet been sent their whole set. */
  unsynced(): AgentId[] {
    return [...this.#unsynced]
  }

  send(agent: AgentId, frame: ServerFrame): 'Sent' | 'NotConnected' {
    const channel = this.#sessions.get(agent)
    channel?.send(frame)
    return channel === undefined ? 'NotConnected' : 'Sent'
  }

  standing(agent: AgentId): AgentStanding {
    if (this.#sessions.has(agent)) return this.#byAge(agent, 'Ready')
    return this.#byAge(agent, 'Suspect')
  }

  /** Nothing new can begin on it. Of one that this leader never heard of that is not said before its grace is over. */
  isAway(agent: AgentId): boolean {
    const standing = this.standing(agent)
    return standing === 'Unreachable' || (standing === 'Suspect' && this.#lastSeen.has(agent))
  }

  /** By how many milliseconds its wall clock was ahead of ours when it last told, the way here included; null: it never did. */
  clockOff(agent: AgentId): number | null {
    return this.#clockOff.get(agent) ?? null
  }

  /**
   * Milliseconds for which nothing was heard of an agent, as far as that counts: not before its tasks' state is unknown, nor
   * in the grace after an election, and after a storm from its end on, so that those who return next find theirs untouched.
   */
  silentFor(agent: AgentId): number {
    if (this.standing(agent) !== 'Unreachable') return 0
    const silence = this.#lastSeen.has(agent) ? this.#silence(agent) : this.#silence(agent) - ELECTION_GRACE_MS
    return Math.max(0, Math.min(silence, this.#clock.monotonic() - this.#calmSince))
  }

  /** A storm of silent agents is over. */
  calm(): void {
    this.#calmSince = this.#clock.monotonic()
  }

  /** This leader heard of it, and not too long ago. */
  isHeardOf(agent: AgentId): boolean {
    return this.#lastSeen.has(agent) && this.standing(agent) !== 'Unreachable'
  }

  /** When it becomes unreachable unless it is heard of, monotonic. */
  unreachableAt(agent: AgentId): number {
    return (this.#lastSeen.get(agent) ?? this.#since) + UNREACHABLE_AFTER_MS
  }

  /** This process did not run for so long (it was stopped, or its machine was): nobody was silent then, for nobody was listened to. */
  excuse(ms: number): void {
    this.#since += ms
    for (const [agent, at] of this.#lastSeen) this.#lastSeen.set(agent, at + ms)
  }

  /** Tells whoever it is to stop all that it runs, and hangs up. */
  dismiss(channel: AgentChannel, { epoch, reason }: { epoch: Epoch; reason: string }): void {
    channel.send({ type: 'assignments', epoch, full: true, tasks: [], gone: [] })
    this.refuse(channel, reason)
  }

  refuse(channel: AgentChannel, reason: string): void {
    channel.send({ type: 'refused', reason })
    channel.close(reason)
  }

  /** It is none of ours any more. */
  forget(agent: AgentId, farewell: { epoch: Epoch; reason: string }): void {
    const channel = this.#sessions.get(agent)
    this.#sessions.delete(agent)
    this.#unsynced.delete(agent)
    this.#lastSeen.delete(agent)
    this.#clockOff.delete(agent)
    if (channel !== undefined) this.dismiss(channel, farewell)
  }

  #silence(agent: AgentId): number {
    return this.#clock.monotonic() - (this.#lastSeen.get(agent) ?? this.#since)
  }

  #byAge(agent: AgentId, atBest: AgentStanding): AgentStanding {
    const silent = this.#silence(agent)
    if (silent >= UNREACHABLE_AFTER_MS) return 'Unreachable'
    return silent >= SUSPECT_AFTER_MS ? 'Suspect' : atBest
  }

  /** The term is over: nobody would answer, and an agent that is not hung up on would wait for ever. */
  closeAll(reason: string): void {
    this.#over = reason
    for (const channel of this.#open) channel.close(reason)
    this.#sessions.clear()
    this.#unsynced.clear()
  }
}

function protocolProblem(frame: AgentFrame, agent: AgentId | null, bearer: AgentId | null): string | null {
  if (agent === null && frame.type !== 'hello') return 'the first frame must be hello'
  if (frame.type !== 'hello') return null
  if (agent !== null && frame.agent.id !== agent) return 'one connection is for one agent'
  if (bearer !== null && frame.agent.id !== bearer) return `the certificate is of agent ${bearer}: ${frame.agent.id} needs its own`
  return null
}
