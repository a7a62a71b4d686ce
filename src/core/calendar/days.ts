import type { Calendar, DayOfMonth, DayOfWeek } from '../../model/calendar.ts'
import { firstDayOf, monthInYear, weekdayOf } from './civil.ts'

/** One month: its length, and the weekday of its first day. */
interface Month {
  readonly length: number
  readonly opensOn: number
}

/** The days of one month that the calendar names, as day numbers (see `civil.ts`), rising. */
export function daysOf(calendar: Calendar, month: number): number[] {
  if (!calendar.months.includes(monthInYear(month))) return []
  const first = firstDayOf(month)
  const shape: Month = { length: firstDayOf(month + 1) - first, opensOn: weekdayOf(first) }
  const byMonth = new Set(calendar.daysOfMonth.map((day) => dayOfMonth(day, shape)))
  const byWeek = new Set(calendar.daysOfWeek.flatMap((day) => daysOfWeek(day, shape)))
  const named = (day: number): boolean =>
    calendar.dayRule === 'Both' ? byMonth.has(day) && byWeek.has(day) : byMonth.has(day) || byWeek.has(day)
  return Array.from({ length: shape.length }, (_, index) => index + 1).flatMap((day) => (named(day) ? [first + day - 1] : []))
}

/** A day outside of the month is none of its days. */
function dayOfMonth(day: DayOfMonth, month: Month): number {
  if (typeof day === 'number') return day
  if ('beforeLast' in day) return month.length - day.beforeLast
  return workdayNear(day.workdayNear === 'Last' ? month.length : day.workdayNear, month)
}

/** The nearest of Monday to Friday that lies in the same month. */
function workdayNear(day: number, { length, opensOn }: Month): number {
  if (day > length) return day
  const weekday = (opensOn + day - 1) % 7
  if (weekday === 6) return day === 1 ? day + 2 : day - 1
  if (weekday === 0) return day === length ? day - 2 : day + 1
  return day
}

function daysOfWeek(day: DayOfWeek, { length, opensOn }: Month): number[] {
  const weekday = typeof day === 'number' ? day : day.weekday
  const first = ((weekday - opensOn + 7) % 7) + 1
  const all = [first, first + 7, first + 14, first + 21, first + 28].filter((one) => one <= length)
  if (typeof day === 'number') return all
  return day.nth === 'Last' ? all.slice(-1) : all.slice(day.nth - 1, day.nth)
}
