import type { CronJobSpec } from '../../../../src/model/batch.ts'
import type { Run } from '../../../../src/model/records.ts'
import type { Op } from '../../../../src/store/store.ts'
import { runsIn } from './run-oracle.ts'
import { countSlots, type Schedule, slotAfter, slotBefore } from './slots.ts'
import type { Look, Oracle } from './world.ts'

/** What is known of a schedule: all slots up to `through` are decided. */
interface Progress {
  readonly schedule: Schedule
  readonly through: number
  readonly missed: number
  readonly lastMissed: number | null
  /** Whether slots that lie before one that starts are missed by that. */
  readonly order: 'Latest' | 'All'
  readonly wanted: boolean
}

/** Runs that may be under way where each slot is to run and they may overlap. */
const AT_ONCE = 10

/** Decides slot by slot which of them run, from what the README promises, and holds each look to it. */
export class CronOracle implements Oracle {
  readonly broken: string[] = []
  started = 0
  #durable = new Map<string, Progress>()
  #view = new Map<string, Progress>()
  /** Every slot that ever ran. */
  readonly #ran = new Map<string, Set<number>>()
  #running = new Map<string, number[]>()

  look({ state, writes, now }: Look): void {
    if (state.version.kind !== 'CronJob' || state.version.spec.schedule === undefined) return
    const { key } = state.record
    const { spec } = state.version
    const before = this.#progress(state, spec)
    if (!state.record.wanted) {
      if (writes.some(({ table, value }) => table === 'workloads' && value === null)) this.#view.delete(key)
      else this.#view.set(key, { ...(this.#view.get(key) ?? before), wanted: false })
      return
    }
    const after = new Map([...state.runs, ...runsIn(writes)].map((run) => [run.id, run]))
    const open = state.runs.filter(({ id, finishedAt }) => finishedAt === null && isOpen(after.get(id)))
    const expected = decide(before, { spec, open: open.length, met: state.unmet.length === 0, now })
    const known = new Set(state.runs.map(({ id }) => id))
    const begun = runsIn(writes).filter(({ id, trigger }) => trigger === 'Schedule' && !known.has(id))
    const slots = begun.map(({ slot }) => slot ?? Number.NaN)
    if (JSON.stringify(slots) !== JSON.stringify(expected.start))
      this.#wrong(key, now, `starts ${told(slots)} instead of ${told(expected.start)}`)
    if (spec.concurrencyPolicy === 'Replace' && begun.length > 0)
      for (const run of open)
        if (after.get(run.id)?.reason !== 'Replaced') this.#wrong(key, now, `${run.id} goes on beside what replaces it`)
    for (const before of state.runs) if (before.finishedAt === null) this.#checkReturn(before, after.get(before.id), { state, writes, now })
    this.#checkMark(key, { state, writes, now }, expected.progress)
    this.#view.set(key, expected.progress)
    this.#running.set(key, [...(this.#running.get(key) ?? []), ...slots])
  }

  #progress({ record }: Look['state'], spec: CronJobSpec): Progress {
    const schedule = spec.schedule as Schedule
    const order = spec.missedRuns === 'RunAll' ? ('All' as const) : ('Latest' as const)
    const known = this.#view.get(record.key)
    const ran = Math.max(...(this.#ran.get(record.key) ?? [0]))
    if (known === undefined) return { schedule, order, through: Math.max(record.createdAt, ran), missed: 0, lastMissed: null, wanted: true }
    const isSame = known.schedule === schedule && known.wanted
    return { ...known, schedule, order, wanted: true, through: isSame ? known.through : Math.max(known.through, record.updatedAt) }
  }

  /** What was rolled back ends with that, and nothing else does. */
  #checkReturn({ id, templateDigest }: Run, after: Run | undefined, { state: { record }, now }: Look): void {
    const isBack = record.intent === 'Restore' && templateDigest !== record.templateDigest
    if (isBack !== (after?.reason === 'RolledBack'))
      this.#wrong(record.key, now, `${id} is ${after?.reason ?? after?.phase} under ${record.intent}`)
  }

