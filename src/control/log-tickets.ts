import type { LogLine } from '../model/protocol.ts'
import { RequestError } from './control-plane.ts'

interface Waiting {
  readonly deliver: (lines: AsyncIterable<LogLine>) => Promise<void>
}

/** Joins a reader of logs with the connection on which its agent sends them; a ticket is good for one. */
export class LogTickets {
  readonly #waiting = new Map<string, Waiting>()

  /** Lines for `ticket` once the agent comes; ends when the agent's stream does or the reader aborts. */
  async *lines(ticket: string, signal: AbortSignal): AsyncIterable<LogLine> {
    const { promise, resolve } = deferred<{ lines: AsyncIterable<LogLine>; finish: () => void }>()
    this.#waiting.set(ticket, {
      deliver: (lines) => new Promise<void>((finish) => resolve({ lines, finish })),
    })
    try {
      const delivery = await Promise.race([promise, aborted(signal)])
      if (delivery === null) return
      try {
        for await (const line of delivery.lines) {
          if (signal.aborted) return
          yield line
        }
      } finally {
        delivery.finish()
      }
    } finally {
      this.#waiting.delete(ticket)
    }
  }

  /** Hands the agent's stream over; resolves when the reader has had enough or all of it. */
  async deliver(ticket: string, lines: AsyncIterable<LogLine>): Promise<void> {
    const waiting = this.#waiting.get(ticket)
    this.#waiting.delete(ticket)
    if (waiting === undefined) throw new RequestError('NotFound', 'nobody waits for these logs')
    await waiting.deliver(lines)
  }
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null)
    else signal.addEventListener('abort', () => resolve(null), { once: true })
  })
}
