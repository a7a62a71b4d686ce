import { describe, expect, it } from 'vitest'
import { countSlots, lastSlot, nextSlot } from '../../../src/core/calendar/calendar.ts'
import { parseSchedule } from '../../../src/manifest/cron.ts'
import type { Calendar } from '../../../src/model/calendar.ts'

const DAY = 86_400_000

function calendar(schedule: string, timeZone = 'UTC'): Calendar {
  const parsed = parseSchedule(schedule, timeZone)
  if (!parsed.ok) throw new Error(parsed.message)
  return parsed.calendar
}

const at = (iso: string): number => Date.parse(`${iso}Z`)
const iso = (instant: number): string => new Date(instant).toISOString().slice(0, 19).replace(/:00$/, '')

/** All slots after one instant, up to and with another. */
function slots(schedule: string, zone: string, { after, upTo }: { after: string; upTo: string }): string[] {
  const found: string[] = []
  let slot = nextSlot(calendar(schedule, zone), at(after))
  for (; slot !== null && slot <= at(upTo); slot = nextSlot(calendar(schedule, zone), slot)) found.push(iso(slot))
  return found
}

/** What a schedule is due at in a window, in UTC, and what its zone's clock shows then. */
interface Case {
  readonly schedule: string
  readonly zone: string
  readonly window: { after: string; upTo: string }
  readonly due: readonly string[]
  readonly because: string
}

function expectSlots({ schedule, zone, window, due }: Case): void {
  const known = calendar(schedule, zone)
  const range = { after: at(window.after), upTo: at(window.upTo) }
  expect(slots(schedule, zone, window)).toEqual(due)
  expect(countSlots(known, range)).toBe(due.length)
  const last = lastSlot(known, range)
  expect(last === null ? undefined : iso(last)).toBe(due.at(-1))
}

/** 02:00 becomes 03:00 at 01:00 UTC. */
const BERLIN_SPRING = { after: '2026-03-29T00:00', upTo: '2026-03-29T02:00' }
/** 03:00 becomes 02:00 at 01:00 UTC. */
const BERLIN_AUTUMN = { after: '2026-10-24T23:30', upTo: '2026-10-25T02:00' }

