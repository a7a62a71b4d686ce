import type { Calendar } from '../../model/calendar.ts'
import type { Millis } from '../../model/ids.ts'
import { countIn, firstIn, type LocalRange, lastIn } from './local-slots.ts'
import { type Period, periodAt } from './zone.ts'

/**
 * When a CronJob is due. A slot is an instant that follows from the calendar alone, never from when somebody looks, so
 * whatever the machine's clock does, the same slot has the same name.
 *
 * Where the zone's clock is put forward, some local times do not exist; where it is put back, some come twice.
 * `Fixed` (the hour field lists hours, as in `30 2 * * *`): what falls into the missing time is due once, right after
 * it, so that a nightly backup is not left out once a year; what falls into the repeated time is due at its first pass.
 * `Wildcard` (the hour field has a `*`, as in `0,30 * * * *`): local time is taken as it comes, so that the distance
 * between slots stays the same: nothing in the missing time, both passes of the repeated one.
 * That is Debian cron's rule, but by the hour field alone, and without its limit of three hours.
 */

/** The instants after `after`, up to and with `upTo`. */
export interface Window {
  readonly after: Millis
  readonly upTo: Millis
}

/** The rarest calendar, a fifth Friday in February (`5#5`), comes every 28 years, or after 40 around 2100. */
const HORIZON: Millis = 41 * 366 * 86_400_000

/** The slots of a period, which begins no later than the window ends, that lie in the window: those of a range of local time, and before them perhaps what was missed. */
interface Stretch {
  readonly local: LocalRange
  readonly offset: Millis
  /** The start of the period, where it is a slot only because local times before it do not exist. */
  readonly makeUp: Millis | null
}

function stretchOf(calendar: Calendar, period: Period, { after, upTo }: Window): Stretch {
  const { from, to, offset, before } = period
  // All local times before this one had their turn in an earlier period.
  const fresh = from + (calendar.hourRule === 'Fixed' ? before : offset)
  const start = from + offset
  const local = { from: Math.max(start, fresh, after + 1 + offset), to: Math.min(to, upTo + 1) + offset }
  const missed = after < from && firstIn(calendar, { from: fresh, to: start }) !== null
  const isDueAnyway = missed && firstIn(calendar, { from: start, to: start + 1 }) !== null
  return { local, offset, makeUp: missed && !isDueAnyway ? from : null }
}

/** The first slot strictly after an instant; null when there is none in 41 years. */
export function nextSlot(calendar: Calendar, after: Millis): Millis | null {
  const { timeZone } = calendar
  const end = after + HORIZON
  for (let period = periodAt(timeZone, after + 1); period.from <= end; period = periodAt(timeZone, period.to)) {
    const { local, offset, makeUp } = stretchOf(calendar, period, { after, upTo: period.to })
    if (makeUp !== null) return makeUp
    const first = firstIn(calendar, local)
    if (first !== null) return first - offset
  }
  return null
}

/** The latest slot in a window. */
export function lastSlot(calendar: Calendar, window: Window): Millis | null {
  const { timeZone } = calendar
  for (let period = periodAt(timeZone, window.upTo); period.to > window.after + 1; period = periodAt(timeZone, period.from - 1)) {
    const { local, offset, makeUp } = stretchOf(calendar, period, window)
    const last = lastIn(calendar, local)
    if (last !== null) return last - offset
    if (makeUp !== null) return makeUp
  }
  return null
}

/** How many slots a window holds. */
export function countSlots(calendar: Calendar, window: Window): number {
  let count = 0
  for (
    let period = periodAt(calendar.timeZone, window.after + 1);
    period.from <= window.upTo;
    period = periodAt(calendar.timeZone, period.to)
  ) {
    const { local, makeUp } = stretchOf(calendar, period, window)
    count += countIn(calendar, local) + (makeUp === null ? 0 : 1)
  }
  return count
}
