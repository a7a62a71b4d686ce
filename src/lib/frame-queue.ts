/** The receiving half of a channel: frames wait here, in order, for their one reader. */
export interface FrameQueue<T> {
  /** False when the queue has ended; the frame is dropped. */
  push(frame: T): boolean
  /** No more frames come. What is queued is still read, unless `drop`ped. */
  end(): void
  /** Ends at once, forgetting what is queued. */
  drop(): void
  frames(): AsyncIterable<T>
  readonly size: number
}

/** `onRead` is called after each frame that the reader takes, to let a paused sender go on. */
export function createFrameQueue<T>(onRead: () => void = () => undefined): FrameQueue<T> {
  let queued: T[] = []
  let ended = false
  let wake: (() => void) | null = null

  const changed = (): void => {
    wake?.()
    wake = null
  }

  async function* frames(): AsyncGenerator<T> {
    for (;;) {
      const [first] = queued
      if (queued.length > 0) {
        queued.shift()
        onRead()
        yield first as T
      } else if (ended) return
      else
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    }
  }

  return {
    push(frame) {
      if (ended) return false
      queued.push(frame)
      changed()
      return true
    },
    end() {
      ended = true
      changed()
    },
    drop() {
      queued = []
      ended = true
      changed()
    },
    frames,
    get size() {
      return queued.length
    },
  }
}
