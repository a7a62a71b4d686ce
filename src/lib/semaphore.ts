/** Bounds how many of something run at once; waiting ones get their turn in the order they asked. */
export interface Semaphore {
  /** Runs `work` when there is room. Rejects with the signal's reason when it aborts before that; never after. */
  run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>
}

interface Waiter {
  readonly enter: () => void
}

export function createSemaphore(limit: number): Semaphore {
  let running = 0
  const waiting = new Set<Waiter>()

  const enter = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted()
      if (running < limit) {
        running += 1
        resolve()
        return
      }
      const onAbort = () => {
        waiting.delete(waiter)
        reject(signal.reason)
      }
      const waiter: Waiter = {
        enter: () => {
          signal.removeEventListener('abort', onAbort)
          resolve()
        },
      }
      waiting.add(waiter)
      signal.addEventListener('abort', onAbort, { once: true })
    })

  /** The place goes straight to the next in line, so nobody can jump the queue. */
  const leave = (): void => {
    const [first] = waiting
    if (first === undefined) {
      running -= 1
      return
    }
    waiting.delete(first)
    first.enter()
  }

  return {
    async run(work, signal) {
      await enter(signal)
      try {
        return await work()
      } finally {
        leave()
      }
    },
  }
}