describe('a time that does not exist', () => {
  it.each<Case>([
    {
      because: 'hours that are listed are made up for at once',
      schedule: '30 2 * * *',
      zone: 'Europe/Berlin',
      window: { after: '2026-03-28T00:00', upTo: '2026-03-31T00:00' },
      due: ['2026-03-28T01:30', '2026-03-29T01:00', '2026-03-30T00:30'],
    },
    {
      because: 'what is missed several times is made up for once',
      schedule: '*/15 2 * * *',
      zone: 'Europe/Berlin',
      window: BERLIN_SPRING,
      due: ['2026-03-29T01:00'],
    },
    {
      because: 'what is due right after the gap anyway is not due twice',
      schedule: '0 1-3 * * *',
      zone: 'Europe/Berlin',
      window: BERLIN_SPRING,
      due: ['2026-03-29T01:00'],
    },
    {
      because: 'what is due later in the hour after the gap is due beside what was missed',
      schedule: '30 2,3 * * *',
      zone: 'Europe/Berlin',
      window: BERLIN_SPRING,
      due: ['2026-03-29T01:00', '2026-03-29T01:30'],
    },
    {
      because: 'the end of the gap exists, its start does not',
      schedule: '0 2 * * *',
      zone: 'Europe/Berlin',
      window: BERLIN_SPRING,
      due: ['2026-03-29T01:00'],
    },
    {
      because: 'a star for the hour follows the clock: the missing hour holds nothing',
      schedule: '*/30 * * * *',
      zone: 'Europe/Berlin',
      window: BERLIN_SPRING,
      due: ['2026-03-29T00:30', '2026-03-29T01:00', '2026-03-29T01:30', '2026-03-29T02:00'],
    },
    {
      because: 'a stepped star for the hour does so too',
      schedule: '0 */2 * * *',
      zone: 'Europe/Berlin',
      window: { after: '2026-03-28T22:00', upTo: '2026-03-29T04:00' },
      due: ['2026-03-28T23:00', '2026-03-29T02:00', '2026-03-29T04:00'],
    },
    {
      because: 'all 24 hours, listed, are a star',
      schedule: '0 0-23 * * *',
      zone: 'Europe/Berlin',
      window: BERLIN_SPRING,
      due: ['2026-03-29T01:00', '2026-03-29T02:00'],
    },
    {
      because: 'New York',
      schedule: '30 2 * * *',
      zone: 'America/New_York',
      window: { after: '2026-03-07T00:00', upTo: '2026-03-10T00:00' },
      due: ['2026-03-07T07:30', '2026-03-08T07:00', '2026-03-09T06:30'],
    },
    {
      because: 'a weekly one: only its own Sunday',
      schedule: '30 2 * * SUN',
      zone: 'America/New_York',
      window: { after: '2026-03-01T00:00', upTo: '2026-03-16T00:00' },
      due: ['2026-03-01T07:30', '2026-03-08T07:00', '2026-03-15T06:30'],
    },
    {
      because: 'one that is due on other days is not',
      schedule: '30 2 * * MON',
      zone: 'America/New_York',
      window: { after: '2026-03-07T00:00', upTo: '2026-03-10T00:00' },
      due: ['2026-03-09T06:30'],
    },
    {
      because: 'Lord Howe goes from 02:00 to 02:30',
      schedule: '15 2 * * *',
      zone: 'Australia/Lord_Howe',
      window: { after: '2026-10-02T00:00', upTo: '2026-10-05T00:00' },
      due: ['2026-10-02T15:45', '2026-10-03T15:30', '2026-10-04T15:15'],
    },
    {
      because: 'Lord Howe, after its gap',
      schedule: '45 2 * * *',
      zone: 'Australia/Lord_Howe',
      window: { after: '2026-10-03T00:00', upTo: '2026-10-04T00:00' },
      due: ['2026-10-03T15:45'],
    },
    {
      because: 'a day that begins at 01:00 is not left out',
      schedule: '@daily',
      zone: 'America/Sao_Paulo',
      window: { after: '2018-11-03T00:00', upTo: '2018-11-06T00:00' },
      due: ['2018-11-03T03:00', '2018-11-04T03:00', '2018-11-05T02:00'],
    },
    {
      because: 'Beirut, too, goes forward at midnight',
      schedule: '0 0 29 3 *',
      zone: 'Asia/Beirut',
      window: { after: '2026-01-01T00:00', upTo: '2026-12-31T00:00' },
      due: ['2026-03-28T22:00'],
    },
    {
      because: 'Samoa left out 30 December 2011',
      schedule: '0 12 * * *',
      zone: 'Pacific/Apia',
      window: { after: '2011-12-29T00:00', upTo: '2012-01-01T00:00' },
      due: ['2011-12-29T22:00', '2011-12-30T10:00', '2011-12-30T22:00', '2011-12-31T22:00'],
    },
    {
      because: 'what is due at the first moment after that day is due once',
      schedule: '0 0 * * *',
      zone: 'Pacific/Apia',
      window: { after: '2011-12-29T00:00', upTo: '2012-01-01T00:00' },
      due: ['2011-12-29T10:00', '2011-12-30T10:00', '2011-12-31T10:00'],
    },
    {
      because: 'each hour of that day did not exist',
      schedule: '0 */6 * * *',
      zone: 'Pacific/Apia',
      window: { after: '2011-12-30T00:00', upTo: '2011-12-30T22:00' },
      due: ['2011-12-30T04:00', '2011-12-30T10:00', '2011-12-30T16:00', '2011-12-30T22:00'],
    },
  ])('$schedule in $zone: $because', expectSlots)
})

