import { canonicalJson } from '../../../src/lib/canonical.ts'
import type { RecordOf, Table } from '../../../src/model/records.ts'
import { type AttemptRecord, TERMINAL } from '../../../src/model/task.ts'
import { parseRecordKey } from '../../../src/store/keys.ts'
import type { Findings } from './findings.ts'
import type { StoredChange } from './history.ts'

const LEADER = 'leader'

/** One election. Monotonic milliseconds of this process, which is told at once. */
export interface Term {
  readonly electedAt: number
  /** Of the first write; null before it. */
  actedAt: number | null
}

/** Judges the history of the store change by change, and knows what is in it now. */
export class HistoryChecks {
  /** Oldest first. */
  readonly terms: Term[] = []
  /** Number of the newest leader; 0 while nobody leads. */
  epoch = 0
  #highest = 0
  readonly #findings: Findings
  readonly #tables = new Map<Table, Map<string, unknown>>()
  /** The one end of each attempt, by `task attempt`. */
  readonly #ends = new Map<string, AttemptRecord>()
  /** The run of each nominal time of a CronJob. */
  readonly #slots = new Map<string, string>()

  constructor(findings: Findings) {
    this.#findings = findings
  }

  table<T extends Table>(table: T): ReadonlyMap<string, RecordOf<T>> {
    return (this.#tables.get(table) ?? new Map()) as ReadonlyMap<string, RecordOf<T>>
  }

  readonly endOf = (task: string, attempt: number): AttemptRecord | undefined => this.#ends.get(`${task} ${attempt}`)

  see(change: StoredChange): void {
    if (change.key === LEADER) {
      this.#leads(change)
      return
    }
    const place = parseRecordKey(change.key)
    if (place === null) return
    // The founder makes the authority before anybody can lead: with create-if-absent, so only once.
    const founds = place.table === 'authorities' && change.createRevision === change.revision && this.#highest === 0
    if (this.epoch === 0 && !founds) this.#report('EpochNeverFalls', `${change.key} was written at ${change.revision} while nobody led`)
    const term = this.terms.at(-1)
    if (term !== undefined) term.actedAt ??= performance.now()
    const table = this.#tables.get(place.table) ?? new Map<string, unknown>()
    this.#tables.set(place.table, table)
    const before = table.get(place.id)
    const after: unknown = change.value === null ? undefined : JSON.parse(change.value)
    if (after === undefined) table.delete(place.id)
    else table.set(place.id, after)
    this.#judge(place, before, after)
  }

  #leads({ value, revision, createRevision }: StoredChange): void {
    if (value === null) {
      this.epoch = 0
      return
    }
    if (createRevision === this.epoch) return
    if (createRevision <= this.#highest || createRevision !== revision)
      this.#report('EpochNeverFalls', `epoch ${createRevision} came after epoch ${this.#highest}`)
    this.#highest = createRevision
    this.epoch = createRevision
    this.terms.push({ electedAt: performance.now(), actedAt: null })
  }

  #judge({ table, id }: { table: Table; id: string }, before: unknown, after: unknown): void {
    if (after === undefined) return
    if (table === 'observed') this.#observed(id, before as RecordOf<'observed'> | undefined, after as RecordOf<'observed'>)
    if (table === 'tasks' && before !== undefined) this.#task(id, before as RecordOf<'tasks'>, after as RecordOf<'tasks'>)
    if (table === 'runs') this.#run(id, before as RecordOf<'runs'> | undefined, after as RecordOf<'runs'>)
  }

  #observed(id: string, before: RecordOf<'observed'> | undefined, after: RecordOf<'observed'>): void {
    for (const record of after.attempts) this.#end(`${id} ${record.attempt}`, record)
    if (before === undefined) return
    if (TERMINAL.has(before.phase) && after.phase !== before.phase)
      this.#report('TerminalIsFinal', `${id} was ${before.phase} and became ${after.phase}`)
    if (after.attempt < before.attempt) this.#report('AttemptsGrow', `${id} went from attempt ${before.attempt} to ${after.attempt}`)
  }

  #end(attempt: string, record: AttemptRecord): void {
    const known = this.#ends.get(attempt)
    if (known !== undefined && canonicalJson(known) !== canonicalJson(record))
      this.#report('OneTerminalRecord', `${attempt} ended as ${canonicalJson(known)}, then as ${canonicalJson(record)}`)
    this.#ends.set(attempt, record)
  }

  #task(id: string, before: RecordOf<'tasks'>, after: RecordOf<'tasks'>): void {
    if (before.desired === 'stop' && after.desired === 'run') this.#report('DesiredForward', `${id} would run again`)
    if (before.agent !== null && before.agent !== after.agent)
      this.#report('PlacedOnce', `${id} moved from ${before.agent} to ${after.agent}`)
    if (after.generation < before.generation) this.#report('DesiredForward', `${id} is of an older generation`)
  }

  #run(id: string, before: RecordOf<'runs'> | undefined, after: RecordOf<'runs'>): void {
    for (const { task, index: _, ...record } of after.attempts) this.#end(`${task} ${record.attempt}`, record)
    if (before !== undefined && ['Succeeded', 'Failed'].includes(before.phase) && before.phase !== after.phase)
      this.#report('RunEndsOnce', `run ${id} was ${before.phase} and became ${after.phase}`)
    if (after.slot === null || after.trigger !== 'Schedule') return
    const slot = `${after.workload} ${new Date(after.slot).toISOString()}`
    const known = this.#slots.get(slot)
    if (known !== undefined && known !== id) this.#report('OneRunASlot', `${slot} ran as ${known} and as ${id}`)
    this.#slots.set(slot, id)
  }

  #report(rule: string, message: string): void {
    this.#findings.report(rule, message)
  }
}
