import { byNumber } from '../../core/batch/run-record.ts'
import { countSlots, lastSlot, nextSlot } from '../../core/calendar/calendar.ts'
import type { CronJobSpec } from '../../model/batch.ts'
import type { Calendar } from '../../model/calendar.ts'
import { type Millis, parseWorkloadKey, type WorkloadKey, workloadKey } from '../../model/ids.ts'
import { type Reason, reasonOf } from '../../model/reason.ts'
import type { CronState, Run, WorkloadRecord } from '../../model/records.ts'
import { calendarOf } from '../leader/calendars.ts'
import type { Term } from '../leader/term.ts'
import { iso } from './times.ts'
import { type Line, lineOf } from './why-lines.ts'

/** Why a CronJob starts nothing now beside what its health says: runs that go on, parents, slots that wait or were missed, and the next one. */
export function cronLines(record: WorkloadRecord, term: Term, now: Millis): Line[] {
  const version = term.cluster.version(record.inputsDigest)
  if (version.kind !== 'CronJob') return []
  const { spec } = version
  const active = term.cluster.runsOfWorkload(record.key).filter(({ finishedAt }) => finishedAt === null)
  const own = spec.after === undefined ? slotLines(record.key, spec, { term, now }) : parentLines(record.key, spec.after, term)
  return [...active.sort(byNumber).map((run) => activeLine(run, spec)), ...own]
}

const NEXT: Readonly<Record<CronJobSpec['concurrencyPolicy'], string>> = {
  Allow: 'the next one starts beside it',
  Forbid: 'the next one waits for its end',
  Replace: 'the next one ends it',
}

const activeLine = ({ id, phase }: Run, { concurrencyPolicy: policy }: CronJobSpec): Line =>
  lineOf(`run/${id} ${phase}`, reasonOf('RunUnderWay', `concurrencyPolicy is ${policy}: ${NEXT[policy]}`))

function slotLines(key: WorkloadKey, spec: CronJobSpec, { term, now }: { term: Term; now: Millis }): Line[] {
  const { schedule = '', timeZone, suspend } = spec
  const state = term.cluster.schedules.get(key)
  const calendar = calendarOf(schedule, timeZone)
  if (calendar === null) return [lineOf(key, reasonOf('UnknownTimeZone', `this control plane does not know the time zone ${timeZone}`))]
  const next = suspend ? null : nextSlot(calendar, Math.max(now, state?.through ?? 0))
  return [
    ...(suspend || state === undefined ? [] : waiting(key, spec, { calendar, state, now })),
    ...(state === undefined ? [] : missed(key, spec, state)),
    ...(next === null ? [] : [lineOf(key, reasonOf('NextSlot', `${iso(next)}, of "${schedule}" in ${timeZone}`), next)]),
  ]
}

interface Slots {
  readonly calendar: Calendar
  readonly state: CronState
  readonly now: Millis
}

/** Slots that have come and are not decided: something keeps them from starting. */
function waiting(key: WorkloadKey, { missedRuns }: CronJobSpec, { calendar, state, now }: Slots): Line[] {
  const latest = lastSlot(calendar, { after: state.through, upTo: now })
  if (latest === null) return []
  const count = countSlots(calendar, { after: state.through, upTo: latest })
  return [lineOf(key, reasonOf('SlotWaits', `the latest is ${iso(latest)}; missedRuns is ${missedRuns}`, count))]
}

function missed(key: WorkloadKey, spec: CronJobSpec, { missed: count, lastMissed }: CronState): Line[] {
  if (count === 0 || lastMissed === null) return []
  return [lineOf(key, reasonOf('MissedSlots', `never ran, the latest ${iso(lastMissed)}: ${whyMissed(spec)}`, count))]
}

function whyMissed({ startingDeadlineSeconds: deadline, missedRuns }: CronJobSpec): string {
  if (deadline !== undefined) return `a slot that cannot start within ${deadline} s is missed (startingDeadlineSeconds)`
  if (missedRuns === 'Skip') return 'a slot that cannot start within a minute is missed (missedRuns: Skip)'
  return 'of slots that pass while nothing can start only the latest runs (missedRuns: RunLatest)'
}

/** Of the graph that a parent ran in last: those that keep it from going on. */
function parentLines(key: WorkloadKey, after: readonly string[], { cluster }: Term): Line[] {
  const { namespace } = parseWorkloadKey(key)
  const parents = after.map((name) => ({ name, runs: cluster.runsOfWorkload(workloadKey(namespace, 'CronJob', name)) }))
  const newest = parents
    .flatMap(({ runs }) => runs)
    .sort((a, b) => a.createdAt - b.createdAt)
    .at(-1)
  if (newest === undefined) return [lineOf(key, reasonOf('ParentNotRun', `it starts after ${after.join(', ')}, and none has run yet`))]
  return parents.flatMap(({ name, runs }) => {
    const run = runs
      .filter(({ graph }) => graph === newest.graph)
      .sort(byNumber)
      .at(-1)
    const reason = parentReason(run)
    return reason === null ? [] : [lineOf(`cronjob/${name} in the graph of run/${newest.graph ?? newest.id}`, reason)]
  })
}

function parentReason(run: Run | undefined): Reason | null {
  if (run === undefined) return reasonOf('ParentNotRun', 'has not run in it yet')
  if (run.phase === 'Succeeded') return null
  if (run.phase !== 'Failed') return reasonOf('ParentUnderWay', `run/${run.id} is ${run.phase}`)
  return reasonOf('ParentFailed', `run/${run.id} failed: ${run.reason ?? 'no reason is known'}; \`drover run run/${run.id}\` runs it again`)
}

/** What a failed run keeps from starting in its graph. */
export function heldUp({ id, workload, phase, graph }: Run, { cluster }: Term): Line[] {
  if (phase !== 'Failed' || graph === null) return []
  const since = cluster
    .runsOfWorkload(workload)
    .filter((run) => run.graph === graph)
    .sort(byNumber)
    .at(-1)
  if (since?.id !== id) return []
  return cluster.childrenOf(workload).map((key) => {
    const { name } = parseWorkloadKey(key)
    return lineOf(`cronjob/${name}`, reasonOf('ParentFailed', `waits for this to succeed; \`drover run run/${id}\` runs it again`))
  })
}
