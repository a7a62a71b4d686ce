import { RetryableError } from '../lib/errors.ts'
import { LeaseLostError } from './leadership.ts'
import { openLevelDisk } from './level-disk.ts'
import { LocalEngine } from './local-engine.ts'
import { Mvcc } from './mvcc.ts'
import { DEFAULT_HISTORY, type HistoryLimits } from './mvcc-history.ts'
import type { Leadership, OpenedStore, StoreEvent, StoreStatus, Txn } from './store.ts'

export interface EmbeddedOptions {
  readonly dataDir: string
  readonly history?: HistoryLimits
}

/**
 * A durable store of one process, in `dataDir`.
 * @throws TerminalError `StoreInUse` when another process has it open, `StoreNotOpened` or `StoreFormat`.
 */
export async function openEmbeddedStore({ dataDir, history = DEFAULT_HISTORY }: EmbeddedOptions): Promise<EmbeddedStore> {
  const { disk, state } = await openLevelDisk(dataDir)
  return new EmbeddedStore(new LocalEngine(new Mvcc(state, history), disk))
}

export class EmbeddedStore implements OpenedStore {
  readonly #engine: LocalEngine
  readonly #held = new Set<string>()

  constructor(engine: LocalEngine) {
    this.#engine = engine
  }

  async list(prefix: string) {
    return this.#engine.read().list(prefix)
  }

  async get(key: string) {
    return this.#engine.read().get(key)
  }

  async txn(request: Txn) {
    return this.#engine.txn(request)
  }

  watch(prefix: string, options: { from: string; signal: AbortSignal }): AsyncIterable<StoreEvent[]> {
    return this.#engine.watch(prefix, options)
  }

  /** At once, for no other process can have the store open; a second campaign of this process waits for the first. */
  async campaign(name: string, options: { signal: AbortSignal; value?: string }): Promise<Leadership> {
    const signal = AbortSignal.any([options.signal, this.#engine.ended])
    while (this.#held.has(name) && !signal.aborted) await this.#engine.read().changed(signal)
    signal.throwIfAborted()
    this.#held.add(name)
    try {
      return this.#lead(name, await this.#takeOver(name, options.value ?? ''))
    } catch (error) {
      this.#held.delete(name)
      throw error
    }
  }

  close(): Promise<void> {
    return this.#engine.close()
  }

  async status(): Promise<StoreStatus> {
    this.#engine.read()
    return { kind: 'embedded', members: [], alarms: [] }
  }

  /** Forgets history up to `revision`, inclusive. */
  compact(revision: string): void {
    this.#engine.read().compact(Number(revision))
  }

  /** Creates the key anew, so that the epoch is higher than any before. */
  async #takeOver(name: string, value: string): Promise<number> {
    await this.txn({ if: [], then: [{ op: 'delete', key: name }], fence: null })
    const created = await this.txn({ if: [{ key: name, revision: '0' }], then: [{ op: 'put', key: name, value }], fence: null })
    if (created.status !== 'Committed') throw new RetryableError(`could not take the lead of ${name}`, { cause: created })
    return Number(created.revision)
  }

  #lead(name: string, epoch: number): Leadership {
    const resigned = new AbortController()
    const signal = AbortSignal.any([resigned.signal, this.#engine.ended])
    const fence = { key: name, epoch }
    const resign = async () => {
      if (signal.aborted) return
      resigned.abort(new LeaseLostError('leadership was given up'))
      this.#held.delete(name)
      await this.txn({ if: [], then: [{ op: 'delete', key: name }], fence })
    }
    return { fence, validUntil: () => (signal.aborted ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY), signal, resign }
  }
}
