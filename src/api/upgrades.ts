import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { AgentGate } from '../control/agents/agent-gate.ts'
import type { LeaderPointer } from '../control/requests/leader-pointer.ts'
import type { Clock } from '../lib/clock.ts'
import { messageOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { pause } from '../lib/waits.ts'
import { wsChannel } from '../lib/ws-channel.ts'
import type { Millis } from '../model/ids.ts'
import { AgentFrame, type ServerFrame } from '../model/protocol.ts'
import { peerOf } from './admission.ts'
import { assertLocalCaller, assertSameSite } from './guard.ts'
import { logLinesOf } from './ndjson-socket.ts'
import type { Guard } from './parts.ts'
import { asProblem, HttpProblem, PROBLEM_TYPE, problemText } from './problem.ts'
import { redirectUpgrade } from './standby.ts'

/** Bytes of one frame: a machine with thousands of tasks says hello with all of them. */
const MAX_FRAME = 32 * 2 ** 20
const LOGS = /^\/agent\/v1\/logs\/([A-Za-z0-9_-]{1,200})$/
/** WebSocket close codes: normal end, service restart, and ours for an error of the application. */
const DONE = 1000
const RESTART = 1012
const FAILED = 4000
/** RFC 6455 leaves 123 bytes for the reason of a close frame. */
const REASON_BYTES = 123

export interface Upgrades {
  handle(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Tells every agent that the server goes away, so that it comes back at once to the next. */
  close(): void
  /** Ends what has not closed by itself. */
  terminate(): void
}

export interface UpgradeParts {
  /** For whoever reaches a server without a guard. */
  readonly gate: AgentGate
  readonly leader: LeaderPointer
  readonly guard: Guard | null
  readonly log: Logger
  readonly clock: Clock
}

/** The WebSocket routes of agents, on the same port as the API. */
export function agentUpgrades(parts: UpgradeParts): Upgrades {
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: MAX_FRAME })
  return {
    handle(request, socket, head) {
      try {
        const serve = routeOf(parts, request)
        if (parts.leader.leads()) sockets.handleUpgrade(request, socket, head, (ws) => void carry(ws, serve, parts.log))
        else redirectUpgrade(parts.leader, request.url ?? '/', socket).catch((error: unknown) => refuse(socket, asProblem(error)))
      } catch (error) {
        refuse(socket, asProblem(error))
      }
    },
    close: () => {
      for (const ws of sockets.clients) ws.close(RESTART, 'the server stops')
    },
    terminate: () => {
      for (const ws of sockets.clients) ws.terminate()
    },
  }
}

type Serve = (ws: WebSocket) => Promise<void>

/** @throws HttpProblem for a path that is none, or a caller that may not. */
function routeOf(parts: UpgradeParts, request: IncomingMessage): Serve {
  const caller = { host: request.headers.host, origin: request.headers.origin }
  if (parts.guard === null) {
    assertLocalCaller(caller)
    return serveOf(parts.gate, request, parts.clock)
  }
  assertSameSite(caller)
  const { agent, expiresAt } = peerOf(request, parts.guard.trust)
  const serve = serveOf(parts.guard.gateOf(agent), request, parts.clock)
  return (ws) => untilExpired(ws, { serve, expiresAt, clock: parts.clock })
}

function serveOf(gate: AgentGate, request: IncomingMessage, clock: Clock): Serve {
  const path = request.url?.split('?')[0] ?? ''
  if (path === '/agent/v1/connect') {
    return (ws) => gate.accept(wsChannel<ServerFrame, AgentFrame>(ws, { clock, parse: (frame) => AgentFrame.parse(frame) }))
  }
  const ticket = LOGS.exec(path)?.[1]
  if (ticket !== undefined) return (ws) => gate.receiveLogs(ticket, logLinesOf(ws), closing(ws))
  throw new HttpProblem({ status: 404, code: 'NotFound', message: `there is no WebSocket at ${path}` })
}

/** A connection lasts no longer than the certificate that opened it: its agent has another by then, and comes back with it. */
async function untilExpired(ws: WebSocket, { serve, expiresAt, clock }: { serve: Serve; expiresAt: Millis; clock: Clock }): Promise<void> {
  const closed = closing(ws)
  pause(clock, expiresAt - clock.now(), closed).then(
    () => ws.close(RESTART, 'the certificate has expired'),
    () => ws.terminate(),
  )
  await serve(ws)
}

function closing(ws: WebSocket): AbortSignal {
  const controller = new AbortController()
  ws.once('close', () => controller.abort(new Error('the connection has closed')))
  return controller.signal
}

async function carry(ws: WebSocket, serve: Serve, log: Logger): Promise<void> {
  ws.on('error', (error) => log.warn({ err: error }, 'agent connection failed'))
  try {
    await serve(ws)
    ws.close(DONE)
  } catch (error) {
    log.warn({ err: error }, 'agent connection refused')
    ws.close(
      FAILED,
      Buffer.from(messageOf(asProblem(error)))
        .subarray(0, REASON_BYTES)
        .toString('latin1'),
    )
  }
}

function refuse(socket: Duplex, problem: HttpProblem): void {
  // Without a listener a caller that hangs up at this moment would end the whole process.
  socket.once('error', () => socket.destroy())
  const body = problemText(problem)
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    'connection: close',
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}
