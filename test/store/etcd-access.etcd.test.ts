import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import type { AgentId } from '../../src/model/ids.ts'
import type { EtcdAccess } from '../../src/store/etcd/client.ts'
import { openStore } from '../../src/store/open.ts'
import type { Store } from '../../src/store/store.ts'
import { Authority, createRoot } from '../../src/trust/authority.ts'
import { newKeyWithRequest } from '../../src/trust/csr.ts'
import { type EtcdServer, startEtcd } from '../support/etcd.ts'
import { scratchFolder } from '../support/git-repo.ts'
import { TEST_KEYRING } from '../support/vault.ts'

const scratch = scratchFolder()
const path = (name: string): string => join(scratch.path, name)
const keep = (name: string, text: string): void => writeFileSync(path(name), text)
const servers: EtcdServer[] = []
const stores: Store[] = []
afterAll(async () => {
  for (const store of stores) await store.close()
  for (const server of servers) await server.close()
  scratch.remove()
})

/** The certificates of a cluster serve as well as those of any other authority. */
beforeAll(async () => {
  const now = systemClock.now()
  const of = { cluster: 'etcd', keyring: TEST_KEYRING, now }
  for (const name of ['ca', 'other-ca']) {
    const authority = await Authority.open([await createRoot({ ...of, before: null })], of)
    keep(`${name}.pem`, authority.bundle)
    const { key, chain } = await authority.issueServer(['127.0.0.1'], now)
    keep(`${name}-server.pem`, chain)
    keep(`${name}-server.key`, key)
    const client = await newKeyWithRequest()
    keep(`${name}-client.pem`, await authority.issueAgent('drover' as AgentId, { csr: client.csr, now }))
    keep(`${name}-client.key`, client.key)
  }
})

const read = (name: string): Buffer => readFileSync(path(name))
const tlsOf = (ca: string, client: string | null): EtcdAccess => ({
  tls: {
    ca: read(`${ca}.pem`),
    cert: client === null ? null : read(`${client}-client.pem`),
    key: client === null ? null : read(`${client}-client.key`),
  },
  user: null,
})

async function connect(server: EtcdServer, access: EtcdAccess, prefix = 'demo'): Promise<Store> {
  const store = await openStore(server.url(prefix), { dataDir: scratch.path, clock: systemClock, etcd: access })
  stores.push(store)
  return store
}

/** All that a server asks of its store: a lease with its key, fenced writes, reads and a watch. */
async function useFully(store: Store): Promise<void> {
  const over = new AbortController()
  const leadership = await store.campaign('leader', { signal: over.signal, value: 'https://here' })
  const { revision } = await store.list('')
  const written = await store.txn({ if: [], then: [{ op: 'put', key: 'x', value: '1' }], fence: leadership.fence })
  expect(written.status).toBe('Committed')
  for await (const events of store.watch('x', { from: String(BigInt(revision) + 1n), signal: over.signal })) {
    expect(events.map(({ key, value }) => [key, value])).toEqual([['x', '1']])
    break
  }
  await leadership.resign()
  expect(await store.get('leader')).toBeNull()
}

describe('an etcd that speaks TLS', () => {
  let server: EtcdServer
  beforeAll(async () => {
    server = await startEtcd({ tls: { ca: path('ca.pem'), cert: path('ca-server.pem'), key: path('ca-server.key') } })
    servers.push(server)
  })

  it('serves who believes its authority', async () => useFully(await connect(server, tlsOf('ca', null))))

  it('is not believed by who trusts another, nor reached in plain', async () => {
    await expect((await connect(server, tlsOf('other-ca', null))).get('x')).rejects.toThrow('etcd does not answer')
    await expect((await connect(server, { tls: null, user: null })).get('x')).rejects.toThrow('etcd does not answer')
  })
})

describe('an etcd that wants certificates', () => {
  let server: EtcdServer
  beforeAll(async () => {
    const own = { cert: path('ca-server.pem'), key: path('ca-server.key') }
    server = await startEtcd({ tls: { ca: path('ca.pem'), ...own, client: { cert: path('ca-client.pem'), key: path('ca-client.key') } } })
    servers.push(server)
  })

  it('serves who has one of the right authority', async () => useFully(await connect(server, tlsOf('ca', 'ca'))))

  it('serves nobody else', async () => {
    await expect((await connect(server, tlsOf('ca', null))).get('x')).rejects.toThrow('etcd does not answer')
    await expect((await connect(server, tlsOf('ca', 'other-ca'))).get('x')).rejects.toThrow('etcd does not answer')
  })
})

describe('an etcd with users', () => {
  let server: EtcdServer
  beforeAll(async () => {
    server = await startEtcd()
    servers.push(server)
    for (const line of [
      'user add root:rootpw',
      'role add drover',
      'role grant-permission drover --prefix=true readwrite /demo/',
      'user add drover:secret',
      'user grant-role drover drover',
      'user grant-role root root',
      'auth enable',
    ])
      await server.etcdctl(...line.split(' '))
  })
  const as = (name: string, password: string): EtcdAccess => ({ tls: null, user: { name, password } })

  it('serves a user whose role has the prefix, and no more than that', async () => {
    await useFully(await connect(server, as('drover', 'secret')))
    await expect((await connect(server, as('drover', 'secret'), 'other')).get('x')).rejects.toThrow('permission denied')
  })

  it('refuses a wrong password, and who is nobody', async () => {
    await expect((await connect(server, as('drover', 'wrong'))).get('x')).rejects.toThrow('invalid user ID or password')
    await expect((await connect(server, { tls: null, user: null })).get('x')).rejects.toThrow(/user name is empty|permission denied/)
  })
})
