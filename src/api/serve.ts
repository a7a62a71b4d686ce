import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import type { AgentGate } from '../control/agents/agent-gate.ts'
import type { LeaderPointer } from '../control/requests/leader-pointer.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import { assertListen } from './guard.ts'
import type { Api } from './parts.ts'
import { agentUpgrades, type Upgrades } from './upgrades.ts'

export interface ServeOptions {
  readonly api: Api
  readonly gate: AgentGate
  readonly leader: LeaderPointer
  readonly log: Logger
  readonly clock: Clock
  /** A loopback name or address. */
  readonly host: string
  /** 0 lets the system choose; `Serving.url` tells which. */
  readonly port: number
}

export interface Serving {
  readonly url: string
  /** Ends streams, tells agents to come back, waits for requests in flight for at most a second. */
  close(): Promise<void>
}

/** What a slow or hostile client may hold open (reliability S-25), in milliseconds and bytes. */
const LIMITS = { headersTimeout: 10_000, requestTimeout: 60_000, keepAliveTimeout: 5_000, maxHeaderSize: 16_384 }
const CLOSE_GRACE_MS = 1_000

/** @throws Error for a host that is not loopback, or a port that is taken. */
export async function serveApi(options: ServeOptions): Promise<Serving> {
  assertListen(options.host)
  const stopping = new AbortController()
  const server = createAdaptorServer({
    fetch: (request, env) => options.api.fetch(request, { ...env, shutdown: stopping.signal }),
    serverOptions: LIMITS,
    overrideGlobalObjects: false,
  }) as Server
  const upgrades = agentUpgrades(options)
  server.on('upgrade', (request, socket, head) => upgrades.handle(request, socket, head))
  server.on('request', (_, response) => response.once('close', () => stopping.signal.aborted && server.closeIdleConnections()))
  const silent = silentSockets(server)
  await listening(server, options)
  return { url: urlOf(server, options.host), close: () => closed({ server, silent, upgrades, stopping, clock: options.clock }) }
}

function listening(server: Server, { host, port }: ServeOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE'
      reject(taken ? new Error(`${host}:${port} is taken: another program, or another drover, listens there`, { cause: error }) : error)
    })
    server.listen(port, host.replace(/^\[|\]$/g, ''), () => resolve())
  })
}

function urlOf(server: Server, host: string): string {
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const name = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
  return `http://${name}:${port}`
}

/** Connections that have not asked anything: clients open spare ones, and the server does not count them as idle. */
function silentSockets(server: Server): ReadonlySet<Socket> {
  const silent = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    silent.add(socket)
    socket.once('close', () => silent.delete(socket))
  })
  server.on('request', (request) => silent.delete(request.socket))
  server.on('upgrade', (request) => silent.delete(request.socket))
  return silent
}

interface Open {
  readonly server: Server
  readonly silent: ReadonlySet<Socket>
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
  for (const socket of silent) socket.destroy()
  await Promise.race([drained, graceOf(clock, ended.signal)])
  upgrades.terminate()
  server.closeAllConnections()
  await drained
}

const graceOf = (clock: Clock, ended: AbortSignal): Promise<void> =>
  clock.sleep(CLOSE_GRACE_MS, ended).catch((error: unknown) => {
    if (!ended.aborted) throw error
  })
