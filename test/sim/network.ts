import type { Channel } from '../../src/lib/channel.ts'
import { RetryableError } from '../../src/lib/errors.ts'
import { createFrameQueue, type FrameQueue } from '../../src/lib/frame-queue.ts'
import type { Millis } from '../../src/model/ids.ts'
import type { AgentFrame, ServerFrame } from '../../src/model/protocol.ts'
import type { Incarnation } from './incarnation.ts'
import type { Rng } from './rng.ts'
import type { Scheduler } from './scheduler.ts'

/** A silent peer is given up after three missed pings of 20 s, as over a WebSocket. */
const SILENCE_MIN: Millis = 40_000
const SILENCE_MAX: Millis = 80_000
const RESET_MAX: Millis = 1_000

export type Direction = 'toControl' | 'toAgent'
export const DIRECTIONS: readonly Direction[] = ['toControl', 'toAgent']

/** The way between one agent and one control plane. */
export interface Link {
  /** Nothing passes in these directions. */
  readonly cut: Set<Direction>
  /** Frames of that direction wait until then, as TCP's do when packets are lost. */
  readonly stalledUntil: Record<Direction, Millis>
  maxDelayMs: Millis
}

interface End {
  readonly owner: Incarnation
  readonly queue: FrameQueue<unknown>
  readonly closed: Promise<string>
  readonly finish: (reason: string) => void
  over: boolean
}

function createEnd(owner: Incarnation): End {
  let resolve: (reason: string) => void = () => undefined
  const closed = new Promise<string>((done) => {
    resolve = done
  })
  const end: End = { owner, queue: createFrameQueue<unknown>(), closed, over: false, finish: (reason) => finish(end, reason, resolve) }
  return end
}

function finish(end: End, reason: string, resolve: (reason: string) => void): void {
  if (end.over) return
  end.over = true
  resolve(reason)
}

/** A frame as it reaches a live process. */
export interface Delivery {
  readonly direction: Direction
  readonly frame: unknown
  readonly agent: string
  readonly control: Incarnation
}

interface Connection {
  readonly link: Link
  readonly agent: End
  readonly control: End
  /** True once the network lost it: what is in flight never arrives. */
  lost: boolean
  /** Directions in which something was lost: as of any stream, nothing after that arrives either. */
  readonly deaf: Set<Direction>
}

export class Network {
  readonly #scheduler: Scheduler
  readonly #rng: Rng
  readonly #links = new Map<string, Link>()
  readonly #connections = new Set<Connection>()
  readonly #delivered: (delivery: Delivery) => void

  constructor(scheduler: Scheduler, rng: Rng, delivered: (delivery: Delivery) => void) {
    this.#scheduler = scheduler
    this.#rng = rng
    this.#delivered = delivered
  }

  link(agent: string, control: string): Link {
    const name = `${agent}-${control}`
    const known = this.#links.get(name) ?? { cut: new Set<Direction>(), stalledUntil: { toControl: 0, toAgent: 0 }, maxDelayMs: 20 }
    this.#links.set(name, known)
    return known
  }

  /** Every open connection over the link is lost; each side learns of it by itself, sooner or later. */
  cut(link: Link, directions: readonly Direction[]): void {
    for (const direction of directions) link.cut.add(direction)
    const open = [...this.#connections].filter((connection) => connection.link === link)
    if (link.cut.size === DIRECTIONS.length) this.#lose(open)
    else for (const connection of open) this.#deafen(connection, directions)
  }

  /** For connections to come: those that the cut struck do not recover. */
  heal(link: Link): void {
    link.cut.clear()
    for (const direction of DIRECTIONS) link.stalledUntil[direction] = 0
  }

  /** The kernel of a crashed process resets its connections, unless the machine died with it. */
  crashed(owner: Incarnation): void {
    this.#lose([...this.#connections].filter(({ agent, control }) => agent.owner === owner || control.owner === owner))
  }

  delay(link: Link): Millis {
    return this.#rng.int(1, link.maxDelayMs)
  }

  /** @throws RetryableError when nobody answers there. */
  connect(agent: Incarnation, options: Dial): Promise<Channel<AgentFrame, ServerFrame>> {
    const { link, signal } = options
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      this.#scheduler.after(this.delay(link) * 2, `${agent.name} dials`, {
        owner: agent,
        run: () => {
          if (signal.aborted) return
          const control = options.target()
          // A handshake needs both ways; where none is open a router on this side may say so.
          if (link.cut.size === 1 || (link.cut.size > 1 && this.#rng.chance(0.5))) return
          if (link.cut.size > 1 || control === null) return reject(new RetryableError('connection refused'))
          resolve(this.#open(agent, control, options))
        },
      })
    })
  }

