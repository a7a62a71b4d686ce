import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { RetryableError } from '../../src/lib/errors.ts'
import { createEtcdStore, type EtcdStore } from '../../src/store/etcd/etcd-store.ts'
import { CompactedError, type Leadership } from '../../src/store/store.ts'
import { type EtcdServer, freePorts, startEtcd } from '../support/etcd.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { waitUntil } from '../support/wait-until.ts'
import { commit, put, remove } from './store-suite.ts'
import { collect } from './watching.ts'

const TTL_MS = 2000
const never = new AbortController().signal

let etcd: EtcdServer
let proxy: TcpProxy
let spaces = 0
/** Of one test: what it opened, and the two ways to its data. */
let opened: EtcdStore[] = []
let direct: EtcdStore
let proxied: EtcdStore

function open(hosts: readonly string[], clock: Clock = systemClock): EtcdStore {
  const store = createEtcdStore({ hosts, root: `/faults/${spaces}/`, clock, ttlMs: TTL_MS })
  opened.push(store)
  return store
}

const nextRevision = async () => String(BigInt((await direct.list('')).revision) + 1n)

/** A client that does nothing while the other tests run, and its way to etcd. */
let idle: { etcd: EtcdServer; store: EtcdStore; proxy: TcpProxy; since: number }

beforeAll(async () => {
  etcd = await startEtcd()
  const other = await startEtcd()
  const way = await startTcpProxy(other.host)
  const store = createEtcdStore({ hosts: [way.host], root: '/idle/', clock: systemClock })
  idle = { etcd: other, proxy: way, store, since: performance.now() }
  await idle.store.get('a')
})
afterAll(async () => {
  await idle.store.close()
  await idle.proxy.close()
  await idle.etcd.close()
  await etcd.close()
})
beforeEach(async () => {
  spaces += 1
  proxy = await startTcpProxy(etcd.host)
  direct = open([etcd.host])
  proxied = open([proxy.host])
})
afterEach(async () => {
  proxy.heal()
  await Promise.all(opened.map((store) => store.close()))
  opened = []
  await proxy.close()
})

/** Monotonic time when it was lost. */
async function lostAt(leadership: Leadership): Promise<number> {
  if (!leadership.signal.aborted) await once(leadership.signal, 'abort')
  return performance.now()
}

describe('the lead', () => {
  it('L1: E2 E3 is over for a leader that is cut off before another can have it, and its writes are fenced', async () => {
    const first = await proxied.campaign('leader', { signal: never })
    const elected = direct.campaign('leader', { signal: never })
    proxy.blackhole()
    const cutAt = performance.now()
    const lost = lostAt(first)
    const validUntil = first.validUntil()
    const second = await elected
    const electedAt = performance.now()
    expect(await lost).toBeLessThan(electedAt)
    expect(validUntil).toBeLessThan(electedAt)
    expect(electedAt - cutAt).toBeLessThan(TTL_MS + 2000)
    proxy.heal()
    await waitUntil(async () => (await proxied.get('leader')) !== null)
    expect(await proxied.txn({ if: [], then: [put('a', 'stale')], fence: first.fence })).toEqual({ status: 'Conflict', failed: 'fence' })
    expect(await direct.txn({ if: [], then: [put('a', 'new')], fence: second.fence })).toMatchObject({ status: 'Committed' })
  })

  it('L1: E4 is over for a leader that was stopped and wakes late, which its first write shows', async () => {
    let frozen = false
    const stoppable: Clock = {
      ...systemClock,
      sleep: async (ms, signal) => {
        await systemClock.sleep(ms, signal)
        await waitUntil(() => !frozen, { timeoutMs: 20_000 })
      },
    }
    const stopped = open([etcd.host], stoppable)
    const first = await stopped.campaign('leader', { signal: never })
    frozen = true
    const second = await direct.campaign('leader', { signal: never })
    expect(first.validUntil()).toBeLessThan(performance.now())
    expect(await stopped.txn({ if: [], then: [put('a', 'stale')], fence: first.fence })).toEqual({ status: 'Conflict', failed: 'fence' })
    expect(first.signal.aborted).toBe(false)
    frozen = false
    await lostAt(first)
    expect(second.signal.aborted).toBe(false)
  })

  it('E9 is taken although the reply to its creation is lost', async () => {
    proxy.dropRepliesAfter('candidate-with-bad-luck')
    const campaign = proxied.campaign('leader', { signal: never, value: 'candidate-with-bad-luck' })
    await waitUntil(async () => (await direct.get('leader')) !== null)
    const created = await direct.get('leader')
    proxy.heal()
    expect((await campaign).fence.epoch).toBe(Number(created?.createRevision))
  })

  it('is over when someone deletes its key', async () => {
    const leadership = await proxied.campaign('leader', { signal: never })
    await commit(direct, remove('leader'))
    await lostAt(leadership)
  })

  it('E1 E14 and watches survive a restart of etcd shorter than the TTL', async () => {
    const leadership = await direct.campaign('leader', { signal: never })
    const events = collect(direct, 'k/', await nextRevision())
    await etcd.restart()
    await waitUntil(async () => (await direct.txn({ if: [], then: [put('k/a', '1')], fence: leadership.fence })).status === 'Committed')
    const upAt = performance.now()
    await waitUntil(() => events.some(({ key }) => key === 'k/a'))
    expect(performance.now() - upAt).toBeLessThan(2500)
    const renewed = leadership.validUntil()
    await waitUntil(() => leadership.validUntil() > renewed)
  })
})

