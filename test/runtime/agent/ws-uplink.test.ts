import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Uplink } from '../../../runtime/uplink.ts'
import { createWsUplink } from '../../../runtime/ws-uplink.ts'
import { createApi } from '../../../src/api/app.ts'
import { type Serving, serveApi } from '../../../src/api/serve.ts'
import type { AgentGate } from '../../../src/control/agents/agent-gate.ts'
import type { Channel } from '../../../src/lib/channel.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { RetryableError } from '../../../src/lib/errors.ts'
import { silentLog } from '../../../src/lib/log.ts'
import type { Oid } from '../../../src/model/ids.ts'
import type { AgentFrame, LogLine, ServerFrame } from '../../../src/model/protocol.ts'
import { fakeControl } from '../../support/fake-control.ts'
import { LEADS, standsBy } from '../../support/fake-leader.ts'
import { waitUntil } from '../../support/wait-until.ts'

const TREE = 'a'.repeat(40) as Oid
const never = new AbortController().signal
const line = (n: number): LogLine => ({ stream: 'stdout', at: n, text: `line ${n} ${'x'.repeat(1000)}` })

/** The routes of the real API over a gate that a test can watch. */
class WatchedGate implements AgentGate {
  channel: Channel<ServerFrame, AgentFrame> | null = null
  readonly tickets: string[] = []
  readonly lines: LogLine[] = []
  /** Lines to take before the reader goes; null: all. */
  takes: number | null = null
  /** The reader takes nothing while this holds. */
  hold: Promise<void> = Promise.resolve()
  treeFailure: Error | null = null

  async accept(channel: Channel<ServerFrame, AgentFrame>): Promise<void> {
    this.channel = channel
    await channel.closed
  }

  async *tree(oid: Oid): AsyncGenerator<Uint8Array> {
    yield Buffer.from(`tree ${oid}`)
    if (this.treeFailure !== null) throw this.treeFailure
    yield Buffer.from(' end')
  }

  async receiveLogs(ticket: string, lines: AsyncIterable<LogLine>): Promise<void> {
    this.tickets.push(ticket)
    await this.hold
    for await (const one of lines) {
      this.lines.push(one)
      if (this.lines.length === this.takes) return
    }
  }
}

let gate: WatchedGate
let serving: Serving
let uplink: Uplink
beforeEach(async () => {
  gate = new WatchedGate()
  const parts = { control: fakeControl(), gate, leader: LEADS, guard: null, log: silentLog, clock: systemClock }
  serving = await serveApi({ ...parts, api: createApi(parts), host: '127.0.0.1', port: 0 })
  uplink = createWsUplink({ servers: [serving.url], clock: systemClock, tls: () => null })
})
afterEach(() => serving.close())

it('carries frames both ways, a whole set of orders larger than 1 MiB included', async () => {
  const channel = await uplink.connect(never)
  channel.send({ type: 'heartbeat' })
  await waitUntil(() => gate.channel !== null)
  const heard: string[] = []
  const reader = (async () => {
    for await (const frame of gate.channel?.frames() ?? []) heard.push(frame.type)
  })()
  const gone = Array.from({ length: 20_000 }, (_, index) => `task-${index}-${'x'.repeat(80)}`)
  gate.channel?.send({ type: 'assignments', epoch: 1, full: true, tasks: [], gone } as unknown as ServerFrame)
  const frames = channel.frames()[Symbol.asyncIterator]()
  expect((await frames.next()).value).toMatchObject({ type: 'assignments', gone: { length: 20_000 } })
  await waitUntil(() => heard.includes('heartbeat'))
  channel.close('done')
  await reader
})

it('hears that the control plane went away', async () => {
  const channel = await uplink.connect(never)
  await serving.close()
  expect(await channel.closed).toBe('the server stops')
})

it('fails soon, and so that it is tried again, when nobody is there', async () => {
  const { url } = serving
  await serving.close()
  const lonely = createWsUplink({ servers: [url], clock: systemClock, tls: () => null })
  await expect(lonely.connect(never)).rejects.toBeInstanceOf(RetryableError)
  await expect(lonely.fetchTree(TREE, never)).rejects.toBeInstanceOf(RetryableError)
})

