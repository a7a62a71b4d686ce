import { LRUCache } from 'lru-cache'
import { parseSchedule } from '../../manifest/cron.ts'
import type { Calendar } from '../../model/calendar.ts'

/** Schedules whose calendar is remembered: each is asked at every look at its CronJob. */
const REMEMBERED = 10_000

const calendars = new LRUCache<string, Calendar>({ max: REMEMBERED })

/** The calendar of a schedule that passed validation; null when this machine's time zone data does not know its zone. */
export function calendarOf(schedule: string, timeZone: string): Calendar | null {
  const key = `${schedule} ${timeZone}`
  const known = calendars.get(key)
  if (known !== undefined) return known
  const parsed = parseSchedule(schedule, timeZone)
  if (!parsed.ok) return null
  calendars.set(key, parsed.calendar)
  return parsed.calendar
}
