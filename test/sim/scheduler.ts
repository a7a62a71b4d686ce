import type { Millis } from '../../src/model/ids.ts'
import type { Trace } from './trace.ts'

/** What an event belongs to: it never fires once that is dead, and late when it is paused. */
export interface Owner {
  readonly name: string
  readonly alive: boolean
  readonly pausedUntil: Millis
}

export interface Timer {
  cancel(): void
}

interface Event {
  due: Millis
  readonly seq: number
  readonly label: string
  readonly owner: Owner | null
  run: (() => void) | null
}

const isBefore = (a: Event, b: Event): boolean => a.due < b.due || (a.due === b.due && a.seq < b.seq)

/** Virtual time: one heap of (time, order asked), one event at a time, quiet between two of them. */
export class Scheduler {
  now: Millis = 0
  events = 0
  readonly #heap: Event[] = []
  readonly #trace: Trace
  #seq = 0

  constructor(trace: Trace) {
    this.#trace = trace
  }

  /** `owner` null: the world itself, which nothing stops. */
  after(ms: Millis, label: string, options: { owner: Owner | null; run: () => void }): Timer {
    this.#seq += 1
    const event: Event = { due: this.now + Math.max(0, ms), seq: this.#seq, label, ...options }
    this.#push(event)
    return {
      cancel: () => {
        event.run = null
      },
    }
  }

  /** Runs everything due until `until`, or until `holds` (asked after every event). */
  async runUntil(until: Millis, holds: () => boolean): Promise<void> {
    for (let next = this.#heap[0]; next !== undefined && next.due <= until; next = this.#heap[0]) {
      this.#pop()
      if (this.#fire(next)) await quiet()
      if (holds()) return
    }
    this.now = Math.max(this.now, until)
  }

  #fire(event: Event): boolean {
    const { owner, run } = event
    if (run === null || owner?.alive === false) return false
    this.now = Math.max(this.now, event.due)
    if (owner !== null && owner.pausedUntil > this.now) {
      event.due = owner.pausedUntil
      this.#push(event)
      return false
    }
    this.events += 1
    this.#trace.event(this.now, event.seq, event.label)
    run()
    return true
  }

  #push(event: Event): void {
    const heap = this.#heap
    let at = heap.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(event, heap[parent] as Event)) break
      heap[at] = heap[parent] as Event
      at = parent
    }
    heap[at] = event
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child += 1
      if (!isBefore(heap[child] as Event, last)) break
      heap[at] = heap[child] as Event
      at = child
    }
    heap[at] = last
  }
}

/** An immediate runs only when no microtask is left, so every continuation of the event has ended by then. */
function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
