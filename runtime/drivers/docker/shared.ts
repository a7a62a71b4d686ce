interface Flight {
  readonly result: Promise<void>
  readonly over: AbortController
  waiting: number
}

/** Work done once for all who ask for the same key at the same time. */
export interface Shared {
  /** Abort stops waiting; the last one to go cancels the work. */
  run(key: string, signal: AbortSignal): Promise<void>
}

export function createShared(work: (key: string, signal: AbortSignal) => Promise<void>): Shared {
  const flights = new Map<string, Flight>()

  const take = (key: string): Flight => {
    const found = flights.get(key)
    if (found !== undefined) return found
    const over = new AbortController()
    const result = work(key, over.signal).finally(() => leave(key, flight))
    const flight = { result, over, waiting: 0 }
    flights.set(key, flight)
    return flight
  }

  /** Only its own entry: a cancelled one may end after the next has begun. */
  const leave = (key: string, flight: Flight): void => {
    if (flights.get(key) === flight) flights.delete(key)
  }

  return {
    async run(key, signal) {
      signal.throwIfAborted()
      const flight = take(key)
      flight.waiting += 1
      try {
        await unlessAborted(flight.result, signal)
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

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
