import type { AgentGate } from '../../src/control/agents/agent-gate.ts'
import { RequestError } from '../../src/control/requests/control-plane.ts'
import type { Channel } from '../../src/lib/channel.ts'
import type { AgentFrame, LogLine, ServerFrame } from '../../src/model/protocol.ts'

export interface FakeGate extends AgentGate {
  readonly frames: AgentFrame[]
  readonly lines: LogLine[]
  readonly trees: Map<string, Uint8Array[]>
}

/** Keeps what agents send, and answers every report with an ack. Only the ticket `ticket-1` is known. */
export function fakeGate(): FakeGate {
  const gate: FakeGate = {
    frames: [],
    lines: [],
    trees: new Map(),
    accept: (channel) => acknowledge(channel, gate.frames),
    tree: (oid) => chunksOf(gate.trees.get(oid), oid),
    receiveLogs: async (ticket, lines) => {
      if (ticket !== 'ticket-1') throw new RequestError('NotFound', 'unknown ticket')
      for await (const line of lines) gate.lines.push(line)
    },
  }
  return gate
}

async function acknowledge(channel: Channel<ServerFrame, AgentFrame>, frames: AgentFrame[]): Promise<void> {
  for await (const frame of channel.frames()) {
    frames.push(frame)
    if (frame.type === 'report') channel.send({ type: 'ack', seq: frame.seq })
  }
}

async function* chunksOf(chunks: Uint8Array[] | undefined, oid: string): AsyncGenerator<Uint8Array> {
  if (chunks === undefined) throw new RequestError('NotFound', `there is no tree ${oid}`)
  yield* chunks
}
