import type { IncomingMessage } from 'node:http'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createWebSocketStream, WebSocket } from 'ws'
import type { Clock } from '../src/lib/clock.ts'
import { messageOf, RetryableError } from '../src/lib/errors.ts'
import { wsChannel } from '../src/lib/ws-channel.ts'
import { type AgentFrame, type LogLine, ServerFrame } from '../src/model/protocol.ts'
import { address, createFetch, type Fetch, RefusedIdentity, refusal, type TlsIdentity } from './https.ts'
import { ComeBackSoon, createServerRing } from './server-ring.ts'
import type { Uplink } from './uplink.ts'

/** The whole set of orders is one frame, so a machine with thousands of tasks gets a large one. */
const ORDERS_BYTES = 64 * 1024 * 1024
/** A log connection only sends. */
const LOGS_BYTES = 64 * 1024
/** A frozen server takes a connection and says nothing; the next one is tried then. */
const HANDSHAKE_MS = 5_000
/** One from a standby to the leader, and one more when the lead changes just then. */
const REDIRECTS = 3
/** How long a closed socket waits for the other side's word before it is destroyed. */
const CLOSE_MS = 2_000
/** Bytes of log that wait in this process for a slow reader; beyond it the log is not read on. */
const LOG_BUFFER = 64 * 1024

export interface WsUplinkOptions {
  /** Of control planes: `http(s)://host:port` each, at least one. */
  readonly servers: readonly string[]
  readonly clock: Clock
  /** Asked for each connection, for it is renewed; null where there is no TLS. */
  readonly tls: () => TlsIdentity | null
}

/** The agent's way to a control plane on another machine. Standbys redirect to the leader; redirects are followed. */
export function createWsUplink(options: WsUplinkOptions): Uplink {
  const ring = createServerRing(options.servers)
  const fetch = createFetch(options.tls)
  /** Where the last control connection ended up; logs and trees go there too. */
  let leader = options.servers[0] ?? ''
  return {
    async connect(signal) {
      const dial = (server: string) => openSocket(options, { url: address(server, '/agent/v1/connect'), maxPayload: ORDERS_BYTES }, signal)
      const socket = await ring.reach(dial, signal)
      leader = originOf(socket)
      return wsChannel<AgentFrame, ServerFrame>(socket, { clock: options.clock, parse: (value) => ServerFrame.parse(value) })
    },
    fetchTree: (tree, signal) => fetchTree(fetch, address(leader, `/agent/v1/trees/${tree}`), signal),
    sendLogs: (ticket, lines, signal) =>
      sendLogs(options, { url: address(leader, `/agent/v1/logs/${encodeURIComponent(ticket)}`), lines }, signal),
  }
}

/** The server that a socket is with, redirects followed. */
const originOf = ({ url }: WebSocket): string => new URL(url.replace(/^ws/, 'http')).origin

interface Asked {
  readonly url: URL
  readonly maxPayload: number
}

/** Resolves with an open socket. @throws RetryableError: a control plane that is not there now may come back. */
function openSocket({ tls }: WsUplinkOptions, { url, maxPayload }: Asked, signal: AbortSignal): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const limits = { perMessageDeflate: false, maxPayload, handshakeTimeout: HANDSHAKE_MS, closeTimeout: CLOSE_MS }
    const socket = new WebSocket(url.href.replace(/^http/, 'ws'), { ...limits, ...tls(), followRedirects: true, maxRedirects: REDIRECTS })
    let leader: URL | null = null
    const onAbort = (): void => socket.terminate()
    const fail = (error: unknown): void => {
      signal.removeEventListener('abort', onAbort)
      reject(signal.aborted ? signal.reason : unreached({ server: url, leader }, error))
    }
    signal.addEventListener('abort', onAbort, { once: true })
    socket.on('error', fail)
    socket.on('redirect', (to) => {
      leader = new URL(to)
    })
    socket.once(
      'unexpected-response',
      (_, response) =>
        void refusalOf(response)
          .then(fail, fail)
          .finally(() => socket.terminate()),
    )
    socket.once('open', () => {
      socket.off('error', fail)
      signal.removeEventListener('abort', onAbort)
      resolve(socket)
    })
  })
}

/** A standby that names a leader who is not there will name another as soon as his lease has run out. */
function unreached({ server, leader }: { server: URL; leader: URL | null }, error: unknown): Error {
  const { host } = leader ?? server
  if (error instanceof ComeBackSoon) return error
  if (error instanceof RefusedIdentity) return new RefusedIdentity(`${host} refuses this agent: ${error.message}`)
  const message = `cannot reach ${host}: ${messageOf(error)}`
  if (leader === null) return new RetryableError(message, { cause: error })
  return new ComeBackSoon(`${message}; ${server.host} says that it leads`, { cause: error })
}

/** What a server says that does not open the socket. */
async function refusalOf(response: IncomingMessage): Promise<Error> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return refusal(response.statusCode ?? 0, Buffer.concat(chunks).toString())
}

async function fetchTree(fetch: Fetch, url: URL, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  try {
    const response = await fetch(url, { signal })
    if (response.ok && response.body !== null) return response.body
    throw refusal(response.status, await response.text())
  } catch (error) {
    if (signal.aborted) throw error
    throw new RetryableError(`tree not fetched from ${url.href}: ${messageOf(error)}`, { cause: error })
  }
}

interface LogRequest {
  readonly url: URL
  readonly lines: AsyncIterable<LogLine>
}

/** One JSON line a log line. The reader's going away is an end like any other, even while no line comes. */
async function sendLogs(options: WsUplinkOptions, { url, lines }: LogRequest, signal: AbortSignal): Promise<void> {
  const socket = await openSocket(options, { url, maxPayload: LOGS_BYTES }, signal)
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
