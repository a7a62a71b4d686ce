import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { AgentGate } from '../control/agents/agent-gate.ts'
import type { LeaderPointer } from '../control/requests/leader-pointer.ts'
import type { Clock } from '../lib/clock.ts'
import { messageOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { wsChannel } from '../lib/ws-channel.ts'
import { AgentFrame, type ServerFrame } from '../model/protocol.ts'
import { assertLocalCaller } from './guard.ts'
import { logLinesOf } from './ndjson-socket.ts'
import { asProblem, HttpProblem } from './problem.ts'
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
  readonly gate: AgentGate
  readonly leader: LeaderPointer
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
function routeOf({ gate, clock }: UpgradeParts, request: IncomingMessage): Serve {
  assertLocalCaller({ host: request.headers.host, origin: request.headers.origin })
  const path = request.url?.split('?')[0] ?? ''
  if (path === '/agent/v1/connect') {
    return (ws) => gate.accept(wsChannel<ServerFrame, AgentFrame>(ws, { clock, parse: (frame) => AgentFrame.parse(frame) }))
  }
  const ticket = LOGS.exec(path)?.[1]
  if (ticket !== undefined) return (ws) => gate.receiveLogs(ticket, logLinesOf(ws), closing(ws))
  throw new HttpProblem({ status: 404, code: 'NotFound', message: `there is no WebSocket at ${path}` })
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
  socket.end(`HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
}
