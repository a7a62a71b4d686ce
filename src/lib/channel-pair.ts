import type { Channel } from './channel.ts'
import { messageOf } from './errors.ts'
import { createFrameQueue, type FrameQueue } from './frame-queue.ts'

/** Unread characters of JSON with which a reader counts as dead. Nothing stands between the ends, so a whole burst counts. */
const UNREAD_MAX = 64 * 1024 * 1024

/** Checks what arrives, as a codec over a socket does. @throws when it is not a frame. */
export interface PairCodecs<A, B> {
  readonly parseA?: (value: unknown) => A
  readonly parseB?: (value: unknown) => B
}

/**
 * Two ends of a channel inside one process: what `a` sends (A) arrives at `b`, and the other way round (B).
 * Frames pass as JSON, as they would over a socket, so the ends never share an object.
 */
export function channelPair<A, B>(codecs: PairCodecs<A, B> = {}): { a: Channel<A, B>; b: Channel<B, A> } {
  const toA = createFrameQueue<B>()
  const toB = createFrameQueue<A>()
  const end = createEnd()
  return {
    a: side<A, B>({ end, mine: toA, theirs: toB, parse: codecs.parseA }),
    b: side<B, A>({ end, mine: toB, theirs: toA, parse: codecs.parseB }),
  }
}

interface End {
  readonly closed: Promise<string>
  readonly over: () => boolean
  /** False when it was over before. */
  finish(reason: string): boolean
}

function createEnd(): End {
  let over = false
  let resolve: (reason: string) => void = () => undefined
  const closed = new Promise<string>((done) => {
    resolve = done
  })
  return {
    closed,
    over: () => over,
    finish(reason) {
      if (over) return false
      over = true
      resolve(reason)
      return true
    },
  }
}

interface Side<Out, In> {
  readonly end: End
  readonly mine: FrameQueue<In>
  readonly theirs: FrameQueue<Out>
  readonly parse: ((value: unknown) => Out) | undefined
}

function side<Out, In>({ end, mine, theirs, parse }: Side<Out, In>): Channel<Out, In> {
  /** The closing side hears no more; the other still reads what was sent to it. */
  const close = (reason: string): void => {
    if (!end.finish(reason)) return
    mine.drop()
    theirs.end()
  }
  /** The fault is at this end's frames, so the other end closes, as it would over a socket. */
  const refuse = (reason: string): void => {
    if (!end.finish(reason)) return
    theirs.end()
    mine.end()
  }
  return {
    send(frame) {
      if (end.over()) return
      if (theirs.weight > UNREAD_MAX) return refuse('the reader is too slow')
      try {
        const text = JSON.stringify(frame)
        const copy: unknown = JSON.parse(text)
        theirs.push(parse === undefined ? (copy as Out) : parse(copy), text.length)
      } catch (error) {
        refuse(`invalid frame: ${messageOf(error)}`)
      }
    },
    frames: () => mine.frames(),
    close,
    closed: end.closed,
  }
}
