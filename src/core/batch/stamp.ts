import type { Millis } from '../../model/ids.ts'
import { firstDayOf, monthInYear, monthOf } from '../calendar/civil.ts'

const SECOND: Millis = 1000
const DAY: Millis = 86_400_000

const digits = (value: number, length: number): string => String(value).padStart(length, '0')

/** A slot as its run is named after it, in UTC: `20261121t0230z`, and with the seconds where there are any. */
export function stampOf(slot: Millis): string {
  const day = Math.floor(slot / DAY)
  const month = monthOf(day)
  const date = `${digits(Math.floor(month / 12), 4)}${digits(monthInYear(month), 2)}${digits(day - firstDayOf(month) + 1, 2)}`
  const seconds = Math.floor((slot - day * DAY) / SECOND)
  const clock = `${digits(Math.floor(seconds / 3600), 2)}${digits(Math.floor(seconds / 60) % 60, 2)}`
  return `${date}t${clock}${seconds % 60 === 0 ? '' : digits(seconds % 60, 2)}z`
}
