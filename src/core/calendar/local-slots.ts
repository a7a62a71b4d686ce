import type { Calendar } from '../../model/calendar.ts'
import { monthOf } from './civil.ts'
import { daysOf } from './days.ts'
import { timeAt, timesBefore } from './times.ts'

/** A stretch of local time, in milliseconds from 1970-01-01 00:00 on the zone's own clock: `from` is in it, `to` is not. */
export interface LocalRange {
  readonly from: number
  readonly to: number
}

const SECOND = 1000
const DAY = 86_400 * SECOND

/** The times of one day that lie in a range: those with an index from `first` up to, not including, `end`. */
interface DayTimes {
  readonly day: number
  readonly first: number
  readonly end: number
}

const monthAt = (local: number): number => monthOf(Math.floor(local / DAY))

function monthsIn({ from, to }: LocalRange): number[] {
  const first = monthAt(from)
  return from < to ? Array.from({ length: monthAt(to - 1) - first + 1 }, (_, index) => first + index) : []
}

/** How many times of a day lie before a moment of it; the moment may lie on another day. */
function timesUntil(calendar: Calendar, day: number, local: number): number {
  return timesBefore(calendar, Math.min(Math.max(Math.ceil((local - day * DAY) / SECOND), 0), DAY / SECOND))
}

function daysIn(calendar: Calendar, month: number, range: LocalRange): DayTimes[] {
  const days = daysOf(calendar, month).filter((day) => (day + 1) * DAY > range.from && day * DAY < range.to)
  return days
    .map((day) => ({ day, first: timesUntil(calendar, day, range.from), end: timesUntil(calendar, day, range.to) }))
    .filter(({ first, end }) => first < end)
}

const at = (calendar: Calendar, day: number, index: number): number => day * DAY + timeAt(calendar, index) * SECOND

/** The first local time in the range that the calendar names. */
export function firstIn(calendar: Calendar, range: LocalRange): number | null {
  for (const month of monthsIn(range)) {
    const found = daysIn(calendar, month, range)[0]
    if (found !== undefined) return at(calendar, found.day, found.first)
  }
  return null
}

/** The last one. */
export function lastIn(calendar: Calendar, range: LocalRange): number | null {
  for (const month of monthsIn(range).reverse()) {
    const found = daysIn(calendar, month, range).at(-1)
    if (found !== undefined) return at(calendar, found.day, found.end - 1)
  }
  return null
}

export function countIn(calendar: Calendar, range: LocalRange): number {
  const days = monthsIn(range).flatMap((month) => daysIn(calendar, month, range))
  return days.reduce((sum, { first, end }) => sum + end - first, 0)
}
