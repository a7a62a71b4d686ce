import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ServerTrust } from '../../src/control/trust/server-trust.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { Logger } from '../../src/lib/log.ts'
import { silentLog } from '../../src/lib/log.ts'
import { createKeyring, KEY_BYTES } from '../../src/lib/seal.ts'
import type { AgentId } from '../../src/model/ids.ts'
import { createMemoryCluster } from '../../src/store/memory.ts'
import { newKeyWithRequest } from '../../src/trust/csr.ts'
import { parseToken } from '../../src/trust/token.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { GuardedWorld } from '../support/guarded-world.ts'
import { TEST_KEYRING } from '../support/vault.ts'
import { waitUntil } from '../support/wait-until.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

const logged: [object, string][] = []
const note = (fields: object, message: string): void => void logged.push([fields, message])
const log: Logger = { debug: () => undefined, info: note, warn: note, error: note }

let guarded: GuardedWorld
beforeAll(async () => {
  guarded = await GuardedWorld.open({}, { log })
})
afterAll(() => guarded.close())

const idOf = (text: string): string => parseToken(text).id
const join = async (token: string, agent = 'node-1') =>
  guarded.plane.joinAgent({ token, agent: agent as AgentId, csr: (await newKeyWithRequest()).csr })
const viewOf = (text: string) => guarded.plane.tokens().find(({ id }) => id === idOf(text))
const publicKeyOf = (certificate: string): string =>
  new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'pem' }).toString()
const dump = async (): Promise<string> =>
  JSON.stringify(await guarded.world.cluster.connect({ unreachable: false, losesReplies: false }).list(''))

describe('a token for joining', () => {
  it('with N uses lets N of N + 1 in that come at once', async () => {
    const token = await guarded.token({ kind: 'agent', uses: 5 })
    const came = await Promise.allSettled(Array.from({ length: 6 }, (_, n) => join(token, `node-${n}`)))
    expect(came.filter(({ status }) => status === 'fulfilled')).toHaveLength(5)
    expect(viewOf(token)).toMatchObject({ state: 'UsedUp', usesLeft: 0 })
  })

  it('is counted once for each of those that come in the very same turn', async () => {
    const token = await guarded.token({ kind: 'server', uses: 5 })
    const came = await Promise.allSettled(Array.from({ length: 6 }, () => guarded.plane.joinServer(token)))
    expect(came.filter(({ status }) => status === 'fulfilled')).toHaveLength(5)
    expect(viewOf(token)).toMatchObject({ state: 'UsedUp', usesLeft: 0 })
  })

  it('that is expired, used up, revoked, unknown or of another kind is refused with one message; the log tells which', async () => {
    const expired = await guarded.token({ kind: 'agent', ttlSeconds: 0 })
    const used = await guarded.token({ kind: 'agent' })
    await join(used)
    const revoked = await guarded.token({ kind: 'agent' })
    await guarded.plane.revokeToken(idOf(revoked), 'ann')
    logged.splice(0)
    const told = await Promise.all([expired, used, revoked].map((token) => join(token).catch(({ code, message }) => ({ code, message }))))
    expect(new Set(told.map((one) => JSON.stringify(one))).size).toBe(1)
    expect(told[0]).toMatchObject({ code: 'Unauthorized' })
    expect(logged.filter(([, message]) => message === 'token refused').map(([fields]) => fields)).toEqual(
      expect.arrayContaining([
        { token: idOf(expired), kind: 'agent', state: 'Expired' },
        { token: idOf(used), kind: 'agent', state: 'UsedUp' },
        { token: idOf(revoked), kind: 'agent', state: 'Revoked' },
      ]),
    )
  })

  it('is not used up by a request that proves nothing', async () => {
    const token = await guarded.token({ kind: 'agent' })
    const bad = guarded.plane.joinAgent({ token, agent: 'node-1' as AgentId, csr: 'nonsense' })
    await expect(bad).rejects.toMatchObject({ code: 'Invalid' })
    expect(viewOf(token)?.usesLeft).toBe(1)
  })

  it('lets a machine that lost the answer ask the same again, and nobody else', async () => {
    const token = await guarded.token({ kind: 'agent' })
    const request = { token, agent: 'node-1' as AgentId, csr: (await newKeyWithRequest()).csr }
    const [first, again] = [await guarded.plane.joinAgent(request), await guarded.plane.joinAgent(request)]
    expect(publicKeyOf(again.certificate)).toBe(publicKeyOf(first.certificate))
    await expect(guarded.plane.joinAgent({ ...request, agent: 'node-2' as AgentId })).rejects.toMatchObject({ code: 'Unauthorized' })
    await expect(join(token)).rejects.toMatchObject({ code: 'Unauthorized' })
    expect(guarded.world.plane.events({ object: `token/${idOf(token)}` }).map(({ reason }) => reason)).toEqual([
      'TokenCreated',
      'TokenUsed',
    ])
    await guarded.plane.revokeToken(idOf(token), 'ann')
    await expect(guarded.plane.joinAgent(request)).rejects.toMatchObject({ code: 'Unauthorized' })
  })

  it('brings the certificate, the roots and the key of that agent', async () => {
    const { roots, key } = await join(await guarded.token({ kind: 'agent' }), 'web-1')
    expect(roots).toBe(guarded.roots)
    expect(key).toBe(TEST_KEYRING.agentKey('web-1' as AgentId).toString('hex'))
  })

  it('for a server brings the key of the cluster, once', async () => {
    const token = await guarded.token({ kind: 'server' })
    expect(await guarded.plane.joinServer(token)).toEqual({ cluster: 'test', key: 'ab'.repeat(32) })
    await expect(guarded.plane.joinServer(token)).rejects.toMatchObject({ code: 'Unauthorized' })
  })

  it('for an agent does not let a server join, nor open the API', async () => {
    const token = await guarded.token({ kind: 'agent' })
    await expect(guarded.plane.joinServer(token)).rejects.toThrow(/one for joining servers is needed/)
    expect(() => guarded.plane.authenticate(token)).toThrow(/one for the API is needed/)
  })
})

