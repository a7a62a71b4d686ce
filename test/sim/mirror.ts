import type { TaskState } from '../../src/core/task-state.ts'
import { must } from '../../src/lib/must.ts'
import type { Digest, Millis, WorkloadKey } from '../../src/model/ids.ts'
import type { RecordOf, Table } from '../../src/model/records.ts'
import { TABLES } from '../../src/model/records.ts'
import type { WorkloadVersion } from '../../src/model/version.ts'
import { parseRecordKey } from '../../src/store/keys.ts'
import type { Op } from '../../src/store/store.ts'

export interface Change<T extends Table = Table> {
  readonly table: T
  readonly id: string
  readonly before: RecordOf<T> | undefined
  readonly after: RecordOf<T> | undefined
}

/** The store's tables as its committed transactions made them, kept apart from the product's own memory. */
export class Mirror {
  readonly #tables = new Map<Table, Map<string, RecordOf<Table>>>()
  readonly #blobs = new Map<string, string>()
  readonly #born = new Map<string, Millis>()
  readonly #now: () => Millis

  constructor(now: () => Millis) {
    this.#now = now
    for (const table of Object.keys(TABLES) as Table[]) this.#tables.set(table, new Map())
  }

  table<T extends Table>(table: T): ReadonlyMap<string, RecordOf<T>> {
    return must(this.#tables.get(table), `table ${table}`) as Map<string, RecordOf<Table>> as Map<string, RecordOf<T>>
  }

  /** Applies one transaction and says what it changed. */
  apply(ops: readonly Op[]): Change[] {
    return ops.flatMap((op) => this.#applyOne(op))
  }

  version(digest: Digest): WorkloadVersion | null {
    const text = this.#blobs.get(`blobs/${digest}/0`)
    return text === undefined ? null : (JSON.parse(text) as WorkloadVersion)
  }

  /** When a run was recorded, in virtual time: its own stamp is of a clock that may jump. */
  bornAt(run: string): Millis {
    return this.#born.get(run) ?? 0
  }

  tasksOf(key: WorkloadKey): TaskState[] {
    const observed = this.table('observed')
    return [...this.table('tasks').values()]
      .filter((task) => task.workload === key)
      .map((task) => ({ task, observed: observed.get(task.id) }))
  }

  #applyOne(op: Op): Change[] {
    const place = parseRecordKey(op.key)
    if (place === null) {
      if (op.op === 'put' && op.key.startsWith('blobs/')) this.#blobs.set(op.key, op.value)
      return []
    }
    const table = this.#tables.get(place.table) as Map<string, RecordOf<Table>>
    const before = table.get(place.id)
    const after = op.op === 'put' ? (JSON.parse(op.value) as RecordOf<Table>) : undefined
    if (before === undefined && place.table === 'runs') this.#born.set(place.id, this.#now())
    if (after === undefined) table.delete(place.id)
    else table.set(place.id, after)
    return [{ ...place, before, after }]
  }
}

/** The changes of one table, with its type. */
export function changesOf<T extends Table>(changes: readonly Change[], table: T): Change<T>[] {
  return changes.filter((change): change is Change<T> => change.table === table)
}
