/** The receiving half of a channel: frames wait here, in order, for their one reader. */
export interface FrameQueue<T> {
  /** `weight` in whatever unit the caller bounds. After the end the frame is dropped. */
  push(frame: T, weight: number): void
  /** No more frames come. What is queued is still read, unless `drop`ped. */
  end(): void
  /** Ends at once, forgetting what is queued. */
  drop(): void
  frames(): AsyncIterable<T>
  readonly size: number
  /** Of all that is queued. */
  readonly weight: number
}

/** `onRead` is called after each frame that the reader takes, to let a paused sender go on. */
export function createFrameQueue<T>(onRead: () => void = () => undefined): FrameQueue<T> {
  let queued: { readonly frame: T; readonly weight: number }[] = []
  let weight = 0
  let ended = false
  let wake: (() => void) | null = null

  const changed = (): void => {
    wake?.()
    wake = null
  }

  async function* frames(): AsyncGenerator<T> {
    for (;;) {
      const [first] = queued
      if (first !== undefined) {
        queued.shift()
        weight -= first.weight
        onRead()
        yield first.frame
      } else if (ended) return
      else
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    }
  }

  return {
    push(frame, heavy) {
      if (ended) return
      queued.push({ frame, weight: heavy })
      weight += heavy
      changed()
    },
    end() {
      ended = true
      changed()
    },
    drop() {
      queued = []
      weight = 0
      ended = true
      changed()
    },
    frames,
    get size() {
      return queued.length
    },
    get weight() {
      return weight
    },
  }
}
