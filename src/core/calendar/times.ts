import type { Calendar } from '../../model/calendar.ts'

const below = (values: readonly number[], limit: number): number => values.filter((value) => value < limit).length

/**
 * How many of a day's times, which are the same on each of its days, come before a second of the day (0 to 86,400).
 * Counted by fields, for a day of `* * * * * *` has 86,400 times.
 */
export function timesBefore({ hours, minutes, seconds }: Calendar, second: number): number {
  const hour = Math.floor(second / 3600)
  const minute = Math.floor(second / 60) % 60
  const inHour = hours.includes(hour) ? below(minutes, minute) * seconds.length : 0
  const inMinute = hours.includes(hour) && minutes.includes(minute) ? below(seconds, second % 60) : 0
  return below(hours, hour) * minutes.length * seconds.length + inHour + inMinute
}

/** The time of day, in seconds, that has `index` times before it. */
export function timeAt({ hours, minutes, seconds }: Calendar, index: number): number {
  const minute = Math.floor(index / seconds.length)
  const hour = hours[Math.floor(minute / minutes.length)] ?? 0
  return hour * 3600 + (minutes[minute % minutes.length] ?? 0) * 60 + (seconds[index % seconds.length] ?? 0)
}
