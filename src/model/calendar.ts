import { z } from 'zod'

const numbers = (min: number, max: number) => z.array(z.int().min(min).max(max)).min(1).readonly()

/** A day of the month, counted from its start, from its end (0 is the last day), or the working day nearest to one. */
export const DayOfMonth = z.union([
  z.int().min(1).max(31),
  z.strictObject({ beforeLast: z.int().min(0).max(30) }),
  z.strictObject({ workdayNear: z.union([z.int().min(1).max(31), z.literal('Last')]) }),
])
export type DayOfMonth = z.infer<typeof DayOfMonth>

/** A day of the week, 0 is Sunday: every one of the month, or only its nth or last. */
export const DayOfWeek = z.union([
  z.int().min(0).max(6),
  z.strictObject({ weekday: z.int().min(0).max(6), nth: z.union([z.int().min(1).max(5), z.literal('Last')]) }),
])
export type DayOfWeek = z.infer<typeof DayOfWeek>

/**
 * What a cron schedule says, as data: a local time is a slot when each field names it. Lists of numbers rise and hold
 * nothing twice.
 */
export const Calendar = z.strictObject({
  seconds: numbers(0, 59),
  minutes: numbers(0, 59),
  hours: numbers(0, 23),
  daysOfMonth: z.array(DayOfMonth).min(1).readonly(),
  months: numbers(1, 12),
  daysOfWeek: z.array(DayOfWeek).min(1).readonly(),
  /** `Either` where both fields name days: a day that one of them names will do, as in Kubernetes and Vixie cron. */
  dayRule: z.enum(['Both', 'Either']),
  /** What a shift of the zone's clock means, see `core/calendar/calendar.ts`: `Wildcard` was written with a `*` for the hour. */
  hourRule: z.enum(['Fixed', 'Wildcard']),
  /** A name of the IANA list. */
  timeZone: z.string().min(1),
})
export type Calendar = z.infer<typeof Calendar>