describe('with several servers', () => {
  const standbyOf = async (leader: string | null): Promise<Serving> => {
    const parts = { control: fakeControl(), gate, guard: null, leader: standsBy(leader), log: silentLog, clock: systemClock }
    return serveApi({ ...parts, api: createApi(parts), host: '127.0.0.1', port: 0 })
  }
  const uplinkTo = (...servers: string[]): Uplink => createWsUplink({ servers, clock: systemClock, tls: () => null })

  it('ends at the leader, by way of a standby, and fetches trees there', async () => {
    const standby = await standbyOf(serving.url)
    const agent = uplinkTo('http://127.0.0.1:1', standby.url)
    const channel = await agent.connect(never)
    await standby.close()
    expect(await textOf(await agent.fetchTree(TREE, never))).toBe(`tree ${TREE} end`)
    channel.close('done')
  })

  it.each([
    ['nobody leads', null, 'does not lead'],
    ['the leader that a standby names is not there', 'http://127.0.0.1:1', 'says that it leads'],
  ])('comes back soon while %s', async (_, leader, message) => {
    const standby = await standbyOf(leader)
    const connecting = uplinkTo(standby.url, 'http://127.0.0.1:1').connect(never)
    await expect(connecting).rejects.toThrow(expect.objectContaining({ name: 'ComeBackSoon', message: expect.stringContaining(message) }))
    await standby.close()
  })
})

it('does not connect once it is told not to', async () => {
  await expect(uplink.connect(AbortSignal.abort(new Error('ended')))).rejects.toThrow('ended')
  expect(gate.channel).toBeNull()
})

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const chunk of chunks) parts.push(chunk)
  return Buffer.concat(parts).toString()
}

it('streams a tree, and fails when the stream is torn', async () => {
  expect(await textOf(await uplink.fetchTree(TREE, never))).toBe(`tree ${TREE} end`)
  gate.treeFailure = new Error('disk on fire')
  await expect(uplink.fetchTree(TREE, never).then(textOf)).rejects.toThrow()
})

async function* lines(count: number, onLine: (n: number) => void = () => undefined): AsyncGenerator<LogLine> {
  for (let n = 0; n < count; n += 1) {
    onLine(n)
    yield line(n)
  }
}

it('sends every log line in order, and then ends', async () => {
  await uplink.sendLogs('ticket-1', lines(500), never)
  await waitUntil(() => gate.lines.length === 500)
  expect(gate.lines).toEqual(Array.from({ length: 500 }, (_, n) => line(n)))
  expect(gate.tickets).toEqual(['ticket-1'])
})

it('reads no log further than a slow reader takes it', async () => {
  let open: () => void = () => undefined
  gate.hold = new Promise((resolve) => {
    open = resolve
  })
  let read = 0
  const sending = uplink.sendLogs(
    'ticket-1',
    lines(100_000, (n) => (read = n + 1)),
    never,
  )
  let before = -1
  await waitUntil(() => {
    const still = read === before && read > 0
    before = read
    return still
  })
  expect(read).toBeLessThan(50_000)
  open()
  await sending
  await waitUntil(() => gate.lines.length === 100_000, { timeoutMs: 15_000 })
}, 30_000)

it('ends when the reader goes, though no further line ever comes', async () => {
  gate.takes = 1
  async function* oneAndThenSilence(): AsyncGenerator<LogLine> {
    yield line(0)
    await new Promise(() => undefined)
  }
  await uplink.sendLogs('ticket-1', oneAndThenSilence(), never)
  expect(gate.lines).toHaveLength(1)
})

it('ends when it is told to', async () => {
  const stop = new AbortController()
  async function* silence(): AsyncGenerator<LogLine> {
    yield line(0)
    await new Promise(() => undefined)
  }
  const sending = uplink.sendLogs('ticket-1', silence(), stop.signal)
  await waitUntil(() => gate.lines.length === 1)
  stop.abort()
  await sending
})
