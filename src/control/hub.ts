import type { AgentStanding } from '../core/task-state.ts'
import type { Channel } from '../lib/channel.ts'
import type { Clock } from '../lib/clock.ts'
import type { AgentId, Epoch, TaskId } from '../model/ids.ts'
import type { AgentFrame, Assignment, ServerFrame } from '../model/protocol.ts'
import type { TaskStatus } from '../model/task.ts'

/** Silence after which an agent gets no new work, and after which its tasks' state is unknown. */
const SUSPECT_AFTER_MS = 15_000
const UNREACHABLE_AFTER_MS = 40_000

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

interface Session {
  readonly channel: AgentChannel
  /** False until the full set was sent: deltas before it would mean nothing. */
  synced: 'No' | 'Yes'
}

/**
 * Connections of agents and how long they have been silent. Lives for one term of leadership: nothing here is
 * durable, and a new leader starts with a grace in which nobody counts as silent.
 */
export class Hub {
  readonly #clock: Clock
  readonly #post: (input: AgentInput) => void
  readonly #sessions = new Map<AgentId, Session>()
  /** Every open connection, those too on which nobody has said hello yet. */
  readonly #open = new Set<AgentChannel>()
  #over: string | null = null
  readonly #lastSeen = new Map<AgentId, number>()
  readonly #since: number

  constructor(clock: Clock, post: (input: AgentInput) => void) {
    this.#clock = clock
    this.#post = post
    this.#since = clock.monotonic()
  }

  /** Reads one connection until it ends; resolves then. */
  async serve(channel: AgentChannel): Promise<void> {
    if (this.#over !== null) channel.close(this.#over)
    this.#open.add(channel)
    await this.#read(channel)
    this.#open.delete(channel)
  }

  async #read(channel: AgentChannel): Promise<void> {
    let agent: AgentId | null = null
    for await (const frame of channel.frames()) {
      const problem = protocolProblem(frame, agent)
      if (problem !== null) channel.close(problem)
      else agent ??= frame.type === 'hello' ? frame.agent.id : null
      if (problem === null && agent !== null) this.#take(frame, agent, channel)
    }
    if (agent !== null && this.#sessions.get(agent)?.channel === channel) this.#sessions.delete(agent)
  }

  #take(frame: AgentFrame, agent: AgentId, channel: AgentChannel): void {
    const before = this.standing(agent)
    this.#lastSeen.set(agent, this.#clock.monotonic())
    if (frame.type === 'hello') this.#post({ type: 'hello', channel, hello: frame })
    else if (before !== 'Ready' && this.isCurrent(agent, channel)) this.#post({ type: 'returned', agent })
    if (frame.type === 'report') this.#post({ type: 'report', agent, channel, seq: frame.seq, statuses: frame.statuses })
  }

  /** From now on this connection is the agent's; an earlier one is closed. One that has ended meanwhile is nobody's. */
  admit(agent: AgentId, channel: AgentChannel): void {
    if (!this.#open.has(channel)) return
    const before = this.#sessions.get(agent)
    if (before !== undefined && before.channel !== channel) before.channel.close('a newer connection of this agent took over')
    this.#sessions.set(agent, { channel, synced: 'No' })
  }

  isCurrent(agent: AgentId, channel: AgentChannel): boolean {
    return this.#sessions.get(agent)?.channel === channel
  }

  isConnected(agent: AgentId): boolean {
    return this.#sessions.has(agent)
  }

  /** The whole set after a hello, a delta from then on; nothing to an agent that is away, for it will say hello. */
  sendOrders(
    agent: AgentId,
    orders: { epoch: Epoch; all: () => readonly Assignment[]; changed: readonly Assignment[]; gone: readonly TaskId[] },
  ): void {
    const session = this.#sessions.get(agent)
    if (session === undefined) return
    const full = session.synced === 'No'
    const tasks = full ? orders.all() : orders.changed
    session.synced = 'Yes'
    if (!full && tasks.length === 0 && orders.gone.length === 0) return
    session.channel.send({ type: 'assignments', epoch: orders.epoch, full, tasks: [...tasks], gone: full ? [] : [...orders.gone] })
  }

  /** Agents that said hello and have not yet been sent their whole set. */
  unsynced(): AgentId[] {
    return [...this.#sessions].filter(([, session]) => session.synced === 'No').map(([agent]) => agent)
  }

  send(agent: AgentId, frame: ServerFrame): 'Sent' | 'NotConnected' {
    const session = this.#sessions.get(agent)
    session?.channel.send(frame)
    return session === undefined ? 'NotConnected' : 'Sent'
  }

  standing(agent: AgentId): AgentStanding {
    if (this.#sessions.has(agent)) return this.#byAge(agent, 'Ready')
    return this.#byAge(agent, 'Suspect')
  }

  #byAge(agent: AgentId, atBest: AgentStanding): AgentStanding {
    const silent = this.#clock.monotonic() - (this.#lastSeen.get(agent) ?? this.#since)
    if (silent >= UNREACHABLE_AFTER_MS) return 'Unreachable'
    return silent >= SUSPECT_AFTER_MS ? 'Suspect' : atBest
  }

  /** The term is over: nobody would answer, and an agent that is not hung up on would wait for ever. */
  closeAll(reason: string): void {
    this.#over = reason
    for (const channel of this.#open) channel.close(reason)
    this.#sessions.clear()
  }
}

function protocolProblem(frame: AgentFrame, agent: AgentId | null): string | null {
  if (agent === null) return frame.type === 'hello' ? null : 'the first frame must be hello'
  return frame.type === 'hello' && frame.agent.id !== agent ? 'one connection is for one agent' : null
}
