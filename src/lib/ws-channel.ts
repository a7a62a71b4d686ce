import type { RawData, WebSocket } from 'ws'
import type { Millis } from '../model/ids.ts'
import type { Channel } from './channel.ts'
import type { Clock } from './clock.ts'
import { isAbort, messageOf } from './errors.ts'
import { createFrameQueue, type FrameQueue } from './frame-queue.ts'

/**
 * A machine that vanished, or a process that is frozen, keeps its connections; in 20 s the other side knows, before an
 * agent counts as unreachable (40 s). It also keeps proxies (nginx, ALB) from dropping a socket that is idle for 60 s.
 */
const PING_EVERY: Millis = 5_000
const MISSED_PINGS_MAX = 3
/** Unsent bytes with which a receiver counts as dead; one frame may be larger, a backlog may not. */
const BUFFERED_MAX = 4 * 1024 * 1024
/** Unread frames at which the socket is paused, and TCP makes the sender wait. */
const UNREAD_PAUSE = 256
/** RFC 6455: a close reason has at most 123 bytes. */
const REASON_BYTES = 123

const CLOSE_NORMAL = 1000
const CLOSE_POLICY = 1008

export interface WsChannelOptions<In> {
  readonly clock: Clock
  /** @throws when it is not a frame; the channel then closes with the reason. */
  readonly parse: (value: unknown) => In
}

/** JSON frames over a socket that is open already, and that its maker gave a `maxPayload` and no compression. */
export function wsChannel<Out, In>(socket: WebSocket, options: WsChannelOptions<In>): Channel<Out, In> {
  const over = new AbortController()
  const queue = createFrameQueue<In>(() => {
    if (queue.size <= UNREAD_PAUSE / 2 && socket.isPaused) socket.resume()
  })
  const closed = new Promise<string>((resolve) =>
    over.signal.addEventListener('abort', () => resolve(String(over.signal.reason)), { once: true }),
  )

  const finish = (reason: string): void => {
    if (!over.signal.aborted) over.abort(reason)
  }
  const hangUp = (code: number, reason: string): void => {
    finish(reason)
    queue.drop()
    if (socket.isPaused) socket.resume()
    socket.close(code, shorten(reason))
  }
  listen(socket, { queue, parse: options.parse, hangUp, finish })
  keepAlive(socket, options.clock, over.signal).catch((error: unknown) => finish(messageOf(error)))
  return {
    send(frame) {
      if (over.signal.aborted || socket.readyState !== socket.OPEN) return
      if (socket.bufferedAmount > BUFFERED_MAX) {
        finish('the reader is too slow')
        queue.drop()
        socket.terminate()
        return
      }
      socket.send(JSON.stringify(frame))
    },
    frames: () => queue.frames(),
    close: (reason) => hangUp(CLOSE_NORMAL, reason),
    closed,
  }
}

interface Ends<In> {
  readonly queue: FrameQueue<In>
  readonly parse: (value: unknown) => In
  readonly hangUp: (code: number, reason: string) => void
  readonly finish: (reason: string) => void
}

function listen<In>(socket: WebSocket, { queue, parse, hangUp, finish }: Ends<In>): void {
  let failure: string | null = null
  socket.on('message', (data: RawData) => {
    try {
      queue.push(parse(JSON.parse(String(data))), 1)
    } catch (error) {
      hangUp(CLOSE_POLICY, `invalid frame: ${messageOf(error)}`)
    }
    if (queue.size >= UNREAD_PAUSE) socket.pause()
  })
  socket.on('error', (error) => {
    failure = messageOf(error)
  })
  socket.on('close', (code, reason) => {
    finish(failure ?? (String(reason) || `connection closed with code ${code}`))
    queue.end()
  })
}

/** Ends the socket when nothing answers: a dead peer behind a live network sends no close. */
async function keepAlive(socket: WebSocket, clock: Clock, signal: AbortSignal): Promise<void> {
  let missed = 0
  socket.on('pong', () => {
    missed = 0
  })
  try {
    for (;;) {
      await clock.sleep(PING_EVERY, signal)
      if (missed >= MISSED_PINGS_MAX) return socket.terminate()
      // While it waits here for its reader, no answer can be seen.
      if (!socket.isPaused) missed += 1
      if (socket.readyState === socket.OPEN) socket.ping()
    }
  } catch (error) {
    if (error !== signal.reason && !isAbort(error, signal)) throw error
  }
}

/** Cut at a byte length, so that a multi-byte character at the end is dropped whole. */
function shorten(reason: string): string {
  return new TextDecoder().decode(Buffer.from(reason).subarray(0, REASON_BYTES)).replace(/\uFFFD+$/, '')
}
