import type { Clock } from '../lib/clock.ts'
import { type Logger, silentLog } from '../lib/log.ts'
import type { Millis } from '../model/ids.ts'
import { DEFAULT_LEASE_TTL_MS, LeaseLostError } from './leadership.ts'
import { LocalEngine } from './local-engine.ts'
import { EMPTY_STATE, Mvcc } from './mvcc.ts'
import { DEFAULT_HISTORY, type HistoryLimits } from './mvcc-history.ts'
import type { Txn } from './store.ts'

export interface MemoryOptions {
  readonly clock: Clock
  readonly ttlMs?: Millis
  readonly history?: HistoryLimits
  readonly log?: Logger
}

interface Lease {
  readonly epoch: number
  expiresAt: Millis
}

const noDisk = { write: () => Promise.resolve(), close: () => Promise.resolve() }

/** The data and the leases that the clients of one memory store share. */
export class MemoryBackend {
  readonly engine: LocalEngine
  readonly clock: Clock
  readonly log: Logger
  readonly ttlMs: Millis
  readonly #leases = new Map<string, Lease>()

  constructor({ clock, ttlMs, log, history }: MemoryOptions) {
    this.engine = new LocalEngine(new Mvcc(EMPTY_STATE, history ?? DEFAULT_HISTORY), noDisk)
    this.clock = clock
    this.ttlMs = ttlMs ?? DEFAULT_LEASE_TTL_MS
    this.log = log ?? silentLog
  }

  /** Deletes the keys of leases that ran out; called before anything looks. */
  async expire(): Promise<void> {
    const now = this.clock.monotonic()
    const expired = [...this.#leases].filter(([, lease]) => lease.expiresAt <= now)
    await Promise.all(expired.map(([name, lease]) => this.release(name, lease.epoch)))
  }

  /** The epoch, or null when another leads. */
  async acquire(name: string, value: string): Promise<number | null> {
    await this.expire()
    const request: Txn = { if: [{ key: name, revision: '0' }], then: [{ op: 'put', key: name, value }], fence: null }
    const result = await this.engine.txn(request)
    if (result.status !== 'Committed') return null
    this.#leases.set(name, { epoch: Number(result.revision), expiresAt: this.clock.monotonic() + this.ttlMs })
    return Number(result.revision)
  }

  /** @throws LeaseLostError when it ran out or its key was deleted. */
  async renew(name: string, epoch: number): Promise<void> {
    await this.expire()
    const lease = this.#leases.get(name)
    const holds = this.engine.read().lookup(name)?.createRevision === epoch
    if (lease?.epoch !== epoch || !holds) throw new LeaseLostError('lease ran out')
    lease.expiresAt = this.clock.monotonic() + this.ttlMs
  }

  async release(name: string, epoch: number): Promise<void> {
    if (this.#leases.get(name)?.epoch === epoch) this.#leases.delete(name)
    await this.engine.txn({ if: [], then: [{ op: 'delete', key: name }], fence: { key: name, epoch } })
  }

  /** Milliseconds until the present lease can have run out; null when none is held. */
  leaseLeft(name: string): Millis | null {
    const lease = this.#leases.get(name)
    return lease === undefined ? null : Math.max(0, lease.expiresAt - this.clock.monotonic())
  }
}
