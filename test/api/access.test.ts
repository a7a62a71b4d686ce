import { connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ACCESS, type Rule } from '../../src/api/access-table.ts'
import { assertCovered } from '../../src/api/admission.ts'
import { createApi } from '../../src/api/app.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import type { Role } from '../../src/model/trust.ts'
import { newToken, tokenText } from '../../src/trust/token.ts'
import { web } from '../control/world.ts'
import { fakeControl } from '../support/fake-control.ts'
import { fakeGate } from '../support/fake-gate.ts'
import { LEADS } from '../support/fake-leader.ts'
import { GuardedWorld, type Identity } from '../support/guarded-world.ts'
import { waitUntil } from '../support/wait-until.ts'

let guarded: GuardedWorld
let tokens: Record<Role | 'elsewhere' | 'bad' | 'expired' | 'revoked' | 'joining', string>
let agent: Identity

beforeAll(async () => {
  guarded = await GuardedWorld.open({ 'web.yaml': web('web') })
  await waitUntil(() => guarded.world.app().workloads.length > 0)
  const api = (role: Role, more: object = {}) => guarded.token({ kind: 'api', role, ...more })
  const revoked = await api('admin')
  await guarded.plane.revokeToken(revoked.split('.')[2] ?? '', 'ann')
  tokens = {
    viewer: await api('viewer'),
    deployer: await api('deployer'),
    operator: await api('operator'),
    admin: guarded.adminToken,
    elsewhere: await api('deployer', { namespaces: ['elsewhere'] }),
    bad: tokenText(newToken({ kind: 'api', id: 'abcdefgh23', pin: guarded.trust.server.authority.pin })),
    expired: await api('admin', { ttlSeconds: 0 }),
    revoked,
    joining: await guarded.token({ kind: 'agent' }),
  }
  agent = await guarded.identity('node-1')
})
afterAll(() => guarded.close())

/** Paths of objects that are there; a POST comes with an empty body, which verbs with another form refuse only after the door. */
const pathOf = ({ path }: Rule): string =>
  path
    .replace('/apps/:name', '/apps/shop')
    .replace(':namespace/:kind/:name', 'default/Deployment/web')
    .replace(':oid', 'a'.repeat(40))
    .replace('/why', '/why?object=deployment/web')
    .replace('/tasks/:id', `/tasks/${guarded.world.plane.tasks()[0]?.id}`)
    .replace(':id', 'none')

const isRole = ({ needs }: Rule): boolean => needs !== 'Nothing' && needs !== 'Certificate'
const named = (rules: readonly Rule[]) => rules.map((rule) => [`${rule.method} ${rule.path}`, rule] as const)

async function statusOf(rule: Rule, who: { token?: string; as?: Identity }): Promise<number> {
  const leave = new AbortController()
  const answer = await guarded.ask(pathOf(rule), { ...who, method: rule.method, signal: leave.signal })
  leave.abort()
  return answer.status
}

describe('every route', () => {
  const api = () => createApi({ control: fakeControl(), gate: fakeGate(), guard: null, leader: LEADS, log: silentLog, clock: systemClock })

  it('has a line in the table, and every line its route', () => {
    const served = new Set(api().routes.flatMap(({ method, path }) => (method === 'ALL' ? [] : [`${method} ${path}`])))
    expect([...served].sort()).toEqual(ACCESS.map(({ method, path }) => `${method} ${path}`).sort())
  })

  it('that the table does not know is not served', () => {
    const one = api()
    one.get('/api/v1/back-door', (c) => c.text('hello'))
    expect(() => assertCovered(one)).toThrow(/nobody says who may GET \/api\/v1\/back-door/)
  })
})

describe('without a token or with one that is not good', () => {
  it.each(named(ACCESS.filter(isRole)))('%s answers 401', async (_, rule) => {
    const wrong = [{}, ...(['bad', 'expired', 'revoked', 'joining'] as const).map((kind) => ({ token: tokens[kind] })), { as: agent }]
    expect(await Promise.all(wrong.map((who) => statusOf(rule, who)))).toEqual(wrong.map(() => 401))
  })

  it('the answer tells nothing of which it was, nor of the inside', async () => {
    const answers = await Promise.all(
      (['bad', 'expired', 'revoked'] as const).map(async (kind) => (await guarded.ask('/api/v1/apps', { token: tokens[kind] })).text()),
    )
    expect(new Set(answers).size).toBe(1)
    expect(JSON.parse(answers[0] ?? '')).toEqual({
      type: 'urn:drover:problem:Unauthorized',
      title: 'Not known',
      status: 401,
      detail: 'the token is not accepted: it is unknown, expired, used up or revoked, and the log of the control plane says which',
      code: 'Unauthorized',
    })
  })
})

