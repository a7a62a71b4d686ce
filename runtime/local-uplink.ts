import type { Channel } from '../src/lib/channel.ts'
import { channelPair } from '../src/lib/channel-pair.ts'
import { messageOf } from '../src/lib/errors.ts'
import type { Oid } from '../src/model/ids.ts'
import { AgentFrame, type LogLine, ServerFrame } from '../src/model/protocol.ts'
import type { Uplink } from './uplink.ts'

/** What a control plane in the same process offers an agent. */
export interface LocalGate {
  accept(channel: Channel<ServerFrame, AgentFrame>): Promise<void>
  tree(tree: Oid, signal: AbortSignal): AsyncIterable<Uint8Array>
  receiveLogs(ticket: string, lines: AsyncIterable<LogLine>, signal: AbortSignal): Promise<void>
}

/** The uplink of `drover up`: no socket, but the same frames, copied so that nobody shares an object, and checked as over a socket. */
export function createLocalUplink(gate: LocalGate): Uplink {
  return {
    async connect(signal) {
      const { a: agentEnd, b: serverEnd } = channelPair<AgentFrame, ServerFrame>({
        parseA: (frame) => AgentFrame.parse(frame),
        parseB: (frame) => ServerFrame.parse(frame),
      })
      const end = (): void => agentEnd.close('the agent stops')
      signal.addEventListener('abort', end, { once: true })
      void agentEnd.closed.then(() => signal.removeEventListener('abort', end))
      gate.accept(serverEnd).catch((error: unknown) => serverEnd.close(messageOf(error)))
      return agentEnd
    },
    fetchTree: async (tree, signal) => gate.tree(tree, signal),
    sendLogs: (ticket, lines, signal) => gate.receiveLogs(ticket, lines, signal),
  }
}
