import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { enrol, joinAsServer } from '../../../runtime/enrol.ts'
import { type Identity, readIdentity } from '../../../runtime/identity.ts'
import { createLiveIdentity } from '../../../runtime/renewal.ts'
import { type Clock, systemClock } from '../../../src/lib/clock.ts'
import { silentLog } from '../../../src/lib/log.ts'
import type { AgentId } from '../../../src/model/ids.ts'
import { type Guarded, serveGuarded } from '../../support/guarded-server.ts'
import { waitUntil } from '../../support/wait-until.ts'

const HOUR = 3_600_000
const AGENT = 'machine-1' as AgentId
const never = new AbortController().signal

let server: Guarded
let dir = ''
beforeAll(async () => {
  server = await serveGuarded()
})
afterAll(() => server.close())
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'drover-enrol-'))
  return () => rmSync(dir, { recursive: true, force: true })
})

const join1 = (token: string, over: object = {}): Promise<Identity> =>
  enrol({ servers: [server.url], token, agent: AGENT, dir, clock: systemClock, random: Math.random, log: silentLog, ...over }, never)
const agentToken = (uses = 1) => server.token({ kind: 'agent', uses })

describe('joining', () => {
  it('gets a certificate for the token, and keeps all of it for its owner alone', async () => {
    const identity = await join1(await agentToken())
    expect(identity).toMatchObject({ agent: AGENT, cluster: server.cluster })
    expect(await readIdentity(dir)).toEqual(identity)
    expect(readdirSync(dir).toSorted()).toEqual(['cert.pem', 'key.pem', 'roots.pem', 'seal.key'])
    for (const name of readdirSync(dir)) expect(statSync(join(dir, name)).mode & 0o777).toBe(0o600)
    expect(identity.sealKey).toEqual(server.keyring.agentKey(AGENT))
  })

  it('goes on to the next server when one is away', async () => {
    const identity = await join1(await agentToken(), { servers: ['https://127.0.0.1:1', server.url] })
    expect(identity.agent).toBe(AGENT)
  })

  it('is refused with a token that is used up, and keeps nothing', async () => {
    const token = await agentToken(1)
    await join1(token)
    rmSync(dir, { recursive: true })
    await expect(join1(token)).rejects.toThrow(/token/)
    expect(await readIdentity(dir)).toBeNull()
  })

  it('shows its token to nobody but who holds the root that the token names', async () => {
    const other = await serveGuarded()
    const asked = server.requests.length
    await expect(join1(await other.token({ kind: 'agent', uses: 1 }))).rejects.toThrow('not of the cluster')
    expect(server.requests.slice(asked)).toEqual(['/trust/v1/roots'])
    await other.close()
  })

  it('takes no token of another kind', async () => {
    await expect(join1(await server.token({ kind: 'server', uses: 1 }))).rejects.toThrow('drover token create --agent')
  })

  it('as a server gets the key of the cluster', async () => {
    const token = await server.token({ kind: 'server', uses: 1 })
    const joined = await joinAsServer({ servers: [server.url], token, clock: systemClock, random: Math.random, log: silentLog }, never)
    expect(joined).toEqual({ cluster: server.cluster, key: server.key })
  })
})

/** The real clock, so much later, whose sleeps end only with the signal. */
const later = (ms: number): Clock => ({
  now: () => Date.now() + ms,
  monotonic: () => systemClock.monotonic(),
  sleep: (_, signal) => new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason), { once: true })),
})

async function renewing(identity: Identity, clock: Clock, until: (log: string[]) => boolean): Promise<string[]> {
  const said: string[] = []
  const tell = (_: object, message: string) => void said.push(message)
  const live = createLiveIdentity(identity, {
    servers: [server.url],
    dir,
    clock,
    random: () => 0,
    log: { debug: tell, info: tell, warn: tell, error: tell },
  })
  const stop = new AbortController()
  const running = live.run(stop.signal)
  await waitUntil(() => until(said))
  stop.abort()
  await running
  return said
}

describe('renewal', () => {
  it('comes when two thirds of the life have passed, with the same key', async () => {
    const identity = await join1(await agentToken())
    const key = readFileSync(join(dir, 'key.pem'), 'utf8')
    const before = server.requests.length
    await renewing(identity, later(17 * HOUR), (said) => said.includes('certificate renewed'))
    expect(server.requests.slice(before)).toEqual(['/agent/v1/certificate'])
    const renewed = await readIdentity(dir)
    expect(renewed?.validFrom).toBeGreaterThanOrEqual(identity.validFrom)
    expect(renewed?.tls.cert).not.toBe(identity.tls.cert)
    expect(readFileSync(join(dir, 'key.pem'), 'utf8')).toBe(key)
  })

  it('does not come before, while the roots are what they were', async () => {
    const identity = await join1(await agentToken())
    const before = server.requests.length
    await renewing(identity, later(0), () => server.requests.length > before)
    expect(server.requests.slice(before)).toEqual(['/trust/v1/roots'])
    expect(await readIdentity(dir)).toEqual(identity)
  })

  it('comes at once when the cluster has a new root, and takes it over', async () => {
    const identity = await join1(await agentToken())
    await server.rotate()
    await renewing(identity, later(0), (said) => said.includes('certificate renewed'))
    const renewed = await readIdentity(dir)
    expect(renewed?.tls.ca.match(/BEGIN/g)).toHaveLength(2)
  })

  it('says what to do once it has come too late', async () => {
    const identity = await join1(await agentToken())
    await server.close()
    const said = await renewing(identity, later(25 * HOUR), (lines) => lines.length > 0)
    expect(said).toEqual(['the certificate has expired, so no control plane takes this agent back'])
    server = await serveGuarded()
  })
})
