import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fetch } from 'undici'
import { createWebSocketStream, WebSocket } from 'ws'
import type { Clock } from '../src/lib/clock.ts'
import { messageOf, RetryableError } from '../src/lib/errors.ts'
import { wsChannel } from '../src/lib/ws-channel.ts'
import type { AgentId, Oid } from '../src/model/ids.ts'
import { type AgentFrame, type LogLine, ServerFrame } from '../src/model/protocol.ts'
import type { Uplink } from './uplink.ts'

/** The whole set of orders is one frame, so a machine with thousands of tasks gets a large one. */
const ORDERS_BYTES = 64 * 1024 * 1024
/** A log connection only sends. */
const LOGS_BYTES = 64 * 1024
const HANDSHAKE_MS = 10_000
/** How long a closed socket waits for the other side's word before it is destroyed. */
const CLOSE_MS = 2_000
/** Bytes of log that wait in this process for a slow reader; beyond it the log is not read on. */
const LOG_BUFFER = 64 * 1024

export interface WsUplinkOptions {
  /** Of the control plane: `http(s)://host:port`. */
  readonly url: string
  readonly agent: AgentId
  readonly clock: Clock
  /** Sent with every request, a bearer token for example. */
  readonly headers?: Readonly<Record<string, string>>
}

/** The agent's way to a control plane on another machine. Standbys redirect to the leader; redirects are followed. */
export function createWsUplink(options: WsUplinkOptions): Uplink {
  return {
    async connect(signal) {
      const socket = await openSocket(options, { path: '/agent/v1/connect', maxPayload: ORDERS_BYTES }, signal)
      return wsChannel<AgentFrame, ServerFrame>(socket, { clock: options.clock, parse: (value) => ServerFrame.parse(value) })
    },
    fetchTree: (tree, signal) => fetchTree(options, tree, signal),
    sendLogs: (ticket, lines, signal) => sendLogs(options, { ticket, lines }, signal),
  }
}

/** The address of a route, for HTTP; a socket takes the same with `ws:`. */
function address({ url }: WsUplinkOptions, path: string): URL {
  const base = new URL(url.replace(/^ws/, 'http'))
  base.pathname = `${base.pathname.replace(/\/$/, '')}${path}`
  return base
}

/** Resolves with an open socket. @throws RetryableError: a control plane that is not there now may come back. */
function openSocket(
  options: WsUplinkOptions,
  { path, maxPayload }: { path: string; maxPayload: number },
  signal: AbortSignal,
): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const url = address(options, path)
    url.protocol = url.protocol.replace('http', 'ws')
    const limits = { perMessageDeflate: false, maxPayload, handshakeTimeout: HANDSHAKE_MS, closeTimeout: CLOSE_MS }
    const socket = new WebSocket(url, { ...limits, followRedirects: true, headers: { ...options.headers } })
    const onAbort = (): void => socket.terminate()
    const fail = (error: unknown): void => {
      signal.removeEventListener('abort', onAbort)
      reject(signal.aborted ? signal.reason : new RetryableError(`cannot reach ${url.host}: ${messageOf(error)}`, { cause: error }))
    }
    signal.addEventListener('abort', onAbort, { once: true })
    socket.once('error', fail)
    socket.once('open', () => {
      socket.off('error', fail)
      signal.removeEventListener('abort', onAbort)
      resolve(socket)
    })
  })
}

async function fetchTree(options: WsUplinkOptions, tree: Oid, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const url = address(options, `/agent/v1/trees/${tree}`)
  url.searchParams.set('agent', options.agent)
  try {
    const response = await fetch(url, { signal, headers: { ...options.headers } })
    if (response.ok && response.body !== null) return response.body
    throw new Error(`the control plane answered ${response.status}: ${(await response.text()).slice(0, 200)}`)
  } catch (error) {
    if (signal.aborted) throw error
    throw new RetryableError(`tree ${tree} not fetched: ${messageOf(error)}`, { cause: error })
  }
}

interface LogRequest {
  readonly ticket: string
  readonly lines: AsyncIterable<LogLine>
}

/** One JSON line a log line. The reader's going away is an end like any other, even while no line comes. */
async function sendLogs(options: WsUplinkOptions, { ticket, lines }: LogRequest, signal: AbortSignal): Promise<void> {
  const path = `/agent/v1/logs/${encodeURIComponent(ticket)}`
  const socket = await openSocket(options, { path, maxPayload: LOGS_BYTES }, signal)
  const readerGone = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  const wire = createWebSocketStream(socket, { writableHighWaterMark: LOG_BUFFER, encoding: 'utf8' })
  wire.resume()
  const onAbort = (): void => socket.terminate()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    const sent = pipeline(Readable.from(lines, { objectMode: true, highWaterMark: 16 }), ndjson(), wire)
    await Promise.race([sent, readerGone])
  } catch (error) {
    if (socket.readyState !== WebSocket.CLOSED && socket.readyState !== WebSocket.CLOSING) throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
    socket.close()
  }
}

function ndjson(): Transform {
  return new Transform({
    writableObjectMode: true,
    writableHighWaterMark: 16,
    readableHighWaterMark: LOG_BUFFER,
    transform: (line: LogLine, _encoding, done) => done(null, `${JSON.stringify(line)}\n`),
  })
}