  #open(agent: Incarnation, control: Incarnation, { link, signal, accept }: Dial): Channel<AgentFrame, ServerFrame> {
    const connection: Connection = { link, agent: createEnd(agent), control: createEnd(control), lost: false, deaf: new Set() }
    this.#connections.add(connection)
    const agentEnd = this.#channel<AgentFrame, ServerFrame>(connection, 'toControl')
    const controlEnd = this.#channel<ServerFrame, AgentFrame>(connection, 'toAgent')
    this.#scheduler.after(0, `${control.name} accepts ${agent.name}`, { owner: control, run: () => accept(controlEnd) })
    signal.addEventListener('abort', () => agentEnd.close('the agent stops'), { once: true })
    return agentEnd
  }

  /** The end that sends in `direction`. */
  #channel<Out, In>(connection: Connection, direction: Direction): Channel<Out, In> {
    const [mine, theirs] = direction === 'toControl' ? [connection.agent, connection.control] : [connection.control, connection.agent]
    let free: Millis = 0
    const arrive = (label: string, run: () => void) => {
      free = Math.max(free, this.#scheduler.now + this.delay(connection.link), connection.link.stalledUntil[direction])
      const ms = free - this.#scheduler.now
      const isGone = () => connection.lost || connection.deaf.has(direction) || theirs.over
      this.#scheduler.after(ms, label, { owner: theirs.owner, run: () => (isGone() ? undefined : run()) })
    }
    return {
      send: (frame) => {
        if (mine.over || connection.lost) return
        const copy: unknown = JSON.parse(JSON.stringify(frame))
        arrive(`${theirs.owner.name} hears ${mine.owner.name}`, () => {
          theirs.queue.push(copy, 1)
          this.#delivered({ direction, frame: copy, agent: connection.agent.owner.name, control: connection.control.owner })
        })
      },
      frames: () => mine.queue.frames() as AsyncIterable<In>,
      close: (reason) => {
        if (mine.over) return
        mine.finish(reason)
        mine.queue.drop()
        if (theirs.over) this.#connections.delete(connection)
        arrive(`${theirs.owner.name} is hung up on by ${mine.owner.name}`, () => this.#end(theirs, reason))
      },
      closed: mine.closed,
    }
  }

  #end(end: End, reason: string): void {
    end.finish(reason)
    end.queue.end()
  }

  #lose(connections: readonly Connection[]): void {
    for (const connection of connections) {
      connection.lost = true
      this.#connections.delete(connection)
      for (const end of [connection.agent, connection.control])
        this.#notice(end, this.#rng.chance(0.6) ? this.#rng.int(1, RESET_MAX) : this.#rng.int(RESET_MAX, SILENCE_MAX))
    }
  }

  /** Half open: frames go on in the other direction until one side misses its pongs. */
  #deafen(connection: Connection, directions: readonly Direction[]): void {
    for (const direction of directions) connection.deaf.add(direction)
    for (const end of [connection.agent, connection.control]) this.#notice(end, this.#rng.int(SILENCE_MIN, SILENCE_MAX))
  }

  #notice(end: End, ms: Millis): void {
    this.#scheduler.after(ms, `${end.owner.name} loses a connection`, { owner: end.owner, run: () => this.#end(end, 'connection lost') })
  }
}

export interface Dial {
  readonly link: Link
  readonly signal: AbortSignal
  /** The process that listens at the other end now; null: none. */
  readonly target: () => Incarnation | null
  readonly accept: (channel: Channel<ServerFrame, AgentFrame>) => void
}
