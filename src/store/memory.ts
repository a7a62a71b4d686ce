import type { Clock } from '../lib/clock.ts'
import { RetryableError, TerminalError } from '../lib/errors.ts'
import { firstOf, pause } from '../lib/waits.ts'
import type { Millis } from '../model/ids.ts'
import { lead } from './leadership.ts'
import { MemoryBackend, type MemoryOptions } from './memory-backend.ts'
import type { Leadership, OpenedStore, StoreEvent, StoreStatus, Txn, TxnResult } from './store.ts'

/** How long a request to a store that does not answer takes, as with etcd. */
const REQUEST_DEADLINE_MS = 3000
/** How often a client that was cut off looks whether it can reach the store again. */
const RECONNECT_MS = 500

/** Set and cleared by a test at any time, for one client. */
export interface MemoryFaults {
  /** Nothing arrives, in either direction. */
  unreachable: boolean
  /** Transactions are applied, but their results are lost. */
  losesReplies: boolean
}

/** A store shared by many clients, as the servers of a control plane share etcd. */
export interface MemoryCluster {
  /** `clock`: of the client, by which it trusts a lease; the store's own unless it is given. */
  connect(faults?: MemoryFaults, clock?: Clock): OpenedStore
  /** Forgets history up to `revision`, inclusive. */
  compact(revision: string): void
}

/** All in memory and driven by the given clock alone, hence deterministic. */
export function createMemoryCluster(options: MemoryOptions): MemoryCluster {
  const backend = new MemoryBackend(options)
  return {
    connect: (faults = { unreachable: false, losesReplies: false }, clock = backend.clock) => new MemoryStore(backend, faults, clock),
    compact: (revision) => backend.engine.read().compact(Number(revision)),
  }
}

class MemoryStore implements OpenedStore {
  readonly #backend: MemoryBackend
  readonly #faults: MemoryFaults
  readonly #clock: Clock
  readonly #closed = new AbortController()
  readonly #leads = new Set<Leadership>()

  constructor(backend: MemoryBackend, faults: MemoryFaults, clock: Clock) {
    this.#backend = backend
    this.#faults = faults
    this.#clock = clock
  }

  async list(prefix: string) {
    await this.#reach(REQUEST_DEADLINE_MS)
    return this.#backend.engine.read().list(prefix)
  }

  async get(key: string) {
    await this.#reach(REQUEST_DEADLINE_MS)
    return this.#backend.engine.read().get(key)
  }

  async txn(request: Txn): Promise<TxnResult> {
    this.#closed.signal.throwIfAborted()
    if (this.#faults.unreachable) return this.#noReply(REQUEST_DEADLINE_MS)
    await this.#backend.expire()
    const result = await this.#backend.engine.txn(request)
    return this.#faults.losesReplies || this.#faults.unreachable ? this.#noReply(REQUEST_DEADLINE_MS) : result
  }

  async *watch(prefix: string, options: { from: string; signal: AbortSignal }): AsyncGenerator<StoreEvent[]> {
    const signal = AbortSignal.any([options.signal, this.#closed.signal])
    for await (const events of this.#backend.engine.watch(prefix, { from: options.from, signal })) {
      while (this.#faults.unreachable && !signal.aborted) await pause(this.#backend.clock, RECONNECT_MS, signal)
      if (signal.aborted) return
      yield events
    }
  }

  async campaign(name: string, options: { signal: AbortSignal; value?: string }): Promise<Leadership> {
    const signal = AbortSignal.any([options.signal, this.#closed.signal])
    for (;;) {
      signal.throwIfAborted()
      const grantedAt = this.#clock.monotonic()
      const epoch = this.#faults.unreachable ? null : await this.#backend.acquire(name, options.value ?? '')
      if (epoch !== null) return this.#lead({ name, epoch, grantedAt })
      await this.#vacancy(name, signal)
    }
  }

  async close(): Promise<void> {
    this.#closed.abort(new TerminalError('StoreClosed', 'the store is closed'))
    await Promise.all([...this.#leads].map((leadership) => leadership.resign()))
  }

  async status(): Promise<StoreStatus> {
    await this.#reach(REQUEST_DEADLINE_MS)
    return { kind: 'memory', members: [], alarms: [] }
  }

  /** Waits for any commit, or until the present lease may have run out. */
  async #vacancy(name: string, signal: AbortSignal): Promise<void> {
    const { clock, engine } = this.#backend
    const mvcc = engine.read()
    const left = this.#backend.leaseLeft(name) || RECONNECT_MS
    await firstOf(signal, [(either) => mvcc.changed(either), (either) => pause(clock, left, either)])
  }

  #lead({ name, epoch, grantedAt }: { name: string; epoch: number; grantedAt: Millis }): Leadership {
    const backend = this.#backend
    const renew = async (timeoutMs: Millis) => {
      await this.#reach(timeoutMs)
      await backend.renew(name, epoch)
    }
    const release = async () => {
      if (!this.#faults.unreachable) await backend.release(name, epoch)
    }
    const { log, ttlMs } = backend
    const leadership = lead({ fence: { key: name, epoch }, clock: this.#clock, log, ttlMs, grantedAt, renew, release })
    this.#leads.add(leadership)
    leadership.signal.addEventListener('abort', () => this.#leads.delete(leadership), { once: true })
    return leadership
  }

  async #reach(timeoutMs: Millis): Promise<void> {
    this.#closed.signal.throwIfAborted()
    if (this.#faults.unreachable) {
      await pause(this.#backend.clock, timeoutMs, this.#closed.signal)
      throw new RetryableError('the store cannot be reached')
    }
    await this.#backend.expire()
  }

  async #noReply(timeoutMs: Millis): Promise<TxnResult> {
    await pause(this.#backend.clock, timeoutMs, this.#closed.signal)
    return { status: 'Unknown', cause: new RetryableError('no reply from the store') }
  }
}