  #checkMark(key: string, { state, writes, now }: Look, expected: Progress): void {
    const written = writes.find((write) => write.table === 'schedules')
    const mark = written?.table === 'schedules' ? written.value : state.cron?.state
    if (mark == null) {
      this.#wrong(key, now, 'has no mark')
      return
    }
    if (mark.missed !== expected.missed || mark.lastMissed !== expected.lastMissed)
      this.#wrong(
        key,
        now,
        `missed ${mark.missed}, last ${told([mark.lastMissed])} instead of ${expected.missed}, ${told([expected.lastMissed])}`,
      )
    const [low, high] = [Math.min(mark.through, expected.through), Math.max(mark.through, expected.through)]
    if (countSlots(expected.schedule, low, high) > 0)
      this.#wrong(key, now, `is decided up to ${told([mark.through])} instead of ${told([expected.through])}`)
  }

  commit(ops: readonly Op[], how: 'Whole' | 'Cut'): void {
    const whole = this.#view
    if (how === 'Cut') this.#view = new Map(this.#durable)
    for (const op of ops) {
      const [table, ...rest] = op.key.split('/')
      const key = rest.join('/')
      if (op.op === 'put' && table === 'runs') this.#runsSlot(JSON.parse(op.value) as Run, how)
      if (table === 'schedules' || table === 'workloads') this.#settle(op, { table, key, progress: whole.get(key), how })
    }
    this.#durable = new Map(this.#view)
    this.#running = new Map()
  }

  #settle(
    op: Op,
    { table, key, progress, how }: { table: string; key: string; progress: Progress | undefined; how: 'Whole' | 'Cut' },
  ): void {
    if (how === 'Whole') return
    if (op.op === 'delete' && table === 'workloads') this.#view.delete(key)
    if (op.op !== 'put' || table !== 'schedules' || progress === undefined) return
    this.#view.set(key, progress)
    const lost = (this.#running.get(key) ?? []).filter((slot) => !this.#ran.get(key)?.has(slot))
    if (lost.length > 0) this.broken.push(`${key}: ${told(lost)} count as decided, and their runs are lost`)
  }

  #runsSlot({ workload, slot, trigger, id }: Run, how: 'Whole' | 'Cut'): void {
    if (trigger !== 'Schedule' || slot === null) return
    const ran = this.#ran.get(workload) ?? new Set()
    const isNew = this.#running.get(workload)?.includes(slot) === true
    if (isNew && ran.has(slot)) this.broken.push(`${id} runs slot ${told([slot])} again`)
    if (isNew) this.started += 1
    this.#ran.set(workload, ran.add(slot))
    const progress = this.#view.get(workload)
    if (how === 'Cut' && isNew && progress !== undefined) this.#view.set(workload, begun(progress, slot))
  }

  #wrong(key: string, now: number, what: string): void {
    this.broken.push(`${new Date(now).toISOString()} ${key} ${what}`)
  }
}

const told = (slots: readonly (number | null)[]): string =>
  `[${slots.map((slot) => (slot === null ? 'none' : new Date(slot).toISOString())).join(', ')}]`

const isOpen = (run: Run | undefined): boolean => run !== undefined && (run.finishedAt === null || run.reason === 'Replaced')

/** All that wait up to a slot, without it, are missed. */
function missedBefore(progress: Progress, slot: number): Progress {
  const { schedule, through, missed } = progress
  const count = countSlots(schedule, through, slot - 1)
  const last = slotBefore(schedule, slot - 1)
  return count === 0 ? progress : { ...progress, through: last, missed: missed + count, lastMissed: last }
}

function begun(progress: Progress, slot: number): Progress {
  if (slot <= progress.through) return progress
  return { ...(progress.order === 'All' ? progress : missedBefore(progress, slot)), through: slot }
}

interface Moment {
  readonly spec: CronJobSpec
  readonly open: number
  readonly met: boolean
  readonly now: number
}

function decide(given: Progress, { spec, open, met, now }: Moment): { start: number[]; progress: Progress } {
  if (spec.suspend) return { start: [], progress: { ...given, through: Math.max(given.through, slotBefore(given.schedule, now)) } }
  const late = spec.startingDeadlineSeconds ?? (spec.missedRuns === 'Skip' ? 60 : null)
  let progress = late === null ? given : missedBefore(given, now - late * 1000)
  const start: number[] = []
  const may = (): boolean => {
    if (!met) return false
    if (spec.concurrencyPolicy === 'Forbid') return open + start.length === 0
    return spec.concurrencyPolicy === 'Replace' || spec.missedRuns !== 'RunAll' || open + start.length < AT_ONCE
  }
  while (countSlots(progress.schedule, progress.through, now) > 0 && may()) {
    const slot = spec.missedRuns === 'RunAll' ? slotAfter(progress.schedule, progress.through) : slotBefore(progress.schedule, now)
    progress = begun(progress, slot)
    start.push(slot)
  }
  return { start, progress }
}
