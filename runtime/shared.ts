import { orAbandon } from '../src/lib/abandon.ts'

interface Flight<T> {
  readonly result: Promise<T>
  readonly over: AbortController
  waiting: number
}

/** Work done once for all who ask for the same key at the same time. */
export interface Shared<T> {
  /** Abort stops waiting; the last one to go cancels the work. */
  run(key: string, work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T>
}

export function createShared<T>(): Shared<T> {
  const flights = new Map<string, Flight<T>>()

  const take = (key: string, work: (signal: AbortSignal) => Promise<T>): Flight<T> => {
    const found = flights.get(key)
    if (found !== undefined) return found
    const over = new AbortController()
    const result = work(over.signal).finally(() => leave(key, flight))
    const flight = { result, over, waiting: 0 }
    flights.set(key, flight)
    return flight
  }

  /** Only its own entry: a cancelled one may end after the next has begun. */
  const leave = (key: string, flight: Flight<T>): void => {
    if (flights.get(key) === flight) flights.delete(key)
  }

  return {
    async run(key, work, signal) {
      signal.throwIfAborted()
      const flight = take(key, work)
      flight.waiting += 1
      try {
        return await orAbandon(flight.result, signal)
      } finally {
        flight.waiting -= 1
        if (flight.waiting === 0) {
          leave(key, flight)
          flight.over.abort()
        }
      }
    },
  }
}