describe('a time that comes twice', () => {
  it.each<Case>([
    {
      because: 'hours that are listed take the first pass',
      schedule: '30 2 * * *',
      zone: 'Europe/Berlin',
      window: { after: '2026-10-24T00:00', upTo: '2026-10-27T00:00' },
      due: ['2026-10-24T00:30', '2026-10-25T00:30', '2026-10-26T01:30'],
    },
    {
      because: 'each of its minutes does',
      schedule: '*/20 2 * * *',
      zone: 'Europe/Berlin',
      window: BERLIN_AUTUMN,
      due: ['2026-10-25T00:00', '2026-10-25T00:20', '2026-10-25T00:40'],
    },
    {
      because: 'the end of the repeated hour comes once',
      schedule: '0 2,3 * * *',
      zone: 'Europe/Berlin',
      window: BERLIN_AUTUMN,
      due: ['2026-10-25T00:00', '2026-10-25T02:00'],
    },
    {
      because: 'a star for the hour follows the clock: both passes',
      schedule: '*/30 * * * *',
      zone: 'Europe/Berlin',
      window: BERLIN_AUTUMN,
      due: ['2026-10-25T00:00', '2026-10-25T00:30', '2026-10-25T01:00', '2026-10-25T01:30', '2026-10-25T02:00'],
    },
    {
      because: '@hourly',
      schedule: '@hourly',
      zone: 'America/New_York',
      window: { after: '2026-11-01T04:00', upTo: '2026-11-01T07:00' },
      due: ['2026-11-01T05:00', '2026-11-01T06:00', '2026-11-01T07:00'],
    },
    {
      because: 'New York',
      schedule: '30 1 * * *',
      zone: 'America/New_York',
      window: { after: '2026-10-31T00:00', upTo: '2026-11-03T00:00' },
      due: ['2026-10-31T05:30', '2026-11-01T05:30', '2026-11-02T06:30'],
    },
    {
      because: 'Lord Howe goes from 02:00 back to 01:30',
      schedule: '45 1 * * *',
      zone: 'Australia/Lord_Howe',
      window: { after: '2026-04-04T00:00', upTo: '2026-04-06T00:00' },
      due: ['2026-04-04T14:45', '2026-04-05T15:15'],
    },
    {
      because: 'Lord Howe, with a star',
      schedule: '45 * * * *',
      zone: 'Australia/Lord_Howe',
      window: { after: '2026-04-04T14:00', upTo: '2026-04-04T16:30' },
      due: ['2026-04-04T14:45', '2026-04-04T15:15', '2026-04-04T16:15'],
    },
    {
      because: 'São Paulo went from midnight back to 23:00 of the day before',
      schedule: '30 23 16 2 *',
      zone: 'America/Sao_Paulo',
      window: { after: '2019-02-01T00:00', upTo: '2019-03-01T00:00' },
      due: ['2019-02-17T01:30'],
    },
    {
      because: 'midnight itself came once',
      schedule: '@daily',
      zone: 'America/Sao_Paulo',
      window: { after: '2019-02-16T00:00', upTo: '2019-02-18T12:00' },
      due: ['2019-02-16T02:00', '2019-02-17T03:00', '2019-02-18T03:00'],
    },
    {
      because: 'Havana has two midnights',
      schedule: '@daily',
      zone: 'America/Havana',
      window: { after: '2026-10-31T00:00', upTo: '2026-11-03T00:00' },
      due: ['2026-10-31T04:00', '2026-11-01T04:00', '2026-11-02T05:00'],
    },
  ])('$schedule in $zone: $because', expectSlots)
})

