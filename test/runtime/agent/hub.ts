import type { Uplink } from '../../../runtime/uplink.ts'
import type { Channel } from '../../../src/lib/channel.ts'
import { channelPair } from '../../../src/lib/channel-pair.ts'
import type { Epoch, TaskId } from '../../../src/model/ids.ts'
import { AgentFrame, type Assignment, type LogLine, ServerFrame } from '../../../src/model/protocol.ts'
import { mayFollow, type TaskStatus } from '../../../src/model/task.ts'
import type { TaskSpec } from '../../../src/model/task-spec.ts'

export type Hello = Extract<AgentFrame, { type: 'hello' }>

/** What a control plane keeps of one agent, with the faults a test wants. */
export class TestHub {
  epoch = 1 as Epoch
  reachable = true
  /** Acknowledge reports as they come. */
  acks = true
  /** Send the whole set as soon as an agent says hello. */
  greets = true
  /** Answer what asks for it: whoever does not may still give orders, as where only one direction is cut. */
  answers = true
  readonly orders = new Map<TaskId, Assignment>()
  readonly observed = new Map<TaskId, TaskStatus>()
  /** Statuses that may not follow the one before: an agent must never send one. */
  readonly steppedBack: string[] = []
  readonly hellos: Hello[] = []
  readonly reports: { seq: number; tasks: TaskId[] }[] = []
  readonly logs = new Map<string, LogLine[]>()
  beats = 0
  #channel: Channel<ServerFrame, AgentFrame> | null = null

  readonly uplink: Uplink = {
    connect: async () => {
      if (!this.reachable) throw new Error('connection refused')
      const { a, b } = channelPair<AgentFrame, ServerFrame>({
        parseA: (value) => AgentFrame.parse(value),
        parseB: (value) => ServerFrame.parse(value),
      })
      this.serve(b)
      return a
    },
    fetchTree: async () => {
      throw new Error('no trees here')
    },
    sendLogs: async (ticket, lines) => {
      const got: LogLine[] = []
      this.logs.set(ticket, got)
      for await (const line of lines) got.push(line)
    },
  }

  /** The hub's end of a connection, whatever carries it. */
  serve(channel: Channel<ServerFrame, AgentFrame>): void {
    this.#channel = channel
    this.#read(channel).catch((error: unknown) => this.steppedBack.push(String(error)))
  }

  get connected(): boolean {
    return this.#channel !== null
  }

  assign(task: string, spec: TaskSpec): void {
    this.#order({ task: task as TaskId, generation: 1, desired: 'run', spec })
  }

  stop(task: string): void {
    const order = this.orders.get(task as TaskId)
    if (order !== undefined) this.#order({ ...order, generation: order.generation + 1, desired: 'stop' })
  }

  forget(task: string): void {
    this.orders.delete(task as TaskId)
    this.send({ type: 'assignments', epoch: this.epoch, full: false, tasks: [], gone: [task as TaskId] })
  }

  sendAll(): void {
    this.send({ type: 'assignments', epoch: this.epoch, full: true, tasks: [...this.orders.values()], gone: [] })
  }

  send(frame: ServerFrame): void {
    this.#channel?.send(frame)
  }

  disconnect(): void {
    this.#channel?.close('cut by the test')
    this.#channel = null
  }

  status(task: string): TaskStatus | undefined {
    return this.observed.get(task as TaskId)
  }

  #order(order: Assignment): void {
    this.orders.set(order.task, order)
    this.send({ type: 'assignments', epoch: this.epoch, full: false, tasks: [order], gone: [] })
  }

  async #read(channel: Channel<ServerFrame, AgentFrame>): Promise<void> {
    for await (const frame of channel.frames()) {
      if (frame.type === 'heartbeat') this.beats += 1
      if (frame.type === 'hello') {
        this.hellos.push(frame)
        if (this.greets) this.sendAll()
      }
      if (frame.type === 'report') this.#note(frame)
      if (this.answers && frame.type !== 'report' && frame.at !== undefined) this.send({ type: 'pong', at: frame.at })
    }
    if (this.#channel === channel) this.#channel = null
  }

  #note(frame: Extract<AgentFrame, { type: 'report' }>): void {
    this.reports.push({ seq: frame.seq, tasks: frame.statuses.map((status) => status.task) })
    for (const status of frame.statuses) this.#observe(status)
    if (this.acks) this.send({ type: 'ack', seq: frame.seq })
  }

  /** The same said again is no step. */
  #observe(status: TaskStatus): void {
    const before = this.observed.get(status.task)
    if (!mayFollow(before, status) && JSON.stringify(before) !== JSON.stringify(status)) {
      this.steppedBack.push(`${JSON.stringify(before)} then ${JSON.stringify(status)}`)
      return
    }
    this.observed.set(status.task, status)
  }
}
