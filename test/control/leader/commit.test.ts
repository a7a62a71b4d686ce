import { afterEach, describe, expect, it } from 'vitest'
import { Committer, DemotedError } from '../../../src/control/leader/commit.ts'
import { createMemoryCluster, type MemoryCluster } from '../../../src/store/memory.ts'
import type { Leadership, Op, Store, Txn, TxnResult } from '../../../src/store/store.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

const put = (key: string, value = key): Op => ({ op: 'put', key, value })
const unknown: TxnResult = { status: 'Unknown', cause: new Error('the reply was lost') }

/** What the next transactions meet on their way, first things first; the rest goes through. */
type Fate = 'ReplyLost' | 'RequestLost' | 'ReplyLostAndLeaderGone' | 'Delayed'

interface Bench {
  readonly clock: ReturnType<typeof createFakeClock>
  readonly cluster: MemoryCluster
  readonly store: Store
  readonly leadership: Leadership
  readonly committer: Committer
  readonly sent: Txn[]
  /** Lets a delayed request arrive after all. */
  readonly arrive: () => Promise<TxnResult[]>
}

const benches: Bench[] = []
afterEach(async () => {
  for (const { leadership } of benches.splice(0)) await leadership.resign()
})

async function open(fates: Fate[] = []): Promise<Bench> {
  const clock = createFakeClock()
  const cluster = createMemoryCluster({ clock })
  const store = cluster.connect()
  const leadership = await store.campaign('leader', { signal: new AbortController().signal })
  const sent: Txn[] = []
  const delayed: Txn[] = []
  const txn = async (request: Txn): Promise<TxnResult> => {
    sent.push(request)
    const fate = fates.shift()
    if (fate === 'RequestLost') return unknown
    if (fate === 'Delayed') {
      delayed.push(request)
      return unknown
    }
    const result = await store.txn(request)
    if (fate === 'ReplyLostAndLeaderGone') await leadership.resign()
    return fate === undefined ? result : unknown
  }
  const wrapped: Store = { ...bound(store), txn }
  const committer = await Committer.open(wrapped, leadership, clock)
  const arrive = async () => Promise.all(delayed.splice(0).map((request) => store.txn(request)))
  const bench = { clock, cluster, store, leadership, committer, sent, arrive }
  benches.push(bench)
  return bench
}

function bound(store: Store): Store {
  return {
    list: (prefix) => store.list(prefix),
    get: (key) => store.get(key),
    txn: (request) => store.txn(request),
    watch: (prefix, options) => store.watch(prefix, options),
    campaign: (name, options) => store.campaign(name, options),
    close: () => store.close(),
  }
}

const stored = async ({ store }: Bench, key: string) => (await store.get(key))?.value

describe('a turn', () => {
  it('is one transaction, fenced, with a marker of its own', async () => {
    const bench = await open()
    await bench.committer.commit([put('a'), { op: 'delete', key: 'gone' }])
    await bench.committer.commit([put('b')])
    expect(bench.sent).toHaveLength(2)
    for (const { fence, then } of bench.sent) {
      expect(fence).toEqual(bench.leadership.fence)
      expect(then.at(-1)).toMatchObject({ op: 'put', key: 'turn' })
    }
    expect(new Set(bench.sent.map(({ then }) => JSON.stringify(then.at(-1)))).size).toBe(2)
    expect(await stored(bench, 'b')).toBe('b')
  })

  it('of nothing writes nothing', async () => {
    const bench = await open()
    await bench.committer.commit([])
    expect(bench.sent).toEqual([])
  })

  it('of more operations than fit is cut, in order, and none is lost', async () => {
    const bench = await open()
    const ops = Array.from({ length: 500 }, (_, index) => put(`k/${String(index).padStart(3, '0')}`, String(index)))
    await bench.committer.commit(ops)
    expect(bench.sent.map(({ then }) => then.length)).toEqual([128, 128, 128, 120])
    expect(bench.sent.flatMap(({ then }) => then.slice(0, -1))).toEqual(ops)
    expect((await bench.store.list('k/')).items).toHaveLength(500)
  })

  it('of more bytes than fit is cut too', async () => {
    const bench = await open()
    const ops = Array.from({ length: 12 }, (_, index) => put(`large/${index}`, 'x'.repeat(250_000)))
    await bench.committer.commit(ops)
    expect(bench.sent.length).toBeGreaterThan(2)
    expect((await bench.store.list('large/')).items).toHaveLength(12)
  })
})