describe('the store and the log', () => {
  it('hold the secret of no token', async () => {
    const text = await guarded.token({ kind: 'api', role: 'admin' })
    await guarded.plane.authenticate(text)
    const everything = `${await dump()}${JSON.stringify(logged)}`
    expect(everything).toContain(idOf(text))
    for (const { secret } of [parseToken(text), parseToken(guarded.adminToken)]) expect(everything).not.toContain(secret)
    expect(everything).not.toContain('PRIVATE KEY')
  })

  it('tell who made, used and revoked a token', async () => {
    const token = await guarded.token({ kind: 'agent', name: 'rack 1' })
    await join(token, 'rack-1-a')
    await guarded.plane.revokeToken(idOf(token), 'ann')
    const events = guarded.world.plane.events({ object: `token/${idOf(token)}` })
    expect(events.map(({ reason, message, actor }) => ({ reason, message, actor }))).toEqual([
      { reason: 'TokenCreated', message: 'token "rack 1" for joining agents created', actor: 'ann' },
      { reason: 'TokenUsed', message: 'agent rack-1-a joined, 0 left', actor: 'rack 1' },
      { reason: 'TokenRevoked', message: 'token "rack 1" for joining agents revoked', actor: 'ann' },
    ])
  })

  it('tell when a token was last used', async () => {
    const token = await guarded.token({ kind: 'api', role: 'viewer' })
    expect(viewOf(token)?.lastUsedAt).toBeNull()
    guarded.plane.authenticate(token)
    await waitUntil(() => viewOf(token)?.lastUsedAt !== null)
  })
})

describe('a token that makes no sense', () => {
  it.each([
    [{ kind: 'api' }, /needs a role/],
    [{ kind: 'api', role: 'viewer', uses: 3 }, /uses are counted/],
    [{ kind: 'agent', role: 'viewer' }, /no role/],
    [{ kind: 'server', namespaces: ['a'] }, /no namespaces/],
    [{ kind: 'api', role: 'operator', namespaces: ['a'] }, /not in any namespace/],
  ] as const)('%j is not made', async (request, message) => {
    await expect(guarded.token(request as Parameters<GuardedWorld['token']>[0])).rejects.toThrow(message)
  })
})

