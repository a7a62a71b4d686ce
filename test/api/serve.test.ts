import { request as httpRequest } from 'node:http'
import { createServer } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { createApi } from '../../src/api/app.ts'
import { type Serving, serveApi } from '../../src/api/serve.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import type { LogLine } from '../../src/model/protocol.ts'
import { type FakeControl, fakeControl } from '../support/fake-control.ts'
import { type FakeGate, fakeGate } from '../support/fake-gate.ts'
import { LEADS } from '../support/fake-leader.ts'
import { waitUntil } from '../support/wait-until.ts'

const OID = 'a'.repeat(40)
const line = (text: string): LogLine => ({ stream: 'stdout', at: 1, text })

let control: FakeControl
let gate: FakeGate
let serving: Serving

const parts = (leader = LEADS) => ({ control, gate, leader, guard: null, log: silentLog, clock: systemClock })
const serve = (port = 0, host = '127.0.0.1', leader = LEADS) => serveApi({ ...parts(leader), api: createApi(parts(leader)), host, port })

beforeEach(async () => {
  control = fakeControl({
    logs: { one: [line('a'), line('b\n\u001b[31m')], flood: Array.from({ length: 5000 }, (_, n) => line(`${n}`.repeat(200))) },
  })
  gate = fakeGate()
  serving = await serve()
})
afterEach(() => serving.close())

/** Everything read so far, and a way to go on. */
function reading(answer: Response): { text: () => string; done: Promise<unknown> } {
  let text = ''
  const decoder = new TextDecoder()
  const read = async () => {
    for await (const chunk of answer.body ?? []) text += decoder.decode(chunk, { stream: true })
  }
  return { text: () => text, done: read().catch((error: unknown) => error) }
}

describe('streams', () => {
  it('gives log lines as NDJSON and ends', async () => {
    const answer = await fetch(`${serving.url}/api/v1/tasks/one/logs`)
    expect(answer.headers.get('content-type')).toBe('application/x-ndjson')
    const lines = (await answer.text()).trimEnd().split('\n')
    expect(lines.map((text) => JSON.parse(text))).toEqual([line('a'), line('b\n\u001b[31m')])
  })

  it('follows logs until the client goes, and then ends the source', async () => {
    const leave = new AbortController()
    const answer = await fetch(`${serving.url}/api/v1/tasks/one/logs?follow=true&tail=1`, { signal: leave.signal })
    const seen = reading(answer)
    await waitUntil(() => seen.text().includes('b'))
    expect(seen.text()).not.toContain('"a"')
    expect(control.openLogs()).toBe(1)
    leave.abort()
    await waitUntil(() => control.openLogs() === 0)
  })

  it('holds the source back while the client does not read', async () => {
    const pulled = { lines: 0 }
    control.logs = async () => counted(pulled)
    const leave = new AbortController()
    await fetch(`${serving.url}/api/v1/tasks/one/logs`, { signal: leave.signal })
    let before = -1
    await waitUntil(() => {
      const still = pulled.lines === before && before > 0
      before = pulled.lines
      return still
    })
    expect(pulled.lines).toBeLessThan(20_000)
    leave.abort()
  })

  it('answers 404 before it streams', async () => {
    expect((await fetch(`${serving.url}/api/v1/tasks/none/logs`)).status).toBe(404)
    expect((await fetch(`${serving.url}/agent/v1/trees/${OID}`)).status).toBe(404)
  })

  it('sends one change at once and one for each change', async () => {
    const leave = new AbortController()
    const answer = await fetch(`${serving.url}/api/v1/watch`, { signal: leave.signal })
    expect(answer.headers.get('content-type')).toBe('text/event-stream')
    const seen = reading(answer)
    await waitUntil(() => seen.text() === 'event: change\nid: 0\ndata: {}\n\n')
    control.touch()
    await waitUntil(() => seen.text().endsWith('event: change\nid: 1\ndata: {}\n\n'))
    leave.abort()
    await waitUntil(() => control.watchers() === 0)
  })

  it('streams a packed tree', async () => {
    gate.trees.set(OID, [Buffer.from('one '), Buffer.from('two')])
    const answer = await fetch(`${serving.url}/agent/v1/trees/${OID}`)
    expect(answer.headers.get('content-type')).toBe('application/octet-stream')
    expect(await answer.text()).toBe('one two')
  })

  it('ends open streams and frees the port when it closes', async () => {
    const seen = reading(await fetch(`${serving.url}/api/v1/watch`))
    const { port } = new URL(serving.url)
    const before = performance.now()
    await serving.close()
    await seen.done
    expect(performance.now() - before).toBeLessThan(900)
    serving = await serve(Number(port))
    expect(serving.url).toBe(`http://127.0.0.1:${port}`)
  })
})

