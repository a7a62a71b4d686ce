import type { ScheduleView, WorkloadView } from '../model/views.ts'
import { statusColor } from './output/colors.ts'
import type { Field, Look } from './output/look.ts'
import type { Listing } from './output/print.ts'
import { ageOf, untilOf } from './output/time.ts'
import { shortRevision, workloadName } from './read.ts'

/** What is said of CronJobs. */

const startsOf = ({ schedule, after }: ScheduleView): string => schedule ?? `after ${after.join(', ')}`

const lastOf = ({ lastPhase, lastStartedAt }: ScheduleView, now: number): string =>
  lastPhase === null ? '' : `${lastPhase}${lastStartedAt === null ? '' : `, ${ageOf(lastStartedAt, now)} ago`}`

/** `next in 5m, last Succeeded, 3m ago`, where nothing is in its way. */
export function cronText(view: ScheduleView, now: number): string {
  const next = view.nextRun === null ? startsOf(view) : `next ${untilOf(view.nextRun, now)}`
  const last = lastOf(view, now)
  return last === '' ? next : `${next}; last ${last}`
}

/** Of a CronJob how many of the runs under way have begun; without one there is nothing to count. */
export const readyText = ({ ready, desired, schedule }: WorkloadView): string =>
  schedule !== null && desired === 0 ? '-' : `${ready}/${desired}`

const of = (read: (schedule: ScheduleView) => string) => (view: WorkloadView) => (view.schedule === null ? '' : read(view.schedule))

export const cronListing = ({ colors, now }: Look): Listing<WorkloadView> => ({
  name: workloadName,
  columns: [
    { header: 'NAMESPACE', value: (view) => view.namespace },
    { header: 'NAME', value: workloadName },
    { header: 'HEALTH', value: (view) => view.health, paint: (text) => statusColor(colors, text) },
    { header: 'SCHEDULE', value: of(startsOf) },
    { header: 'SUSPEND', value: of(({ suspend }) => (suspend ? 'yes' : 'no')) },
    { header: 'ACTIVE', value: of(({ active }) => String(active.length)) },
    { header: 'NEXT', value: of(({ nextRun }) => (nextRun === null ? '' : untilOf(nextRun, now))) },
    { header: 'LAST', value: of((schedule) => lastOf(schedule, now)) },
    { header: 'MISSED', value: of(({ missed }) => String(missed)) },
    { header: 'TIMEZONE', value: of(({ timeZone }) => timeZone ?? ''), wide: true },
    { header: 'CONCURRENCY', value: of(({ concurrencyPolicy }) => concurrencyPolicy), wide: true },
    { header: 'LAST RUN', value: of(({ lastRun }) => lastRun ?? ''), wide: true },
    { header: 'REVISION', value: (view) => shortRevision(view.revision), wide: true },
    { header: 'APP', value: (view) => view.app, wide: true },
  ],
})

export function cronFields(schedule: ScheduleView | null, now: number): Field[] {
  if (schedule === null) return []
  const { timeZone, suspend, nextRun, lastRun, active, missed, lastMissed, concurrencyPolicy } = schedule
  return [
    ['Starts', timeZone === null ? startsOf(schedule) : `${startsOf(schedule)} (${timeZone})`],
    ['Suspended', suspend ? 'yes' : null],
    ['Concurrency', concurrencyPolicy],
    ['Next run', nextRun === null ? null : `${untilOf(nextRun, now)} (${nextRun})`],
    ['Last run', lastRun === null ? 'none yet' : `run/${lastRun} ${lastOf(schedule, now)}`],
    ['Under way', active.map((id) => `run/${id}`)],
    ['Missed', lastMissed === null ? null : `${missed}, the latest ${lastMissed}`],
  ]
}
