import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { WebSocket } from 'ws'
import { systemClock } from '../../src/lib/clock.ts'
import { must } from '../../src/lib/must.ts'
import type { AgentId, Epoch } from '../../src/model/ids.ts'
import type { Assignment, ServerFrame } from '../../src/model/protocol.ts'
import { Authority, createRoot } from '../../src/trust/authority.ts'
import { newKeyWithRequest } from '../../src/trust/csr.ts'
import { CLUSTER, GuardedWorld, type Identity } from '../support/guarded-world.ts'
import { agentRecord } from '../support/make.ts'
import { TEST_KEYRING } from '../support/vault.ts'
import { waitUntil } from '../support/wait-until.ts'

const DAY = 86_400_000

/** One process that ships a folder of its own, on the machine of its own. */
const shipping = (who: string) => `apiVersion: drover.dev/v1
kind: Deployment
metadata: {name: of-${who}}
spec:
  replicas: 1
  template:
    spec:
      driver: fake
      placement: {nodeSelector: {who: ${who}}}
      processes:
      - {name: main, command: [run], artifacts: [{git: code/${who}, destination: .}]}
`

/** An agent as the protocol has it, without a machine. */
class Wire {
  readonly frames: ServerFrame[] = []
  readonly socket: WebSocket
  closed: { code: number; reason: string } | null = null
  #seq = 0

  constructor(socket: WebSocket, id: string) {
    this.socket = socket
    socket.on('message', (data) => this.frames.push(JSON.parse(String(data))))
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: String(reason) }
    })
    socket.on('open', () => {
      const { joinedAt: _, maintenance: __, ...agent } = agentRecord({ id: id as AgentId, instance: `i-${id}`, labels: { who: id } })
      this.#send({ type: 'hello', agent, epoch: 0 as Epoch, tasks: [] })
    })
  }

  task(): Assignment | undefined {
    return this.frames.flatMap((frame) => (frame.type === 'assignments' ? frame.tasks : [])).at(-1)
  }

  report(task: string, phase: 'Running' | 'Failed'): void {
    const none = { reasons: [], backoffUntil: null, startedAt: null, attempts: [], images: {}, lastLines: [] }
    this.#send({
      type: 'report',
      seq: ++this.#seq,
      statuses: [{ task, attempt: 1, phase, ready: phase === 'Running', failures: 0, ...none }],
    })
  }

  acknowledged(): Promise<unknown> {
    const seq = this.#seq
    return waitUntil(() => this.frames.some((frame) => frame.type === 'ack' && frame.seq === seq))
  }

  #send(frame: object): void {
    this.socket.send(JSON.stringify(frame))
  }
}

let guarded: GuardedWorld
let ids: Record<'a' | 'b', Identity>
let wires: Record<'a' | 'b', Wire>
const sockets: WebSocket[] = []

const connect = (as: Identity | null, path = '/agent/v1/connect'): WebSocket => {
  const socket = guarded.socket(path, as)
  sockets.push(socket)
  return socket
}

/** One that is refused ends with an error too. */
const quiet = (socket: WebSocket): WebSocket => socket.on('error', () => undefined)

async function refused(as: Identity | null): Promise<{ status: number; detail: string }> {
  const [, answer] = await once(quiet(connect(as)), 'unexpected-response')
  let body = ''
  for await (const chunk of answer) body += chunk
  return { status: answer.statusCode, detail: JSON.parse(body).detail }
}

beforeAll(async () => {
  guarded = await GuardedWorld.open({
    'a.yaml': shipping('a'),
    'b.yaml': shipping('b'),
    'code/a/run': 'echo a',
    'code/b/run': 'echo b',
  })
  ids = { a: await guarded.identity('a'), b: await guarded.identity('b') }
  wires = { a: new Wire(connect(ids.a), 'a'), b: new Wire(connect(ids.b), 'b') }
  await waitUntil(() => wires.a.task() !== undefined && wires.b.task() !== undefined)
  for (const wire of [wires.a, wires.b]) wire.report(must(wire.task(), 'it has one').task, 'Running')
  await Promise.all([wires.a.acknowledged(), wires.b.acknowledged()])
})
afterEach(() => {
  for (const socket of sockets.splice(2)) socket.terminate()
})
afterAll(async () => {
  for (const socket of sockets) socket.terminate()
  await guarded.close()
})

const taskOf = (who: 'a' | 'b') => must(wires[who].task(), 'it has one')
const treeOf = (who: 'a' | 'b') => {
  const [artifact] = taskOf(who).spec.units[0]?.artifacts ?? []
  return artifact !== undefined && 'tree' in artifact ? artifact.tree : ''
}

