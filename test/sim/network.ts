import type { Channel } from '../../src/lib/channel.ts'
import { RetryableError } from '../../src/lib/errors.ts'
import { createFrameQueue, type FrameQueue } from '../../src/lib/frame-queue.ts'
import type { Millis } from '../../src/model/ids.ts'
import type { AgentFrame, ServerFrame } from '../../src/model/protocol.ts'
import type { Incarnation } from './incarnation.ts'
import type { Rng } from './rng.ts'
import type { Scheduler } from './scheduler.ts'

/** A silent peer is given up after three missed pings of 20 s, as over a WebSocket. */
const SILENCE_MAX: Millis = 80_000
const RESET_MAX: Millis = 1_000

export type Direction = 'toControl' | 'toAgent'

/** The way between one agent and one control plane. */
export interface Link {
  cut: boolean
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

/** Called with every frame as it reaches a live process. */
export type Delivery = (direction: Direction, frame: unknown, agent: string) => void

interface Connection {
  readonly link: Link
  readonly agent: End
  readonly control: End
  /** True once the network lost it: what is in flight never arrives. */
  lost: boolean
}

export class Network {
  readonly #scheduler: Scheduler
  readonly #rng: Rng
  readonly #links = new Map<string, Link>()
  readonly #connections = new Set<Connection>()
  readonly #delivered: Delivery

  constructor(scheduler: Scheduler, rng: Rng, delivered: Delivery) {
    this.#scheduler = scheduler
    this.#rng = rng
    this.#delivered = delivered
  }

  link(agent: string, control: string): Link {
    const name = `${agent}-${control}`
    const known = this.#links.get(name) ?? { cut: false, stalledUntil: { toControl: 0, toAgent: 0 }, maxDelayMs: 20 }
    this.#links.set(name, known)
    return known
  }

  /** Ends every connection over the link; each side learns of it by itself, sooner or later. */
  cut(link: Link): void {
    link.cut = true
    this.#lose((connection) => connection.link === link)
  }

  /** The kernel of a crashed process resets its connections, unless the machine died with it. */
  crashed(owner: Incarnation): void {
    this.#lose((connection) => connection.agent.owner === owner || connection.control.owner === owner)
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
          if (link.cut && this.#rng.chance(0.5)) return
          if (link.cut || control === null) return reject(new RetryableError('connection refused'))
          resolve(this.#open(agent, control, options))
        },
      })
    })
  }

  #open(agent: Incarnation, control: Incarnation, { link, signal, accept }: Dial): Channel<AgentFrame, ServerFrame> {
    const connection: Connection = { link, agent: createEnd(agent), control: createEnd(control), lost: false }
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
      this.#scheduler.after(ms, label, { owner: theirs.owner, run: () => (connection.lost || theirs.over ? undefined : run()) })
    }
    return {
      send: (frame) => {
        if (mine.over || connection.lost) return
        const copy: unknown = JSON.parse(JSON.stringify(frame))
        arrive(`${theirs.owner.name} hears ${mine.owner.name}`, () => {
          theirs.queue.push(copy, 1)
          this.#delivered(direction, copy, connection.agent.owner.name)
        })
      },
      frames: () => mine.queue.frames() as AsyncIterable<In>,
      close: (reason) => {
        if (mine.over) return
        mine.finish(reason)
        mine.queue.drop()
        arrive(`${theirs.owner.name} is hung up on by ${mine.owner.name}`, () => this.#end(theirs, reason))
      },
      closed: mine.closed,
    }
  }

  #end(end: End, reason: string): void {
    end.finish(reason)
    end.queue.end()
  }

  #lose(which: (connection: Connection) => boolean): void {
    for (const connection of [...this.#connections].filter(which)) {
      connection.lost = true
      this.#connections.delete(connection)
      for (const end of [connection.agent, connection.control]) {
        const ms = this.#rng.chance(0.6) ? this.#rng.int(1, RESET_MAX) : this.#rng.int(RESET_MAX, SILENCE_MAX)
        this.#scheduler.after(ms, `${end.owner.name} loses a connection`, {
          owner: end.owner,
          run: () => this.#end(end, 'connection lost'),
        })
      }
    }
  }
}

export interface Dial {
  readonly link: Link
  readonly signal: AbortSignal
  /** The process that listens at the other end now; null: none. */
  readonly target: () => Incarnation | null
  readonly accept: (channel: Channel<ServerFrame, AgentFrame>) => void
}
