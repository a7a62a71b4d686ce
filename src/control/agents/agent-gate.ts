import type { Channel } from '../../lib/channel.ts'
import type { Oid } from '../../model/ids.ts'
import type { AgentFrame, LogLine, ServerFrame } from '../../model/protocol.ts'

/** Where agents' connections arrive, whatever carries them: WebSocket routes or the in-process link. */
export interface AgentGate {
  /** Serves one agent's control connection until it ends. */
  accept(channel: Channel<ServerFrame, AgentFrame>): Promise<void>
  /** A packed tree by oid. @throws RequestError `NotFound`. */
  tree(oid: Oid, signal: AbortSignal): AsyncIterable<Uint8Array>
  /** Hands an agent's log lines to whoever holds the ticket. @throws RequestError `NotFound` for an unknown or used ticket. */
  receiveLogs(ticket: string, lines: AsyncIterable<LogLine>, signal: AbortSignal): Promise<void>
}
