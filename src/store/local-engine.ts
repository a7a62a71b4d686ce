import { RetryableError, TerminalError } from '../lib/errors.ts'
import { checkTxn } from './limits.ts'
import type { Draft, Mvcc } from './mvcc.ts'
import type { Commit } from './mvcc-txn.ts'
import type { StoreEvent, Txn, TxnResult } from './store.ts'

/** Where commits become durable. */
export interface Disk {
  /** Resolves once all of `commits`, or after a crash none of a torn one, are there. History up to `compacted` may go. */
  write(commits: readonly Commit[], compacted: number): Promise<void>
  close(): Promise<void>
}

/** Transactions of one write at most, so that the first of many need not wait long. */
const MOST_TOGETHER = 200

interface Queued {
  readonly request: Txn
  readonly resolve: (result: TxnResult) => void
}

/**
 * The engine below the memory and the embedded store: transactions that wait together are decided in order,
 * written to disk at once (group commit), and only then seen by readers and watchers.
 * After a failed write it stops for good, because only a restart can tell what is on disk.
 */
export class LocalEngine {
  readonly #mvcc: Mvcc
  readonly #disk: Disk
  readonly #closed = new AbortController()
  readonly #failed = new AbortController()
  /** Aborts when the engine is closed or a write has failed. */
  readonly ended = AbortSignal.any([this.#closed.signal, this.#failed.signal])
  readonly #queue: Queued[] = []
  #flushing: Promise<void> | null = null

  constructor(mvcc: Mvcc, disk: Disk) {
    this.#mvcc = mvcc
    this.#disk = disk
  }

  /** What is committed. @throws when the engine has ended. */
  read(): Mvcc {
    this.ended.throwIfAborted()
    return this.#mvcc
  }

  async txn(request: Txn): Promise<TxnResult> {
    checkTxn(request)
    this.#closed.signal.throwIfAborted()
    return new Promise((resolve) => {
      this.#queue.push({ request, resolve })
      this.#flushing ??= this.#flush()
    })
  }

  /** Ends quietly when the engine is closed, too. */
  async *watch(prefix: string, options: { from: string; signal: AbortSignal }): AsyncGenerator<StoreEvent[]> {
    const signal = AbortSignal.any([options.signal, this.ended])
    let from = Number(options.from)
    while (!signal.aborted) {
      const { events, next } = this.#mvcc.since(from, prefix)
      if (events.length > 0) yield events
      else if (next === from) await this.#mvcc.changed(signal)
      from = next
    }
    if (!options.signal.aborted) this.#failed.signal.throwIfAborted()
  }

  /** Commits what is queued, ends watchers, then closes the disk. */
  async close(): Promise<void> {
    if (this.#closed.signal.aborted) return
    this.#closed.abort(new TerminalError('StoreClosed', 'the store is closed'))
    await this.#flushing
    await this.#disk.close()
  }

  async #flush(): Promise<void> {
    // One turn later, so that transactions sent together share one write.
    await Promise.resolve()
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, MOST_TOGETHER)
      const draft = this.#mvcc.draft()
      const decided = batch.map(({ request, resolve }) => ({ resolve, result: draft.run(request) }))
      await this.#persist(draft)
      const { aborted, reason } = this.#failed.signal
      for (const { resolve, result } of decided) resolve(aborted ? { status: 'Unknown', cause: reason } : result)
    }
    this.#flushing = null
  }

  async #persist(draft: Draft): Promise<void> {
    if (this.#failed.signal.aborted || draft.commits.length === 0) return
    try {
      await this.#disk.write(draft.commits, this.#mvcc.compacted)
      this.#mvcc.apply(draft.commits)
    } catch (cause) {
      this.#failed.abort(new RetryableError('the store failed to write; restart to recover', { cause }))
    }
  }
}
