import { History, type HistoryLimits, type Revision, revisionOf } from './mvcc-history.ts'
import { type Commit, type Entry, evaluateTxn } from './mvcc-txn.ts'
import type { Item, Listing, StoreEvent, Txn, TxnResult } from './store.ts'

export interface MvccState {
  readonly entries: Iterable<readonly [string, Entry]>
  /** Every revision after `compacted`, without a gap. */
  readonly history: readonly Revision[]
  readonly compacted: number
}

/** Like etcd, an empty store is at revision 1. */
export const EMPTY_STATE: MvccState = { entries: [], history: [], compacted: 1 }

/**
 * Current values and recent history of a whole store in memory, changed by whole commits only.
 * Keys are kept by their first path segment, so listing one table costs only that table.
 */
export class Mvcc {
  readonly #tables = new Map<string, Map<string, Entry>>()
  readonly #history: History
  readonly #limits: HistoryLimits
  #waiting = new Set<() => void>()

  constructor(state: MvccState, limits: HistoryLimits) {
    for (const [key, entry] of state.entries) this.#set(key, entry)
    this.#history = new History(state.compacted, state.history)
    this.#limits = limits
  }

  get revision(): number {
    return this.#history.newest
  }

  get compacted(): number {
    return this.#history.compacted
  }

  lookup(key: string): Entry | undefined {
    return this.#tables.get(tableOf(key))?.get(key)
  }

  list(prefix: string): Listing {
    const tables = prefix.includes('/') ? [this.#tables.get(tableOf(prefix)) ?? new Map<string, Entry>()] : [...this.#tables.values()]
    const keys = tables.flatMap((table) => [...table.keys()].filter((key) => key.startsWith(prefix))).sort()
    return { items: keys.flatMap((key) => this.get(key) ?? []), revision: String(this.revision) }
  }

  get(key: string): Item | null {
    const entry = this.lookup(key)
    if (entry === undefined) return null
    return { key, value: entry.value, revision: String(entry.revision), createRevision: String(entry.createRevision) }
  }

  /** Transactions decided one after another on top of this state, not yet part of it. */
  draft(): Draft {
    return new Draft(this)
  }

  apply(commits: readonly Commit[]): void {
    for (const commit of commits) {
      for (const [key, entry] of commit.changes) this.#set(key, entry)
      this.#history.push(revisionOf(commit))
    }
    this.#history.trim(this.#limits)
    const waiting = this.#waiting
    this.#waiting = new Set()
    for (const wake of waiting) wake()
  }

  /** Forgets history up to `revision`, inclusive. */
  compact(revision: number): void {
    this.#history.compact(revision)
  }

  /** See `History.since`. */
  since(from: number, prefix: string): { events: StoreEvent[]; next: number } {
    return this.#history.since(from, prefix)
  }

  /** Resolves at the next commit, or when the signal aborts. */
  async changed(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    await new Promise<void>((resolve) => {
      const done = () => {
        signal.removeEventListener('abort', done)
        this.#waiting.delete(done)
        resolve()
      }
      signal.addEventListener('abort', done, { once: true })
      this.#waiting.add(done)
    })
  }

  #set(key: string, entry: Entry | null): void {
    const name = tableOf(key)
    const table = this.#tables.get(name) ?? new Map<string, Entry>()
    this.#tables.set(name, table)
    if (entry === null) table.delete(key)
    else table.set(key, entry)
  }
}

/** See `Mvcc.draft`. */
export class Draft {
  readonly commits: Commit[] = []
  readonly #base: Mvcc
  readonly #changed = new Map<string, Entry | null>()

  constructor(base: Mvcc) {
    this.#base = base
  }

  /** The result the request has once the draft is applied. */
  run(request: Txn): TxnResult {
    const verdict = evaluateTxn(request, (key) => this.#lookup(key), this.#revision + 1)
    if (verdict.status === 'Conflict') return verdict
    if (verdict.commit.changes.size > 0) this.commits.push(verdict.commit)
    for (const [key, entry] of verdict.commit.changes) this.#changed.set(key, entry)
    return { status: 'Committed', revision: String(this.#revision) }
  }

  get #revision(): number {
    return this.commits.at(-1)?.revision ?? this.#base.revision
  }

  #lookup(key: string): Entry | undefined {
    const changed = this.#changed.get(key)
    return changed === undefined ? this.#base.lookup(key) : (changed ?? undefined)
  }
}

const tableOf = (key: string): string => key.split('/', 1)[0] ?? ''