describe('a watch', () => {
  it('L3: E5 E6 loses nothing when cut right after it connects and in the midst of a backlog', async () => {
    const from = await nextRevision()
    const expected = Array.from({ length: 3500 }, (_, index) => `k/${index}`)
    for (let start = 0; start < expected.length; start += 100) {
      await Promise.all(expected.slice(start, start + 100).map((key) => commit(direct, put(key, 'x'.repeat(1000)))))
    }
    const events = collect(proxied, 'k/', from)
    let cuts = 0
    let cutAt = proxy.received()
    while (cuts < 15 && events.length < expected.length) {
      await waitUntil(() => proxy.received() > cutAt || events.length === expected.length)
      cutAt = proxy.received() + cuts * 50_000
      proxy.cut()
      cuts += 1
    }
    await waitUntil(() => events.length >= expected.length)
    expect(cuts).toBeGreaterThan(4)
    expect(events.map(({ key }) => key).sort()).toEqual(expected.sort())
    const revisions = events.map(({ revision }) => BigInt(revision))
    expect(revisions.every((revision, index) => index === 0 || revision > (revisions[index - 1] ?? 0n))).toBe(true)
  })

  it('L3: E7 tells of each write once and in order through dozens of cuts while writes go on', async () => {
    const events = collect(proxied, 'k/', await nextRevision())
    const revisions: string[] = []
    for (let round = 0; round < 1500; round += 1) {
      revisions.push(await commit(direct, put(`k/${round % 20}`, `${round}`)))
      if (round % 25 === (round * 7) % 11) proxy.cut()
    }
    await waitUntil(() => events.at(-1)?.revision === revisions.at(-1))
    expect(events.map(({ revision }) => revision)).toEqual(revisions)
    expect(events.map(({ value }) => value)).toEqual(revisions.map((_, index) => `${index}`))
  })

  it('L3: E8 says so when a compaction overtook it while it was cut off, be it by a single deletion', async () => {
    await commit(direct, put('k/a', '1'))
    const abort = new AbortController()
    const from = (await direct.list('')).revision
    const seen: string[] = []
    const watching = (async () => {
      for await (const events of proxied.watch('k/', { from, signal: abort.signal })) seen.push(...events.map(({ type }) => type))
      return 'ended'
    })()
    await waitUntil(() => seen.length === 1)
    proxy.blackhole()
    proxy.cut()
    await direct.compact(await commit(direct, remove('k/a')))
    proxy.heal()
    await expect(watching).rejects.toThrow(CompactedError)
    expect(seen).toEqual(['put'])
    expect((await proxied.list('k/')).items).toEqual([])
  })

  it('L4: E10 E11 goes on after etcd was frozen for longer than its connection is trusted', async () => {
    const events = collect(direct, 'k/', await nextRevision())
    await commit(direct, put('k/a', '1'))
    await waitUntil(() => events.length === 1)
    await etcd.stop()
    const results = Promise.all([direct.txn({ if: [], then: [put('k/b', '1')], fence: null }), direct.get('k/a').catch((error) => error)])
    const startedAt = performance.now()
    const [written, read] = await results.finally(() => etcd.cont())
    // Three attempts of 3 s and the pauses between them.
    expect(performance.now() - startedAt).toBeLessThan(10_500)
    expect(written.status).toBe('Unknown')
    expect(read).toBeInstanceOf(RetryableError)
    await waitUntil(async () => (await direct.get('k/a')) !== null)
    const revision = await commit(direct, put('k/c', '1'))
    await waitUntil(() => events.at(-1)?.revision === revision)
  })
})

