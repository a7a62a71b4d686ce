import { RetryableError } from '../../src/lib/errors.ts'
import type { Millis } from '../../src/model/ids.ts'
import type { MemoryCluster, MemoryFaults } from '../../src/store/memory.ts'
import type { Leadership, Store, Txn, TxnResult } from '../../src/store/store.ts'
import type { Incarnation } from './incarnation.ts'

/** How long a client waits for an answer, as with etcd. */
const DEADLINE_MS = 3000

/** Chances of what may happen to one transaction, and the state of the way to the store. */
export interface StoreFaults {
  unreachable: boolean
  maxDelayMs: Millis
  /** Applied, but nobody is told. */
  loseReply: number
  /** Nobody is told, and it is applied up to 30 s later, whoever leads by then. */
  arriveLate: number
  conflict: number
  /** The process dies just after a transaction of its own was applied. */
  crashAtCommit: boolean
}

export const noStoreFaults = (): StoreFaults => ({
  unreachable: false,
  maxDelayMs: 10,
  loseReply: 0,
  arriveLate: 0,
  conflict: 0,
  crashAtCommit: false,
})

interface StoreObserver {
  /** A transaction was applied; `sentAt` is when its writer decided it. */
  committed(by: Incarnation, txn: Txn, sentAt: Millis): void
}

export interface SimStoreOptions {
  readonly cluster: MemoryCluster
  /** A client of it that never fails: what was sent arrives although its sender is dead. */
  readonly wire: Store
  readonly faults: StoreFaults
  readonly observer: StoreObserver
}

/** One process's way to the shared store: latency, lost replies, partitions. The store itself is the product's. */
export function createSimStore(by: Incarnation, options: SimStoreOptions): Store {
  const { cluster, faults, observer } = options
  const reach: MemoryFaults = {
    get unreachable() {
      return !by.alive || faults.unreachable || by.pausedUntil > by.scheduler.now
    },
    losesReplies: false,
  }
  const inner = cluster.connect(reach, by.clock)
  const dead = new AbortController()
  by.onCrash(() => dead.abort(new Error('crashed')))
  /** A transaction that is sent again was decided when it was sent first. */
  const decidedAt = new WeakMap<Txn, Millis>()
  const latency = () => by.rng.int(1, faults.maxDelayMs)

  const read = async <T>(label: string, effect: () => Promise<T>): Promise<T> => {
    if (faults.unreachable) {
      await by.later(DEADLINE_MS, `store ${label} times out`)
      throw new RetryableError('the store cannot be reached')
    }
    return by.io(`store ${label}`, effect, latency)
  }
  const apply = async (request: Txn, sentAt: Millis): Promise<TxnResult> => {
    const result = await options.wire.txn(request)
    if (result.status === 'Committed') observer.committed(by, request, sentAt)
    return result
  }
  const noReply = async (): Promise<TxnResult> => {
    await by.later(DEADLINE_MS, 'store gives no reply')
    return { status: 'Unknown', cause: new RetryableError('no reply from the store') }
  }
  return {
    list: (prefix) => read('list', () => inner.list(prefix)),
    get: (key) => read('get', () => inner.get(key)),
    async txn(request) {
      const sentAt = decidedAt.get(request) ?? by.clock.now()
      decidedAt.set(request, sentAt)
      if (faults.unreachable) return noReply()
      if (by.rng.chance(faults.conflict)) return { status: 'Conflict', failed: 'compare' }
      if (by.rng.chance(faults.arriveLate)) {
        const late = () => void apply(request, sentAt)
        by.scheduler.after(by.rng.int(1, 30_000), `${by.name} store txn arrives late`, { owner: null, run: late })
        return noReply()
      }
      const result = by.io('store txn', () => apply(request, sentAt), latency)
      return by.rng.chance(faults.loseReply) ? noReply() : result
    },
    watch: (prefix, watch) => inner.watch(prefix, watch),
    campaign: (name, campaign) => campaignFor({ by, inner, dead: dead.signal }, name, campaign),
    close: () => inner.close(),
  }
}

interface Campaign {
  readonly by: Incarnation
  readonly inner: Store
  readonly dead: AbortSignal
}

function campaignFor({ by, inner, dead }: Campaign, name: string, options: { signal: AbortSignal; value?: string }): Promise<Leadership> {
  return new Promise((resolve, reject) => {
    const answer = (settle: () => void) => by.scheduler.after(by.rng.int(1, 10), `${by.name} campaign answered`, { owner: by, run: settle })
    inner.campaign(name, { ...options, signal: AbortSignal.any([options.signal, dead]) }).then(
      (leadership) => {
        const own = ownLeadership(by, leadership)
        answer(() => resolve(own))
      },
      (error: unknown) => answer(() => reject(error)),
    )
  })
}

/** The same leadership, whose end reaches only a process that lives and runs. */
function ownLeadership(by: Incarnation, inner: Leadership): Leadership {
  const ended = new AbortController()
  const end = () => by.scheduler.after(0, `${by.name} leadership ended`, { owner: by, run: () => ended.abort(inner.signal.reason) })
  if (inner.signal.aborted) end()
  else inner.signal.addEventListener('abort', end, { once: true })
  return {
    fence: inner.fence,
    validUntil: () => inner.validUntil(),
    signal: ended.signal,
    resign: () =>
      by.io(
        'resign',
        () => inner.resign(),
        () => by.rng.int(1, 10),
      ),
  }
}
