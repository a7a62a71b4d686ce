import type { Millis } from '../../model/ids.ts'

const SECOND: Millis = 1000
const DAY: Millis = 86_400 * SECOND
/**
 * How often a survey asks for the offset; between two questions no clock may shift there and back. The shortest such
 * time of any zone from 1970 to 2045, as the zones are known in Node 20, is seven days (Boa Vista in October 2000, and
 * what is foretold for Gaza). A question costs about 1.5 µs.
 */
const STRIDE: Millis = 4 * DAY
/** What is surveyed, and remembered, at a time. */
const BLOCK: Millis = 91 * STRIDE
/** There are about 600 names; more can only be other spellings of them, and a formatter holds tens of kilobytes. */
const MAX_ZONES = 1000

/** A time without a shift of the zone's clock: `from` is in it, `to` is not. Local time is the instant plus `offset`. */
export interface Period {
  readonly from: Millis
  readonly to: Millis
  readonly offset: Millis
  /** The offset just before `from`: the same, where a period ends only because a block of the survey does. */
  readonly before: Millis
}

interface Zone {
  readonly format: Intl.DateTimeFormat
  readonly blocks: Map<number, readonly Period[]>
}

/** A memory only, for a formatter takes 0.2 ms to make: what it holds follows from the name. */
const zones = new Map<string, Zone>()

function zoneOf(timeZone: string): Zone {
  const known = zones.get(timeZone)
  if (known !== undefined) return known
  if (zones.size >= MAX_ZONES) zones.clear()
  const zone: Zone = { format: new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' }), blocks: new Map() }
  zones.set(timeZone, zone)
  return zone
}

/** Reads the offset at the end of a text such as `9/9/2001, GMT+02:00`; Greenwich's own is `GMT`. */
function offsetAt({ format }: Zone, instant: Millis): Millis {
  const [, sign, hours, minutes, seconds] = /GMT(?:([+-])(\d+):(\d+)(?::(\d+))?)?$/.exec(format.format(instant)) ?? []
  const size = Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds ?? 0)
  return (sign === '-' ? -size : size) * SECOND
}

/** The first second after `from` with another offset; `end` when there is none before it. */
function shiftAfter(zone: Zone, from: Millis, end: Millis): Millis {
  const offset = offsetAt(zone, from)
  for (let same = from; same < end; same += STRIDE) {
    let other = Math.min(same + STRIDE, end)
    if (offsetAt(zone, other) === offset) continue
    while (other - same > SECOND) {
      const middle = Math.floor((same + other) / 2 / SECOND) * SECOND
      if (offsetAt(zone, middle) === offset) same = middle
      else other = middle
    }
    return other
  }
  return end
}

function survey(zone: Zone, block: number): readonly Period[] {
  const periods: Period[] = []
  const end = (block + 1) * BLOCK
  let from = block * BLOCK
  while (from < end) {
    const to = shiftAfter(zone, from, end)
    periods.push({ from, to, offset: offsetAt(zone, from), before: offsetAt(zone, from - 1) })
    from = to
  }
  return periods
}

/**
 * The period that an instant is in, at most 52 weeks (a block) long. The next one is the period at its `to`, the one before the
 * period at `from - 1`.
 * @throws RangeError for NaN, and for a name that `Intl` does not know; `manifest/time-zone.ts` lets none through.
 */
export function periodAt(timeZone: string, instant: Millis): Period {
  const zone = zoneOf(timeZone)
  const block = Math.floor(instant / BLOCK)
  const periods = zone.blocks.get(block) ?? survey(zone, block)
  zone.blocks.set(block, periods)
  const found = periods.find(({ to }) => instant < to)
  if (found === undefined) throw new RangeError(`no instant: ${instant}`)
  return found
}