describe.each([
  ['a', 'b'],
  ['b', 'a'],
] as const)('agent %s', (own, other) => {
  it(`is told of its own tasks, and of none of ${other}`, () => {
    const told = wires[own].frames.flatMap((frame) => (frame.type === 'assignments' ? frame.tasks : []))
    expect(new Set(told.map(({ spec }) => spec.labels.workload))).toEqual(new Set([`of-${own}`]))
  })

  it(`gets the trees of its own tasks, and none of ${other}`, async () => {
    const mine = await guarded.ask(`/agent/v1/trees/${treeOf(own)}`, { as: ids[own] })
    expect([mine.status, (await mine.arrayBuffer()).byteLength > 0]).toEqual([200, true])
    expect(await guarded.status(`/agent/v1/trees/${treeOf(other)}`, { as: ids[own] })).toBe(404)
  })

  it(`cannot greet as ${other}`, async () => {
    const wire = new Wire(connect(ids[own]), other)
    await waitUntil(() => wire.closed !== null)
    expect(wire.closed?.reason).toBe(`the certificate is of agent ${own}: ${other} needs its own`)
    expect(wire.frames).toEqual([])
    expect(wires[other].closed).toBeNull()
  })

  it(`cannot say how a task of ${other} is`, async () => {
    const { task } = taskOf(other)
    wires[own].report(task, 'Failed')
    await wires[own].acknowledged()
    expect(guarded.world.plane.tasks().find(({ id }) => id === task)).toMatchObject({ phase: 'Running', agent: other })
  })

  it(`cannot bring the logs that ${other} was asked for`, async () => {
    const reading = guarded.ask(`/api/v1/tasks/${taskOf(other).task}/logs`, { token: guarded.adminToken })
    const ticketOf = () => wires[other].frames.flatMap((frame) => (frame.type === 'logs' ? [frame.ticket] : [])).at(-1)
    await waitUntil(() => ticketOf() !== undefined)
    const forged = connect(ids[own], `/agent/v1/logs/${ticketOf()}`)
    const [code, reason] = await once(forged, 'close')
    expect([code, String(reason)]).toEqual([4000, 'nobody waits for these logs'])
    const truthful = connect(ids[other], `/agent/v1/logs/${ticketOf()}`)
    await once(truthful, 'open')
    truthful.send(`${JSON.stringify({ stream: 'stdout', at: 1, text: 'true' })}\n`)
    truthful.close()
    expect(await (await reading).text()).toBe('{"stream":"stdout","at":1,"text":"true"}\n')
  })

  it('renews its certificate, and cannot have one of another', async () => {
    const { csr } = await newKeyWithRequest()
    const answer = await guarded.ask('/agent/v1/certificate', { as: ids[own], method: 'POST', body: { csr } })
    const { certificate } = (await answer.json()) as { certificate: string }
    expect(certificate).not.toBe(ids[own].cert)
    expect(guarded.plane.peer(new X509Certificate(certificate)).agent).toBe(own)
    expect(await guarded.status('/agent/v1/certificate', { as: ids[own], method: 'POST', body: { csr, agent: other } })).toBe(400)
  })
})

describe('a connection', () => {
  it('without a certificate is refused, and told how to get one', async () =>
    expect(await refused(null)).toEqual({ status: 401, detail: expect.stringContaining('join with drover agent --token-file FILE') }))

  it('with an expired certificate is refused, and told to join again', async () =>
    expect(await refused(await guarded.identity('a', { now: Date.now() - 2 * DAY }))).toEqual({
      status: 401,
      detail: expect.stringContaining('has expired: join again'),
    }))

  it.each(['other', CLUSTER])('with a certificate of a root that is not ours, and the cluster name %s, is refused', async (cluster) => {
    const of = { cluster, keyring: TEST_KEYRING, now: systemClock.now() }
    const other = await Authority.open([await createRoot({ ...of, before: null })], of)
    const { key, csr } = await newKeyWithRequest()
    const cert = await other.issueAgent('a' as AgentId, { csr, now: of.now })
    expect(await refused({ key, cert })).toEqual({ status: 401, detail: expect.stringContaining('not issued by this cluster') })
  })

  it('with the certificate of a server is refused', async () => {
    const { key, chain } = guarded.trust.server.tls
    expect(await refused({ key, cert: chain })).toEqual({ status: 401, detail: expect.stringContaining('not that of an agent') })
  })

  it('of a page in a browser is refused', async () => {
    const socket = quiet(guarded.socket('/agent/v1/connect', ids.a, { origin: 'https://evil.example' }))
    sockets.push(socket)
    const [, answer] = await once(socket, 'unexpected-response')
    expect(answer.statusCode).toBe(403)
  })

  it('ends when its certificate does', async () => {
    const soon = await guarded.identity('c', { now: Date.now() - DAY + 2_000 })
    const wire = new Wire(connect(soon), 'c')
    await waitUntil(() => wire.closed !== null)
    expect(wire.closed).toEqual({ code: 1012, reason: 'the certificate has expired' })
  })
})

describe('a rotation', () => {
  it('under load drops nobody: old and new certificates, and clients of the old and the new root, go on', async () => {
    const old = guarded.roots
    const answers: number[] = []
    const over = new AbortController()
    const asking = (async () => {
      while (!over.signal.aborted) answers.push(await guarded.status('/api/v1/apps', { token: guarded.adminToken, roots: old }))
    })()
    const [next] = await guarded.plane.rotate('ann')
    await waitUntil(() => guarded.trust.server.authority.pin === next?.pin)
    const after = answers.length
    await waitUntil(() => answers.length > after + 5)
    const joined = await guarded.identity('d')
    const wire = new Wire(connect(joined), 'd')
    await waitUntil(() => wire.frames.length > 0)
    const again = new Wire(connect(ids.a), 'a')
    await waitUntil(() => again.frames.length > 0)
    const newest = guarded.roots.slice(0, guarded.roots.indexOf('-----END') + 26)
    // Each with a connection of its own: only the new root is known, or only the old.
    expect(await guarded.status('/livez', { roots: newest })).toBe(200)
    expect(await guarded.status('/livez', { roots: `${old}\n` })).toBe(200)
    over.abort()
    await asking
    expect(new Set(answers)).toEqual(new Set([200]))
    expect(wires.b.closed).toBeNull()
  })

  it('once finished, the old root’s certificates open nothing, and what is open stays', async () => {
    await guarded.plane.finishRotation({ drop: 'Anyway', actor: 'ann' })
    await waitUntil(() => guarded.trust.server.authority.roots.length === 1)
    expect(await refused(ids.b)).toMatchObject({ status: 401 })
    expect(wires.b.closed).toBeNull()
  })
})
