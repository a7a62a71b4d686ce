import type { Clock } from '../../lib/clock.ts'
import { messageOf, TerminalError } from '../../lib/errors.ts'
import { type Logger, silentLog } from '../../lib/log.ts'
import { pause } from '../../lib/waits.ts'
import type { Millis } from '../../model/ids.ts'
import { DEFAULT_LEASE_TTL_MS } from '../leadership.ts'
import type { Item, Leadership, Listing, OpenedStore, StoreEvent, StoreStatus, Txn, TxnResult } from '../store.ts'
import { type EtcdAccess, EtcdClient, OPEN_ACCESS } from './client.ts'
import { campaignFor, type ElectionContext } from './election.ts'
import { isOutOfHistory } from './errors.ts'
import { getKeyValue, itemOf, listRange } from './range.ts'
import { etcdStatus } from './status.ts'
import { runTxn } from './txn.ts'
import { watchSafely } from './watch.ts'

/** The leader forgets history older than this, at most twice this; etcd's disk would fill otherwise. */
const HISTORY_KEPT_MS: Millis = 60 * 60 * 1000

export interface EtcdOptions {
  /** `host:port` each. */
  readonly hosts: readonly string[]
  /** Begins and ends with a slash. */
  readonly root: string
  readonly access?: EtcdAccess
  readonly clock: Clock
  readonly ttlMs?: Millis
  readonly log?: Logger
}

/** Connects at the first call. */
export function createEtcdStore(options: EtcdOptions): EtcdStore {
  const { hosts, root, access = OPEN_ACCESS, clock, ttlMs = DEFAULT_LEASE_TTL_MS, log = silentLog } = options
  return new EtcdStore({ client: new EtcdClient(hosts, access, clock), clock, log, root, ttlMs })
}

export class EtcdStore implements OpenedStore {
  readonly #context: ElectionContext
  readonly #closed = new AbortController()
  readonly #leads = new Set<Leadership>()

  constructor(context: ElectionContext) {
    this.#context = context
  }

  async list(prefix: string): Promise<Listing> {
    this.#closed.signal.throwIfAborted()
    return listRange(this.#context.client, this.#context.root, prefix)
  }

  async get(key: string): Promise<Item | null> {
    this.#closed.signal.throwIfAborted()
    const { client, root } = this.#context
    const { kv } = await getKeyValue(client, root + key)
    return kv === null ? null : itemOf(kv, root)
  }

  async txn(request: Txn): Promise<TxnResult> {
    this.#closed.signal.throwIfAborted()
    return runTxn(this.#context.client, this.#context.root, request)
  }

  watch(prefix: string, options: { from: string; signal: AbortSignal }): AsyncIterable<StoreEvent[]> {
    const signal = AbortSignal.any([options.signal, this.#closed.signal])
    return watchSafely(this.#context, { prefix, from: options.from, signal })
  }

  async status(): Promise<StoreStatus> {
    this.#closed.signal.throwIfAborted()
    return etcdStatus(this.#context.client)
  }

  async campaign(name: string, options: { signal: AbortSignal; value?: string }): Promise<Leadership> {
    const signal = AbortSignal.any([options.signal, this.#closed.signal])
    const leadership = await campaignFor(this.#context, { name, value: options.value ?? '', signal })
    this.#leads.add(leadership)
    leadership.signal.addEventListener('abort', () => this.#leads.delete(leadership), { once: true })
    void this.#forgetHistory(leadership.signal)
    return leadership
  }

  /** Watchers first, or etcd3 goes on reconnecting for them; then the leases, so that others need not wait. */
  async close(): Promise<void> {
    if (this.#closed.signal.aborted) return
    this.#closed.abort(new TerminalError('StoreClosed', 'the store is closed'))
    await Promise.all([...this.#leads].map((leadership) => leadership.resign()))
    this.#context.client.close()
  }

  /** Forgets history up to `revision`, inclusive, of the whole etcd; already forgotten is success. */
  async compact(revision: string): Promise<void> {
    try {
      await this.#context.client.once(({ kv }, options) => kv.compact({ revision }, options))
    } catch (error) {
      if (!isOutOfHistory(error)) throw error
    }
  }

  async #forgetHistory(signal: AbortSignal): Promise<void> {
    const { client, clock, log, root } = this.#context
    let old: string | null = null
    while (!signal.aborted) {
      try {
        if (old !== null) await this.compact(old)
        old = (await getKeyValue(client, root)).revision
      } catch (error) {
        log.warn({ error: messageOf(error) }, 'etcd history not compacted')
      }
      await pause(clock, HISTORY_KEPT_MS, signal)
    }
  }
}