describe('days', () => {
  it.each<Case>([
    {
      because: 'leap days',
      schedule: '0 0 29 2 *',
      zone: 'UTC',
      window: { after: '2026-01-01T00:00', upTo: '2033-01-01T00:00' },
      due: ['2028-02-29T00:00', '2032-02-29T00:00'],
    },
    {
      because: '2100 has none',
      schedule: '0 0 29 2 *',
      zone: 'Europe/Berlin',
      window: { after: '2096-01-01T00:00', upTo: '2105-01-01T00:00' },
      due: ['2096-02-28T23:00', '2104-02-28T23:00'],
    },
    {
      because: 'the turn of a year, in a zone of half an hour',
      schedule: '0 0 1 1 *',
      zone: 'Asia/Kolkata',
      window: { after: '2025-12-31T18:29', upTo: '2027-12-31T18:30' },
      due: ['2025-12-31T18:30', '2026-12-31T18:30', '2027-12-31T18:30'],
    },
    {
      because: 'the last second of a year',
      schedule: '59 59 23 31 12 *',
      zone: 'UTC',
      window: { after: '2026-01-01T00:00', upTo: '2027-01-01T00:00' },
      due: ['2026-12-31T23:59:59'],
    },
    {
      because: 'either day will do where both fields name days',
      schedule: '0 0 13 * FRI',
      zone: 'UTC',
      window: { after: '2026-02-05T00:00', upTo: '2026-02-27T00:00' },
      due: ['2026-02-06T00:00', '2026-02-13T00:00', '2026-02-20T00:00', '2026-02-27T00:00'],
    },
    {
      because: 'the 13th, whatever its weekday',
      schedule: '0 0 13 * FRI',
      zone: 'UTC',
      window: { after: '2026-01-10T00:00', upTo: '2026-01-16T00:00' },
      due: ['2026-01-13T00:00', '2026-01-16T00:00'],
    },
    {
      because: 'a month without a 31st is passed over',
      schedule: '0 0 31 * *',
      zone: 'UTC',
      window: { after: '2026-01-01T00:00', upTo: '2026-06-01T00:00' },
      due: ['2026-01-31T00:00', '2026-03-31T00:00', '2026-05-31T00:00'],
    },
    {
      because: 'the last day, and the last but one',
      schedule: '0 0 L,L-1 2,4 *',
      zone: 'UTC',
      window: { after: '2028-01-01T00:00', upTo: '2028-12-31T00:00' },
      due: ['2028-02-28T00:00', '2028-02-29T00:00', '2028-04-29T00:00', '2028-04-30T00:00'],
    },
    {
      because: 'working days near a Saturday that is the first, and a Sunday that is the last',
      schedule: '0 0 1W,LW 5,8 *',
      zone: 'UTC',
      window: { after: '2026-01-01T00:00', upTo: '2026-12-31T00:00' },
      due: ['2026-05-01T00:00', '2026-05-29T00:00', '2026-08-03T00:00', '2026-08-31T00:00'],
    },
    {
      because: 'the first Monday and the last Friday',
      schedule: '0 0 * 1 MON#1,FRIL',
      zone: 'UTC',
      window: { after: '2026-01-01T00:00', upTo: '2026-12-31T00:00' },
      due: ['2026-01-05T00:00', '2026-01-30T00:00'],
    },
    {
      because: 'a fifth Friday in February is years away',
      schedule: '0 0 * 2 FRI#5',
      zone: 'Europe/Berlin',
      window: { after: '2037-01-01T00:00', upTo: '2105-01-01T00:00' },
      due: ['2064-02-28T23:00', '2092-02-28T23:00', '2104-02-28T23:00'],
    },
    {
      because: 'hours and days over the end of their range',
      schedule: '0 22-1 * * SAT-SUN',
      zone: 'UTC',
      window: { after: '2026-01-02T23:00', upTo: '2026-01-05T00:00' },
      due: [
        ...['2026-01-03T00:00', '2026-01-03T01:00', '2026-01-03T22:00', '2026-01-03T23:00'],
        ...['2026-01-04T00:00', '2026-01-04T01:00', '2026-01-04T22:00', '2026-01-04T23:00'],
      ],
    },
  ])('$schedule in $zone: $because', expectSlots)
})

