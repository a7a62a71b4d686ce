/** Days count from 1970-01-01, months from January of the year 0; the Gregorian calendar at any time. */
const MONTHS = 12
const EPOCH_YEAR = 1970
/** 400 years are 146,097 days and 4,800 months. */
const DAYS_PER_MONTH = 146_097 / 4_800
const DAYS_BEFORE_MONTH = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]
/** 1970-01-01 was a Thursday. */
const EPOCH_WEEKDAY = 4

const leapDaysBefore = (year: number): number => Math.floor((year - 1) / 4) - Math.floor((year - 1) / 100) + Math.floor((year - 1) / 400)

const isLeap = (year: number): boolean => leapDaysBefore(year + 1) > leapDaysBefore(year)

/** The number of a month's first day. */
export function firstDayOf(month: number): number {
  const year = Math.floor(month / MONTHS)
  const leaps = leapDaysBefore(year) - leapDaysBefore(EPOCH_YEAR)
  const inYear = month - year * MONTHS
  return (year - EPOCH_YEAR) * 365 + leaps + (DAYS_BEFORE_MONTH[inYear] ?? 0) + (inYear > 1 && isLeap(year) ? 1 : 0)
}

/** The month a day is in. */
export function monthOf(day: number): number {
  let month = EPOCH_YEAR * MONTHS + Math.floor(day / DAYS_PER_MONTH)
  while (firstDayOf(month) > day) month -= 1
  while (firstDayOf(month + 1) <= day) month += 1
  return month
}

/** 1 to 12. */
export const monthInYear = (month: number): number => month - Math.floor(month / MONTHS) * MONTHS + 1

/** 0 to 6, Sunday is 0. */
export const weekdayOf = (day: number): number => (((day + EPOCH_WEEKDAY) % 7) + 7) % 7