describe('a reply that is lost', () => {
  it.each<[string, Fate[], number]>([
    ['the turn was applied: it is not sent again', ['ReplyLost'], 1],
    ['the turn was not applied: it is sent again', ['RequestLost'], 2],
    ['again and again', ['RequestLost', 'RequestLost', 'ReplyLost'], 3],
  ])('%s', async (_, fates, sent) => {
    const bench = await open(fates)
    await bench.committer.commit([put('a', '1')])
    expect(bench.sent).toHaveLength(sent)
    expect(await stored(bench, 'a')).toBe('1')
    await bench.committer.commit([put('a', '2')])
    expect(await stored(bench, 'a')).toBe('2')
  })

  it('in the middle of a cut turn: the rest follows', async () => {
    const bench = await open(['ReplyLost', 'RequestLost'])
    await bench.committer.commit(Array.from({ length: 300 }, (_, index) => put(`k/${index}`)))
    expect((await bench.store.list('k/')).items).toHaveLength(300)
  })

  it('L2: a request that was only late changes nothing when it arrives', async () => {
    const bench = await open(['Delayed'])
    await bench.committer.commit([put('a', '1')])
    await bench.committer.commit([put('a', '2')])
    expect(await bench.arrive()).toEqual([{ status: 'Conflict', failed: 'compare' }])
    expect(await stored(bench, 'a')).toBe('2')
    await bench.committer.commit([put('a', '3')])
    expect(await stored(bench, 'a')).toBe('3')
  })

  it('with the leadership: nobody can know any more, so it steps back', async () => {
    const bench = await open(['ReplyLostAndLeaderGone'])
    await expect(bench.committer.commit([put('a')])).rejects.toThrow(DemotedError)
  })

  it('while the store stays away: it asks until its leadership runs out, and no longer', async () => {
    const clock = createFakeClock()
    const faults = { unreachable: false, losesReplies: false }
    const store = createMemoryCluster({ clock, ttlMs: 3000 }).connect(faults)
    const leadership = await store.campaign('leader', { signal: new AbortController().signal })
    const committer = await Committer.open(store, leadership, clock)
    faults.unreachable = true
    const commit = committer.commit([put('a')]).then(
      () => 'committed',
      (error: unknown) => error,
    )
    await clock.advance(30_000)
    expect(await commit).toBeInstanceOf(DemotedError)
    await leadership.resign()
    expect(clock.sleeping).toBe(0)
  })
})

describe('another leader', () => {
  it('has taken over: the old one is told so, and nothing of it is written', async () => {
    const bench = await open()
    await bench.committer.commit([put('a', 'old')])
    await bench.leadership.resign()
    const next = await bench.store.campaign('leader', { signal: new AbortController().signal })
    const successor = await Committer.open(bench.store, next, bench.clock)
    await expect(bench.committer.commit([put('a', 'late')])).rejects.toThrow(DemotedError)
    await successor.commit([put('a', 'new')])
    await expect(bench.committer.commit([put('a', 'later')])).rejects.toThrow(DemotedError)
    expect(await stored(bench, 'a')).toBe('new')
    await next.resign()
  })

  it('of the same process goes on from the marker that the one before left', async () => {
    const bench = await open(['ReplyLostAndLeaderGone'])
    await expect(bench.committer.commit([put('a', 'unknown')])).rejects.toThrow(DemotedError)
    const next = await bench.store.campaign('leader', { signal: new AbortController().signal })
    const successor = await Committer.open(bench.store, next, bench.clock)
    await successor.commit([put('b')])
    expect([await stored(bench, 'a'), await stored(bench, 'b')]).toEqual(['unknown', 'b'])
    await next.resign()
  })

  it('somebody else who moved the marker is a reason to step back', async () => {
    const bench = await open()
    await bench.committer.commit([put('a')])
    await bench.store.txn({ if: [], then: [put('turn', 'not mine')], fence: null })
    await expect(bench.committer.commit([put('a', 'again')])).rejects.toThrow(DemotedError)
    expect(await stored(bench, 'a')).toBe('a')
  })
})