describe('a window', () => {
  const hourly = calendar('0 * * * *')
  const hour = at('2026-01-01T05:00')

  it('begins after its first instant, and ends with its last', () => {
    expect(nextSlot(hourly, hour)).toBe(hour + 3_600_000)
    expect(nextSlot(hourly, hour - 1)).toBe(hour)
    expect(lastSlot(hourly, { after: hour, upTo: hour + 10 })).toBeNull()
    expect(lastSlot(hourly, { after: hour - 1, upTo: hour })).toBe(hour)
    expect(countSlots(hourly, { after: hour, upTo: hour })).toBe(0)
    expect(countSlots(hourly, { after: hour - 1, upTo: hour })).toBe(1)
  })

  it('holds nothing when it ends before it begins', () => {
    expect(countSlots(hourly, { after: hour, upTo: hour - DAY })).toBe(0)
    expect(lastSlot(hourly, { after: hour, upTo: hour - DAY })).toBeNull()
  })

  it('may cut a shift of the clock on either side', () => {
    const nightly = calendar('30 2 * * *', 'Europe/Berlin')
    const shift = at('2026-03-29T01:00')
    expect(countSlots(nightly, { after: shift, upTo: shift + 3_600_000 })).toBe(0)
    expect(countSlots(nightly, { after: shift - 1, upTo: shift })).toBe(1)
    expect(countSlots(nightly, { after: shift - 3_600_000, upTo: shift - 1 })).toBe(0)
    expect(lastSlot(nightly, { after: shift - 1, upTo: shift + 3_600_000 })).toBe(shift)
  })

  it('of 400 days, counted to the second', () => {
    const window = { after: at('2026-01-01T00:00'), upTo: at('2026-01-01T00:00') + 400 * DAY }
    expect(countSlots(calendar('* * * * *', 'Europe/Berlin'), window)).toBe(400 * 1440)
    expect(countSlots(calendar('* * * * * *', 'Europe/Berlin'), window)).toBe(400 * 86_400)
    expect(countSlots(calendar('30 2 * * *', 'Europe/Berlin'), window)).toBe(400)
  })

  it('from long ago is counted too', () => {
    expect(countSlots(calendar('@daily', 'America/New_York'), { after: 0, upTo: at('2026-01-01T04:59') })).toBe(56 * 365 + 14)
  })

  it('may find nothing at all', () => {
    const never = { ...calendar('0 0 1 2 *', 'Europe/Berlin'), daysOfMonth: [30] }
    expect(nextSlot(never, hour)).toBeNull()
    expect(lastSlot(never, { after: hour - 4000 * DAY, upTo: hour })).toBeNull()
  })
})

describe('a clock that jumps', () => {
  /** What a planner does: take what came due since the slot it took last. */
  function taken(known: Calendar, clock: readonly number[]): number[] {
    const runs: number[] = []
    let last = clock[0] ?? 0
    for (const now of clock) {
      const slot = lastSlot(known, { after: last, upTo: now })
      if (slot === null) continue
      runs.push(slot)
      last = slot
    }
    return runs
  }

  it.each(['30 2 * * *', '*/15 * * * *', '30 1-4 * * *'])('back and forth over a shift never takes a slot of %s twice', (schedule) => {
    const minute = 60_000
    for (const shift of ['2026-03-29T01:00', '2026-10-25T01:00']) {
      const jump = [0, -60, 60, 0, -60, 0, 60, 120, 60, 180]
      const clock = Array.from({ length: 240 }, (_, index) => at(shift) + (index - 120 + (jump[Math.floor(index / 24)] ?? 0)) * minute)
      const runs = taken(calendar(schedule, 'Europe/Berlin'), clock)
      expect(runs.length).toBeGreaterThan(0)
      expect(new Set(runs).size).toBe(runs.length)
      expect([...runs].sort((a, b) => a - b)).toEqual(runs)
    }
  })
})