describe('a call', () => {
  it('L2: E9 whose reply is lost is Unknown and not repeated; reading back tells', async () => {
    proxy.dropRepliesAfter('lost-reply')
    const request = { if: [{ key: 'a', revision: '0' }], then: [put('a', 'lost-reply')], fence: null }
    const result = proxied.txn(request)
    await waitUntil(async () => (await direct.get('a')) !== null)
    proxy.cut()
    expect(await result).toMatchObject({ status: 'Unknown' })
    proxy.heal()
    const written = await proxied.get('a')
    expect(written).toMatchObject({ value: 'lost-reply', revision: written?.createRevision })
    expect((await proxied.list('')).revision).toBe(written?.revision)
    expect(await proxied.txn(request)).toEqual({ status: 'Conflict', failed: 'compare' })
  })

  it('E12 that is refused, or brings 8 MB, does not break the next', async () => {
    const large = 'x'.repeat(200_000)
    for (let index = 0; index < 40; index += 1) await commit(direct, put(`large/${index}`, large))
    expect((await direct.list('large/')).items).toHaveLength(40)
    for (let round = 0; round < 5; round += 1) {
      await expect(commit(direct, put('a', large.repeat(10)))).rejects.toMatchObject({ code: 'BadTxn' })
      await commit(direct, put('a', `${round}`))
    }
  })

  it('L4: moves to another host when its own dies, and watches move along', async () => {
    const [dead = 0] = await freePorts(1)
    const store = open([`127.0.0.1:${dead}`, proxy.host, etcd.host])
    await commit(direct, put('k/a', '1'))
    const events = collect(store, 'k/', (await store.list('')).revision)
    await waitUntil(() => events.length === 1)
    proxy.blackhole()
    const write = () => store.txn({ if: [], then: [put('k/b', '1')], fence: null })
    expect((await write()).status).toBe('Unknown')
    expect((await write()).status).toBe('Committed')
    await waitUntil(() => events.some(({ key }) => key === 'k/b'))
  })
})

it('an idle client does not ping etcd so often that it is thrown out', async () => {
  // Longer than four pings of 6 s.
  await waitUntil(() => performance.now() - idle.since > 26_000, { timeoutMs: 30_000 })
  await idle.store.get('a')
  expect(idle.proxy.accepted()).toBe(1)
})

it('E15 a process that closes its store with a watch open ends by itself', async () => {
  const script = fileURLToPath(new URL('./close-child.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', script, etcd.host], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (output += String(bytes)))
  const timeout = setTimeout(() => child.kill('SIGKILL'), 15_000)
  const [code] = await once(child, 'exit')
  clearTimeout(timeout)
  expect({ code, output }).toEqual({ code: 0, output: 'closed\n' })
})
