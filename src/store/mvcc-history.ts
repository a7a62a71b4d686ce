import type { Commit } from './mvcc-txn.ts'
import { CompactedError, type StoreEvent } from './store.ts'

/** One committed revision as watchers see it. */
export interface Revision {
  readonly revision: number
  readonly events: readonly StoreEvent[]
}

/** Bounds of the history kept for watchers; a slower watcher lists again. */
export interface HistoryLimits {
  readonly revisions: number
  readonly bytes: number
}

/** Minutes of a busy control plane, and little memory. */
export const DEFAULT_HISTORY: HistoryLimits = { revisions: 10_000, bytes: 32 * 1024 * 1024 }

/** Most revisions handed to a watcher at once. */
const WATCH_BATCH = 1000

/** The revisions (compacted, newest], without a gap. */
export class History {
  #revisions: Revision[] = []
  #bytes = 0
  #compacted: number

  constructor(compacted: number, revisions: readonly Revision[]) {
    this.#compacted = compacted
    for (const revision of revisions) this.push(revision)
  }

  get compacted(): number {
    return this.#compacted
  }

  get newest(): number {
    return this.#compacted + this.#revisions.length
  }

  push(revision: Revision): void {
    this.#revisions.push(revision)
    this.#bytes += sizeOf(revision)
  }

  /**
   * Events under `prefix` of some whole revisions from `from` on, and where to go on.
   * @throws CompactedError when `from` is gone, or is further in the future than the next revision.
   */
  since(from: number, prefix: string): { events: StoreEvent[]; next: number } {
    if (from <= this.#compacted || from > this.newest + 1) {
      throw new CompactedError(`cannot watch from revision ${from}: history is (${this.#compacted}, ${this.newest}]`)
    }
    const start = from - this.#compacted - 1
    const revisions = this.#revisions.slice(start, start + WATCH_BATCH)
    return { events: revisions.flatMap(({ events }) => events.filter(({ key }) => key.startsWith(prefix))), next: from + revisions.length }
  }

  /** Forgets up to `revision`, inclusive. */
  compact(revision: number): void {
    const count = Math.max(0, Math.min(revision, this.newest) - this.#compacted)
    const dropped = this.#revisions.slice(0, count)
    this.#revisions = this.#revisions.slice(count)
    this.#bytes -= dropped.reduce((sum, item) => sum + sizeOf(item), 0)
    this.#compacted += count
  }

  /** Compacts once a limit is passed by a tenth, because each compaction copies what stays. */
  trim(limits: HistoryLimits): void {
    if (this.#revisions.length <= limits.revisions * 1.1 && this.#bytes <= limits.bytes * 1.1) return
    const excess = this.#revisions.length - limits.revisions
    let bytes = this.#bytes
    const kept = this.#revisions.findIndex((item, index) => {
      if (index >= excess && bytes <= limits.bytes) return true
      bytes -= sizeOf(item)
      return false
    })
    this.compact(this.#compacted + (kept === -1 ? this.#revisions.length : kept))
  }
}

const sizeOf = ({ events }: Revision): number => events.reduce((sum, { key, value }) => sum + key.length + value.length, 0)

export function revisionOf({ revision, changes }: Commit): Revision {
  const events = [...changes].map(([key, entry]): StoreEvent => {
    const type = entry === null ? 'delete' : 'put'
    return { type, key, value: entry?.value ?? '', revision: String(revision) }
  })
  return { revision, events }
}
