import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { Socket } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import type { AgentGate } from '../control/agents/agent-gate.ts'
import type { LeaderPointer } from '../control/requests/leader-pointer.ts'
import type { TlsMaterial } from '../control/trust/server-trust.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import { assertGuarded } from './guard.ts'
import type { Api, Guard } from './parts.ts'
import { agentUpgrades, type Upgrades } from './upgrades.ts'

export interface ServeOptions {
  readonly api: Api
  readonly gate: AgentGate
  readonly leader: LeaderPointer
  readonly log: Logger
  readonly clock: Clock
  /** Null: whoever reaches this server is trusted, and none but this machine may. */
  readonly guard: ServerGuard | null
  /** A loopback name or address where there is no guard. */
  readonly host: string
  /** 0 lets the system choose; `Serving.url` tells which. */
  readonly port: number
}

/** Who may ask what, and what the server shows who it is with. */
export interface ServerGuard extends Guard {
  readonly server: TlsSource
}

/** May change while the server runs; connections that are open stay. */
interface TlsSource {
  readonly tls: TlsMaterial
  /** Returns how to stop listening. */
  onChange(listener: () => void): () => void
}

export interface Serving {
  readonly url: string
  /** Ends streams, tells agents to come back, waits for requests in flight for at most a second. */
  close(): Promise<void>
}

/** What a slow or hostile client may hold open (reliability S-25), in milliseconds and bytes. */
const LIMITS = { headersTimeout: 10_000, requestTimeout: 60_000, keepAliveTimeout: 5_000, maxHeaderSize: 16_384 }
const CLOSE_GRACE_MS = 1_000

/** @throws Error for a host that is not loopback where there is no guard, or a port that is taken. */
export async function serveApi(options: ServeOptions): Promise<Serving> {
  const { guard } = options
  assertGuarded(options.host, guard)
  const stopping = new AbortController()
  const server = createAdaptorServer({
    fetch: (request, env) => options.api.fetch(request, { ...env, shutdown: stopping.signal }),
    ...carrierOf(guard),
    overrideGlobalObjects: false,
  }) as Server | TlsServer
  const forget = guard === null ? () => undefined : guard.server.onChange(() => (server as TlsServer).setSecureContext(contextOf(guard)))
  const upgrades = agentUpgrades(options)
  server.on('upgrade', (request, socket, head) => upgrades.handle(request, socket, head))
  server.on('request', (_, response) => response.once('close', () => stopping.signal.aborted && server.closeIdleConnections()))
  const silent = silentSockets(server)
  await listening(server, options)
  const url = urlOf(server, { host: options.host, scheme: guard === null ? 'http' : 'https' })
  const close = (): Promise<void> => {
    forget()
    return closed({ server, silent, upgrades, stopping, clock: options.clock })
  }
  return { url, close }
}

function carrierOf(guard: ServerGuard | null) {
  if (guard === null) return { createServer, serverOptions: LIMITS }
  // Certificates are asked for and judged by ourselves: people and joining agents have none, and may ask some things.
  const asking = { requestCert: true, rejectUnauthorized: false, handshakeTimeout: LIMITS.headersTimeout }
  return { createServer: createTlsServer, serverOptions: { ...LIMITS, ...asking, ...contextOf(guard) } }
}

function contextOf({ server: { tls } }: ServerGuard) {
  return { key: tls.key, cert: tls.chain, ca: tls.roots, minVersion: 'TLSv1.2' as const }
}

function listening(server: Server | TlsServer, { host, port }: ServeOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE'
      reject(taken ? new Error(`${host}:${port} is taken: another program, or another drover, listens there`, { cause: error }) : error)
    })
    server.listen(port, host.replace(/^\[|\]$/g, ''), () => resolve())
  })
}

function urlOf(server: Server | TlsServer, { host, scheme }: { host: string; scheme: 'http' | 'https' }): string {
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const name = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
  return `${scheme}://${name}:${port}`
}

/**
 * Connections that have not asked anything: clients open spare ones, and the server does not count them as idle.
 * By the other end's address, for of a TLS connection the socket that came and the one that asks are two.
 */
function silentSockets(server: Server | TlsServer): ReadonlyMap<string, Socket> {
  const silent = new Map<string, Socket>()
  const endOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`
  server.on('connection', (socket: Socket) => {
    const end = endOf(socket)
    silent.set(end, socket)
    socket.once('close', () => silent.get(end) === socket && silent.delete(end))
  })
  server.on('request', (request) => silent.delete(endOf(request.socket)))
  server.on('upgrade', (request) => silent.delete(endOf(request.socket)))
  return silent
}

interface Open {
  readonly server: Server | TlsServer
  readonly silent: ReadonlyMap<string, Socket>
  readonly upgrades: Upgrades
  readonly stopping: AbortController
  readonly clock: Clock
}

async function closed({ server, silent, upgrades, stopping, clock }: Open): Promise<void> {
  const ended = new AbortController()
  const drained = new Promise<void>((resolve) => server.close(() => resolve())).then(() => ended.abort())
  stopping.abort(new Error('the server stops'))
  upgrades.close()
  server.closeIdleConnections()
  for (const socket of silent.values()) socket.destroy()
  await Promise.race([drained, graceOf(clock, ended.signal)])
  upgrades.terminate()
  server.closeAllConnections()
  await drained
}

const graceOf = (clock: Clock, ended: AbortSignal): Promise<void> =>
  clock.sleep(CLOSE_GRACE_MS, ended).catch((error: unknown) => {
    if (!ended.aborted) throw error
  })
