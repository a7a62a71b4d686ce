import type { Clock } from '../../lib/clock.ts'
import type { Millis } from '../../model/ids.ts'
import { TURN_KEY } from '../../store/keys.ts'
import { groupOps } from '../../store/limits.ts'
import { type Leadership, MAX_OPS, type Op, type Store, StoreReadOnlyError, type Txn, type TxnResult } from '../../store/store.ts'

/** One op of each transaction marks the turn, so that an unknown outcome can be read back. */
const OPS_PER_TXN = MAX_OPS - 1
const READ_BACK_EVERY_MS = 200
const FULL_STORE_ASKED_EVERY_MS = 1000

/** This process leads no more: whatever it holds in memory is void. */
export class DemotedError extends Error {
  override name = 'DemotedError'
}

/**
 * Commits in order, at most `MAX_OPS` a transaction, each fenced by the epoch and guarded by the turn marker:
 * a request whose reply was lost can arrive late without harm, for the marker has moved on by then.
 */
export class Committer {
  readonly #store: Store
  readonly #clock: Clock
  readonly #leadership: Leadership
  #marker: string
  #turn = 0

  private constructor(store: Store, leadership: Leadership, options: { clock: Clock; marker: string }) {
    this.#store = store
    this.#leadership = leadership
    this.#clock = options.clock
    this.#marker = options.marker
  }

  static async open(store: Store, leadership: Leadership, clock: Clock): Promise<Committer> {
    const item = await store.get(TURN_KEY)
    return new Committer(store, leadership, { clock, marker: item?.revision ?? '0' })
  }

  /**
   * A store that takes no writes is asked again until it does: leading on costs nothing, and a lead that is given up
   * could not be taken again. `refused` is told each time, and may throw to give up.
   * @throws DemotedError when the fence no longer holds or leadership ran out before the outcome was known.
   */
  async commit(ops: readonly Op[], refused: (error: StoreReadOnlyError) => void = () => undefined): Promise<void> {
    for (const group of groupOps(ops, OPS_PER_TXN)) await this.#commitOne(group, refused)
  }

  async #commitOne(ops: readonly Op[], refused: (error: StoreReadOnlyError) => void): Promise<void> {
    const value = JSON.stringify({ epoch: this.#leadership.fence.epoch, turn: ++this.#turn })
    const txn: Txn = {
      if: [{ key: TURN_KEY, revision: this.#marker }],
      then: [...ops, { op: 'put', key: TURN_KEY, value }],
      fence: this.#leadership.fence,
    }
    for (;;) {
      this.#assertLeads('leadership ran out before the turn was written')
      const result = await this.#send(txn, refused)
      if (result.status === 'Committed') {
        this.#marker = result.revision
        return
      }
      if (result.status === 'Conflict' && result.failed === 'fence') throw new DemotedError('another process leads')
      const marker = await this.#readMarker()
      if (marker.value === value) {
        this.#marker = marker.revision
        return
      }
      if (marker.revision !== this.#marker) throw new DemotedError('another process wrote a turn')
      if (result.status === 'Conflict') throw new DemotedError('the turn marker refused an unchanged turn')
    }
  }

  async #send(txn: Txn, refused: (error: StoreReadOnlyError) => void): Promise<TxnResult> {
    for (;;) {
      try {
        return await this.#store.txn(txn)
      } catch (error) {
        if (!(error instanceof StoreReadOnlyError)) throw error
        refused(error)
        await this.#pause(FULL_STORE_ASKED_EVERY_MS, error)
        this.#assertLeads('leadership ran out while the store took no writes')
      }
    }
  }

  /** @throws DemotedError when leadership ends. */
  async #pause(ms: Millis, cause: unknown): Promise<void> {
    await this.#clock.sleep(ms, this.#leadership.signal).catch(() => {
      throw new DemotedError('leadership ended while the store was away or full', { cause })
    })
  }

  /** The fence would refuse a late write too; here it is not even sent. */
  #assertLeads(otherwise: string): void {
    if (this.#leadership.signal.aborted || this.#clock.monotonic() >= this.#leadership.validUntil()) throw new DemotedError(otherwise)
  }

  /** Asks until the store answers; the outcome of a write must be known before the next is decided. */
  async #readMarker(): Promise<{ value: string; revision: string }> {
    for (;;) {
      this.#assertLeads('leadership ran out while the outcome of a write was unknown')
      try {
        const item = await this.#store.get(TURN_KEY)
        return { value: item?.value ?? '', revision: item?.revision ?? '0' }
      } catch (cause) {
        await this.#pause(READ_BACK_EVERY_MS, cause)
      }
    }
  }
}