describe('the first admin token', () => {
  it('is made once, and again by the next leader when no admin is left', async () => {
    const admins = () => guarded.plane.tokens().filter(({ role, state }) => role === 'admin' && state === 'Usable')
    for (const { id } of admins()) await guarded.plane.revokeToken(id, 'ann')
    expect(admins()).toEqual([])
    await guarded.restart()
    await waitUntil(() => admins().length === 1)
    expect(guarded.plane.authenticate(guarded.left.at(-1) ?? '').role).toBe('admin')
    const count = guarded.left.length
    await guarded.restart()
    expect(guarded.left).toHaveLength(count)
  })
})

describe('the authority', () => {
  it('is one, also when two servers start at once', async () => {
    const cluster = createMemoryCluster({ clock: systemClock, ttlMs: 10_000 })
    const open = () =>
      ServerTrust.open({
        store: cluster.connect({ unreachable: false, losesReplies: false }),
        keyring: TEST_KEYRING,
        clock: systemClock,
        log: silentLog,
        cluster: 'test',
        hosts: ['localhost'],
      })
    const [one, other] = await Promise.all([open(), open()])
    expect(one.authority.bundle).toBe(other.authority.bundle)
    expect(one.authority.roots).toHaveLength(1)
  })

  it('gives a server another certificate when two thirds of its life have passed, and tells those who serve with it', async () => {
    const clock = createFakeClock()
    const store = createMemoryCluster({ clock, ttlMs: 10_000 }).connect({ unreachable: false, losesReplies: false })
    const server = await ServerTrust.open({ store, keyring: TEST_KEYRING, clock, log: silentLog, cluster: 'test', hosts: ['localhost'] })
    const told: string[] = []
    server.onChange(() => told.push(server.tls.chain))
    const over = new AbortController()
    const running = server.run(over.signal)
    const first = server.tls.chain
    await clock.advance(19 * DAY)
    expect(server.tls.chain).toBe(first)
    await clock.advance(DAY + HOUR)
    await waitUntil(() => told.length > 0)
    expect(told).toEqual([server.tls.chain])
    expect(Date.parse(new X509Certificate(server.tls.chain).validTo)).toBeGreaterThan(
      Date.parse(new X509Certificate(first).validTo) + 19 * DAY,
    )
    over.abort()
    await running
  })

  it('cannot be used by a server with the key of another cluster', async () => {
    const store = guarded.world.cluster.connect({ unreachable: false, losesReplies: false })
    const keyring = createKeyring(Buffer.alloc(KEY_BYTES, 9))
    const opened = ServerTrust.open({ store, keyring, clock: systemClock, log: silentLog, cluster: 'test', hosts: ['localhost'] })
    await expect(opened).rejects.toMatchObject({ code: 'SecretUnreadable' })
  })

  it('rotates with both roots believed, and drops the old one only when nobody can need it, or when told to', async () => {
    const [before] = guarded.plane.authorities()
    await expect(guarded.plane.finishRotation({ drop: 'Anyway', actor: 'ann' })).rejects.toThrow(/no root retires/)
    const two = await guarded.plane.rotate('ann')
    expect(two.map(({ state }) => state)).toEqual(['Active', 'Retiring'])
    await waitUntil(() => guarded.trust.server.authority.roots.length === 2)
    expect(guarded.trust.server.authority.pin).toBe(two[0]?.pin)
    await expect(guarded.plane.rotate('ann')).rejects.toThrow(/still retires/)
    await expect(guarded.plane.finishRotation({ drop: 'WhenUnused', actor: 'ann' })).rejects.toThrow(
      /agents may have certificates of root .* until/,
    )
    expect(await guarded.plane.finishRotation({ drop: 'Anyway', actor: 'ann' })).toMatchObject([{ id: two[0]?.id, state: 'Active' }])
    await waitUntil(() => guarded.trust.server.authority.roots.length === 1)
    expect(guarded.roots).not.toContain(before?.id)
    expect(guarded.world.plane.events({ object: 'cluster/authority' }).map(({ reason }) => reason)).toEqual([
      'AuthorityRotated',
      'AuthorityDropped',
    ])
  })
})
