import type { AgentId } from '../../model/ids.ts'
import type { LogLine } from '../../model/protocol.ts'
import { RequestError } from '../requests/control-plane.ts'

type Lines = AsyncIterable<LogLine>

/** Joins a reader of logs with the connection on which its agent sends them; a ticket is good for one. */
export class LogTickets {
  readonly #waiting = new Map<string, Reader>()

  /**
   * Lines for `ticket`, which is good from now on, once `agent` comes with it. They end when the agent's stream does
   * or the reader aborts, at once though no line comes; a reader that stops before must abort.
   */
  lines({ ticket, agent }: { ticket: string; agent: AgentId }, signal: AbortSignal): Lines {
    const reader = new Reader(agent)
    const end = () => {
      this.#waiting.delete(ticket)
      reader.finish()
    }
    this.#waiting.set(ticket, reader)
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
    return reader.lines(end)
  }

  /**
   * Hands the agent's stream over; resolves when the reader has had enough or all of it. `bearer`: the agent that brings it;
   * null: a trusted caller. A ticket of another agent is, to it, none, and stays good for its owner.
   */
  async deliver(ticket: string, lines: Lines, bearer: AgentId | null): Promise<void> {
    const reader = this.#waiting.get(ticket)
    if (reader === undefined || (bearer !== null && reader.agent !== bearer))
      throw new RequestError('NotFound', 'nobody waits for these logs')
    this.#waiting.delete(ticket)
    await reader.deliver(lines)
  }
}

/** One reader: what it waits for, and what tells the agent's connection that it is done. */
class Reader {
  readonly #delivered: Promise<Lines>
  readonly #finished: Promise<void>
  #deliver: (lines: Lines) => void = () => undefined
  #finish: () => void = () => undefined
  #interrupt: () => void = () => undefined
  #done = false
  readonly agent: AgentId

  constructor(agent: AgentId) {
    this.agent = agent
    this.#delivered = new Promise((resolve) => {
      this.#deliver = resolve
    })
    this.#finished = new Promise((resolve) => {
      this.#finish = resolve
    })
  }

  async deliver(lines: Lines): Promise<void> {
    this.#deliver(lines)
    await this.#finished
  }

  finish(): void {
    this.#done = true
    this.#finish()
    this.#interrupt()
  }

  async *lines(end: () => void): AsyncGenerator<LogLine> {
    try {
      const rest = (await this.#unlessDone(this.#delivered))?.[Symbol.asyncIterator]()
      for (;;) {
        const next = await this.#unlessDone(rest?.next())
        if (next == null || next.done === true) return
        yield next.value
      }
    } finally {
      end()
    }
  }

  /** No `Promise.race` with one long promise: each line would leave a listener on it. */
  async #unlessDone<T>(coming: Promise<T> | undefined): Promise<T | null> {
    if (this.#done || coming === undefined) return null
    return new Promise((resolve, reject) => {
      this.#interrupt = () => resolve(null)
      coming.then(resolve, reject)
    })
  }
}