describe('with a role', () => {
  const ORDER: readonly Role[] = ['viewer', 'deployer', 'operator', 'admin']
  it.each(named(ACCESS.filter((rule) => isRole(rule) && rule.path !== '/api/v1/authorities/rotate')))(
    '%s opens to that role and those above it, and answers 403 to others',
    async (_, rule) => {
      const statuses = await Promise.all(ORDER.map((role) => statusOf(rule, { token: tokens[role] })))
      const first = ORDER.indexOf(rule.needs as Role)
      expect(statuses.map((status) => status === 403)).toEqual(ORDER.map((_, at) => at < first))
      expect(statuses).not.toContain(401)
      expect(statuses).not.toContain(500)
    },
  )

  it.each(named(ACCESS.filter((rule) => isRole(rule) && !['Nothing', 'List'].includes(rule.reaches))))(
    '%s is shut to a token of another namespace',
    async (_, rule) => expect(await statusOf(rule, { token: tokens.elsewhere })).toBe(403),
  )

  it.each(named(ACCESS.filter(({ reaches }) => reaches === 'List')))('%s shows a token nothing of other namespaces', async (_, rule) => {
    const answer = await guarded.ask(pathOf(rule), { token: tokens.elsewhere })
    expect(await answer.json()).toEqual({ items: [] })
  })
})

describe('for agents', () => {
  it.each(named(ACCESS.filter(({ needs }) => needs === 'Certificate')))('%s wants a certificate, and takes no token', async (_, rule) => {
    expect(await statusOf(rule, {})).toBe(401)
    expect(await statusOf(rule, { token: tokens.admin })).toBe(401)
    expect([400, 404]).toContain(await statusOf(rule, { as: agent }))
  })
})

describe('open to everybody', () => {
  it('are only probes, roots and joining, and they tell no version', async () => {
    const open = ACCESS.filter(({ needs }) => needs === 'Nothing')
    expect(open.map(({ path }) => path)).toEqual([
      '/livez',
      '/readyz',
      '/healthz',
      '/trust/v1/roots',
      '/trust/v1/agents',
      '/trust/v1/servers',
    ])
    const seen: Record<string, [number, string]> = {}
    for (const rule of open) {
      const answer = await guarded.ask(rule.path, { method: rule.method })
      expect([...answer.headers.keys()].filter((name) => /server|powered|version/.test(name))).toEqual([])
      seen[rule.path] = [answer.status, (await answer.text()).replaceAll(guarded.roots, '<roots>')]
    }
    const wrong = (detail: string) => expect.stringContaining(`"detail":"${detail}`)
    expect(seen).toEqual({
      '/livez': [200, 'ok\n'],
      '/readyz': [200, 'ok\n'],
      '/healthz': [200, 'ok\n'],
      '/trust/v1/roots': [200, '<roots>'],
      '/trust/v1/agents': [400, wrong('token: ')],
      '/trust/v1/servers': [400, wrong('token: ')],
    })
  })

  it('an unknown path is just not there', async () => {
    const answer = await guarded.ask('/api/v1/nothing')
    expect([answer.status, await answer.text()]).toEqual([
      404,
      '{"type":"urn:drover:problem:NotFound","title":"Not found","status":404,"detail":"there is no /api/v1/nothing here","code":"NotFound"}',
    ])
  })

  it('a body from a stranger may be small only', async () => {
    expect(await guarded.status('/trust/v1/agents', { method: 'POST', body: { token: 'x'.repeat(20_000) } })).toBe(413)
  })
})

describe('the connection', () => {
  const speak = (version: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3') =>
    new Promise<string | null>((resolve, reject) => {
      const { hostname: host, port } = new URL(guarded.serving.url)
      const only = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' }
      const socket = connect({ host, port: Number(port), ca: guarded.roots, ...only }, () => {
        resolve(socket.getProtocol())
        socket.destroy()
      })
      socket.once('error', reject)
    })

  it('is of TLS 1.2 or newer', async () => {
    expect(await Promise.all([speak('TLSv1.2'), speak('TLSv1.3')])).toEqual(['TLSv1.2', 'TLSv1.3'])
    await expect(speak('TLSv1.1')).rejects.toThrow(/version/)
  })
})

describe('a token that is revoked', () => {
  it('opens nothing from that moment on, and ends what it had opened', async () => {
    const token = await guarded.token({ kind: 'api', role: 'viewer' })
    const id = token.split('.')[2] ?? ''
    const watching = await guarded.ask('/api/v1/watch', { token })
    const ended = watching.text().then(
      () => 'ended',
      () => 'ended',
    )
    expect(await guarded.status('/api/v1/apps', { token })).toBe(200)
    expect(await guarded.status(`/api/v1/tokens/${id}/revoke`, { token: tokens.admin, method: 'POST', body: { actor: 'ann' } })).toBe(200)
    expect(await guarded.status('/api/v1/apps', { token })).toBe(401)
    expect(await ended).toBe('ended')
  })
})

describe('who did it', () => {
  it('is told by the token, whatever the client says of itself', async () => {
    const token = await guarded.token({ kind: 'api', role: 'deployer', name: 'ci' })
    await guarded.ask('/api/v1/apps/shop/sync', { token, method: 'POST', body: { actor: 'the boss' } })
    const asked = await guarded.ask('/api/v1/tokens', { token: tokens.admin, method: 'POST', body: { kind: 'agent', actor: 'the boss' } })
    expect(await asked.json()).toMatchObject({ token: { createdBy: 'first-admin (the boss)' } })
  })
})