async function* counted(pulled: { lines: number }): AsyncGenerator<LogLine> {
  for (;;) {
    pulled.lines += 1
    yield line('x'.repeat(1000))
  }
}

describe('agents', () => {
  const socketTo = (path: string, headers: Record<string, string> = {}) =>
    new WebSocket(`${serving.url.replace('http', 'ws')}${path}`, { headers, perMessageDeflate: false })
  const closeOf = (socket: WebSocket) =>
    new Promise<{ code: number; reason: string }>((resolve) =>
      socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() })),
    )
  const refusalOf = (socket: WebSocket) =>
    new Promise<number>((resolve, reject) => {
      socket.on('unexpected-response', (_, response) => resolve(response.statusCode ?? 0))
      socket.on('open', () => reject(new Error('it was accepted')))
      socket.on('error', reject)
    })

  it('talk frames both ways', async () => {
    const socket = socketTo('/agent/v1/connect')
    const answers: string[] = []
    socket.on('message', (data) => answers.push(String(data)))
    socket.on('open', () => socket.send(JSON.stringify({ type: 'report', seq: 7, statuses: [] })))
    await waitUntil(() => answers.length === 1)
    expect(JSON.parse(answers[0] ?? '')).toEqual({ type: 'ack', seq: 7 })
    socket.close()
  })

  it('are told to come back when the server stops', async () => {
    const socket = socketTo('/agent/v1/connect')
    const closed = closeOf(socket)
    await new Promise((resolve) => socket.on('open', resolve))
    await serving.close()
    expect((await closed).code).toBe(1012)
    serving = await serve()
  })

  it('send log lines however they are cut', async () => {
    const socket = socketTo('/agent/v1/logs/ticket-1')
    const closed = closeOf(socket)
    const bytes = Buffer.from(`${JSON.stringify(line('größer'))}\n${JSON.stringify(line('b'))}\n${JSON.stringify(line('last'))}`)
    socket.on('open', () => {
      for (let at = 0; at < bytes.length; at += 7) socket.send(bytes.subarray(at, at + 7))
      socket.close()
    })
    await closed
    await waitUntil(() => gate.lines.length === 3)
    expect(gate.lines).toEqual([line('größer'), line('b'), line('last')])
  })

  it('are told of a ticket that is unknown', async () => {
    expect(await closeOf(socketTo('/agent/v1/logs/other'))).toEqual({ code: 4000, reason: 'unknown ticket' })
  })

  it('are held back while nobody reads their log lines', async () => {
    let release: () => void = () => undefined
    const held = new Promise<void>((resolve) => (release = resolve))
    gate.receiveLogs = async (_, lines) => {
      await held
      for await (const item of lines) gate.lines.push(item)
    }
    const socket = socketTo('/agent/v1/logs/ticket-1')
    await new Promise((resolve) => socket.on('open', resolve))
    const chunk = Buffer.from(`${JSON.stringify(line('x'.repeat(60_000)))}\n`)
    const total = 600
    for (let n = 0; n < total; n++) socket.send(chunk)
    let before = -1
    await waitUntil(() => {
      const still = socket.bufferedAmount === before
      before = socket.bufferedAmount
      return still
    })
    expect(socket.bufferedAmount).toBeGreaterThan(chunk.length * (total / 4))
    release()
    await waitUntil(() => gate.lines.length === total)
    socket.close()
  })

  it('are refused from pages, by other names and on other paths', async () => {
    expect(await refusalOf(socketTo('/agent/v1/connect', { origin: 'http://evil.example' }))).toBe(403)
    expect(await refusalOf(socketTo('/agent/v1/connect', { host: 'evil.example' }))).toBe(403)
    expect(await refusalOf(socketTo('/api/v1/apps'))).toBe(404)
  })
})

describe('listening', () => {
  it.each(['0.0.0.0', '::', '192.168.1.5', 'example.com', '127.0.0.1.evil.example'])('refuses %s by name', async (host) => {
    await expect(serve(0, host)).rejects.toThrow(`refusing to listen on ${host} without TLS and authentication`)
  })

  it('says when the port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    const address = other.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    await expect(serve(port)).rejects.toThrow(`127.0.0.1:${port} is taken`)
    other.close()
  })

  it('stops reading a body that is too large, though its length is not told', async () => {
    const { port } = new URL(serving.url)
    const status = await new Promise<number>((resolve, reject) => {
      const request = httpRequest(
        { port, method: 'POST', path: '/api/v1/apps/shop/sync', headers: { 'content-type': 'application/json' } },
        (answer) => {
          answer.resume()
          resolve(answer.statusCode ?? 0)
        },
      )
      request.on('error', reject)
      for (let n = 0; n < 20; n++) request.write(Buffer.alloc(100_000, 'x'))
      request.end()
    })
    expect(status).toBe(413)
  })
})
