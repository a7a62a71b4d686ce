import { createTask } from 'node-cron'

/**
 * A slow second opinion on when a schedule is due: it walks a window step by step, reads the zone's clock with `Intl`,
 * and asks node-cron whether the time shown matches. What it shares with the calendar under test is the written rule only.
 */

const HOUR = 3_600_000
/** No clock that is walked here is put back by more. */
const LEAD = 2 * HOUR

/** True when node-cron takes the date, read in UTC, for a match; it asks for both day fields, cron for one of them. */
type Match = (local: number) => boolean

export function matcher(schedule: string, timeZone = 'UTC'): Match {
  const fields = schedule.split(' ')
  const [dayOfMonth, dayOfWeek] = [fields.length - 3, fields.length - 1]
  const open = (index: number): string => fields.map((field, at) => (at === index ? '*' : field)).join(' ')
  const isBoth = ['*', '?', '*/1'].some((star) => fields[dayOfMonth] === star || fields[dayOfWeek] === star)
  const tasks = (isBoth ? [schedule] : [open(dayOfMonth), open(dayOfWeek)]).map((one) => {
    const task = createTask(one, () => undefined, { timezone: timeZone })
    void task.destroy()
    return task
  })
  return (local) => tasks.some((task) => task.match(new Date(local)))
}

function clock(timeZone: string): (instant: number) => number {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    hourCycle: 'h23',
    ...{ year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' },
  })
  return (instant) => {
    const [day = 0, month = 0, year = 0, hour, minute, second] = format
      .format(instant)
      .split(/[^\d]+/)
      .map(Number)
    return Date.UTC(year, month - 1, day, hour, minute, second)
  }
}

/** An hour field with a star, or with all hours, takes the clock as it comes. */
export function isWildcard(schedule: string): boolean {
  const fields = schedule.split(' ')
  const hour = fields.at(-4) ?? ''
  const matches = matcher(`* ${hour} * * *`)
  return hour.includes('*') || Array.from({ length: 24 }, (_, at) => at * HOUR).every(matches)
}

/** All slots in a window; schedule, window and the zone's shifts must all fall on whole steps. */
export function walk(schedule: string, timeZone: string, window: { after: number; upTo: number; step: number }): number[] {
  const { after, upTo, step } = window
  const matches = matcher(schedule)
  const local = clock(timeZone)
  const wildcard = isWildcard(schedule)
  const found: number[] = []
  let latest = local(after - LEAD)
  for (let instant = after - LEAD + step; instant <= after; instant += step) latest = Math.max(latest, local(instant))
  for (let instant = after + step; instant <= upTo; instant += step) {
    const shown = local(instant)
    // The times since the latest one: more than one after a gap, none while an hour is repeated.
    const due: number[] = []
    for (let time = latest + step; time <= shown; time += step) due.push(time)
    if (wildcard ? matches(shown) : due.some(matches)) found.push(instant)
    latest = Math.max(latest, shown)
  }
  return found
}
