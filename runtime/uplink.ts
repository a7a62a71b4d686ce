import type { Channel } from '../src/lib/channel.ts'
import type { Oid } from '../src/model/ids.ts'
import type { AgentFrame, LogLine, ServerFrame } from '../src/model/protocol.ts'

/** The agent's way to the control plane: it always dials out. Over WebSocket, or in process. */
export interface Uplink {
  connect(signal: AbortSignal): Promise<Channel<AgentFrame, ServerFrame>>
  /** A packed tree (see `lib/tree-pack`), on a connection of its own. */
  fetchTree(tree: Oid, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
  /** Answers a `logs` frame, on a connection of its own; resolves when the reader has gone or all is sent. */
  sendLogs(ticket: string, lines: AsyncIterable<LogLine>, signal: AbortSignal): Promise<void>
}
