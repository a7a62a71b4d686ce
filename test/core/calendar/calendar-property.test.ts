import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { countSlots, lastSlot, nextSlot } from '../../../src/core/calendar/calendar.ts'
import { parseSchedule } from '../../../src/manifest/cron.ts'
import type { Calendar } from '../../../src/model/calendar.ts'
import { isWildcard, matcher, walk } from './cron-reference.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const ZONES = [
  ...['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe', 'America/Sao_Paulo', 'Asia/Beirut'],
  ...['America/Havana', 'Africa/Casablanca', 'Pacific/Apia', 'America/St_Johns', 'Pacific/Chatham', 'Asia/Tehran'],
]
/** Shifts of these zones' clocks, forward and back, with days that were left out. */
const SHIFTS: readonly (readonly [string, string])[] = [
  ['Europe/Berlin', '2026-03-29T01:00Z'],
  ['Europe/Berlin', '2026-10-25T01:00Z'],
  ['America/New_York', '2026-03-08T07:00Z'],
  ['America/New_York', '2026-11-01T06:00Z'],
  ['Asia/Kolkata', '2026-03-29T01:00Z'],
  ['Australia/Lord_Howe', '2026-04-04T15:00Z'],
  ['Australia/Lord_Howe', '2026-10-03T15:30Z'],
  ['America/Sao_Paulo', '2018-11-04T03:00Z'],
  ['America/Sao_Paulo', '2019-02-17T02:00Z'],
  ['Asia/Beirut', '2026-03-28T22:00Z'],
  ['Asia/Beirut', '2026-10-24T21:00Z'],
  ['America/Havana', '2026-11-01T05:00Z'],
  ['Africa/Casablanca', '2026-02-15T02:00Z'],
  ['America/St_Johns', '2010-11-07T02:31Z'],
  ['Pacific/Apia', '2011-12-30T10:00Z'],
  ['Pacific/Kwajalein', '1993-08-21T12:00Z'],
  ['Europe/London', '1971-10-31T02:00Z'],
]

/** A field of a crontab: a star, a step, numbers, ranges (also over the end), lists of these. */
function field(min: number, max: number, words: readonly string[] = []): fc.Arbitrary<string> {
  const value = fc.integer({ min, max })
  // Sunday is both 0 and 7.
  const step = fc.integer({ min: 1, max: max === 7 ? 7 : max - min + 1 })
  const range = fc.tuple(value, value).map(([from, to]) => `${from}-${to}`)
  const item = fc.oneof(
    { weight: 4, arbitrary: value.map(String) },
    { weight: 2, arbitrary: range },
    fc.tuple(range, step).map(([one, by]) => `${one}/${by}`),
    ...(words.length === 0 ? [] : [fc.constantFrom(...words)]),
  )
  const list = fc.array(item, { minLength: 1, maxLength: 3 }).map((items) => items.join(','))
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant('*') },
    { weight: 2, arbitrary: step.map((by) => `*/${by}`) },
    { weight: 4, arbitrary: list },
  )
}

const MINUTES = field(0, 59)
const days = {
  ofMonth: fc.oneof({ weight: 3, arbitrary: fc.constant('*') }, field(1, 31, ['L', 'L-2', '15W', '1W', '31W', 'LW'])),
  month: fc.oneof({ weight: 3, arbitrary: fc.constant('*') }, field(1, 12, ['FEB', 'mar-Oct', 'DEC-JAN'])),
  ofWeek: fc.oneof({ weight: 3, arbitrary: fc.constant('*') }, field(0, 7, ['SUN', 'mon-Fri', 'SAT-SUN', '5L', '7#1', 'TUE#3'])),
}

/** Most are due on every day, for around a shift of the clock another would mostly be due not at all. */
function schedules(clock: { second: fc.Arbitrary<string>; minute: fc.Arbitrary<string> }): fc.Arbitrary<string> {
  const everyDay = fc.constant(['*', '*', '*'])
  const someDays = fc.tuple(days.ofMonth, days.month, days.ofWeek)
  const day = fc.oneof({ weight: 2, arbitrary: everyDay }, { weight: 1, arbitrary: someDays })
  return fc
    .tuple(clock.second, clock.minute, field(0, 23), day)
    .map(([second, minute, hour, on]) => [second, minute, hour, ...on].join(' '))
}

/** The calendar, unless it is refused: dates that never come, day fields that crons disagree on. */
function read(schedule: string, timeZone: string): Calendar {
  const parsed = parseSchedule(schedule, timeZone)
  if (!parsed.ok) fc.pre(!/never comes|disagree/.test(parsed.message))
  if (!parsed.ok) throw new Error(`${schedule}: ${parsed.message}`)
  return parsed.calendar
}

function iterate(calendar: Calendar, { after, upTo }: { after: number; upTo: number }): number[] {
  const found: number[] = []
  for (let slot = nextSlot(calendar, after); slot !== null && slot <= upTo; slot = nextSlot(calendar, slot)) found.push(slot)
  return found
}

/** Next, last and count tell the same, and what the walk says. */
function expectWalk(schedule: string, timeZone: string, window: { after: number; upTo: number; step: number }): void {
  const calendar = read(schedule, timeZone)
  const walked = walk(schedule, timeZone, window)
  expect(iterate(calendar, window)).toEqual(walked)
  expect(countSlots(calendar, window)).toBe(walked.length)
  expect(lastSlot(calendar, window)).toBe(walked.at(-1) ?? null)
}

describe('slots', () => {
  it('are what a walk around a shift finds, minute by minute', () => {
    const schedule = schedules({ second: fc.constant('0'), minute: MINUTES })
    const start = fc.integer({ min: -12 * 60, max: 2 * 60 })
    fc.assert(
      fc.property(
        schedule,
        fc.constantFrom(...SHIFTS),
        start,
        fc.integer({ min: 0, max: 14 * 60 }),
        (text, [zone, shift], from, length) => {
          const after = Date.parse(shift) + from * MINUTE
          expectWalk(text, zone, { after, upTo: after + length * MINUTE, step: MINUTE })
        },
      ),
      { numRuns: 100 },
    )
  })

  it('are what a walk of ten minutes finds, second by second', () => {
    const schedule = schedules({ second: field(0, 59), minute: MINUTES })
    fc.assert(
      fc.property(schedule, fc.constantFrom(...SHIFTS), fc.integer({ min: -600, max: 60 }), (text, [zone, shift], from) => {
        const after = Date.parse(shift) + from * SECOND
        expectWalk(text, zone, { after, upTo: after + 600 * SECOND, step: SECOND })
      }),
      { numRuns: 25 },
    )
  })

  it('are what a walk of 400 days finds, half an hour by half an hour', () => {
    const shifts = SHIFTS.filter(([, shift]) => Date.parse(shift) % (30 * MINUTE) === 0)
    const schedule = schedules({ second: fc.constant('0'), minute: fc.constantFrom('0', '30', '*/30') })
    fc.assert(
      fc.property(schedule, fc.constantFrom(...shifts), fc.integer({ min: 0, max: 350 }), (text, [zone, shift], daysBefore) => {
        const after = Math.floor(Date.parse(shift) / HOUR) * HOUR - daysBefore * DAY
        expectWalk(text, zone, { after, upTo: after + 400 * DAY, step: 30 * MINUTE })
      }),
      { numRuns: 3 },
    )
  })

  it('of a wildcard hour are what node-cron itself matches in the zone', () => {
    const instant = fc.integer({ min: Date.UTC(1990) / SECOND, max: Date.UTC(2037) / SECOND })
    const schedule = schedules({ second: field(0, 59), minute: MINUTES }).filter(isWildcard)
    fc.assert(
      fc.property(schedule, fc.constantFrom(...ZONES), instant, (text, zone, second) => {
        const slot = second * SECOND
        expect(countSlots(read(text, zone), { after: slot - SECOND, upTo: slot })).toBe(matcher(text, zone)(slot) ? 1 : 0)
      }),
      { numRuns: 300 },
    )
  })

  it('fall on the days that node-cron matches, one of two day fields being enough', () => {
    const start = fc.integer({ min: Date.UTC(1999) / DAY, max: Date.UTC(2037) / DAY })
    fc.assert(
      fc.property(days.ofMonth, days.month, days.ofWeek, start, (ofMonth, month, ofWeek, first) => {
        const text = `0 0 ${ofMonth} ${month} ${ofWeek}`
        const calendar = read(text, 'UTC')
        const matched = Array.from({ length: 62 }, (_, index) => (first + index) * DAY).filter(matcher(text))
        expect(iterate(calendar, { after: first * DAY - 1, upTo: (first + 61) * DAY })).toEqual(matched)
      }),
      { numRuns: 300 },
    )
  })

  it('rise without end, and the last of a window is the last of those that come next', () => {
    const schedule = schedules({ second: field(0, 59), minute: MINUTES })
    const instant = fc.integer({ min: Date.UTC(1990), max: Date.UTC(2037) })
    fc.assert(
      fc.property(schedule, fc.constantFrom(...ZONES), instant, (text, zone, after) => {
        const calendar = read(text, zone)
        const slots: number[] = []
        for (let slot = nextSlot(calendar, after); slot !== null && slots.length < 50; slot = nextSlot(calendar, slot)) slots.push(slot)
        expect(slots.length).toBe(50)
        expect(slots.every((slot, index) => slot > (slots[index - 1] ?? after))).toBe(true)
        const upTo = slots.at(-1) ?? after
        expect(countSlots(calendar, { after, upTo })).toBe(50)
        expect(lastSlot(calendar, { after, upTo })).toBe(upTo)
        expect(lastSlot(calendar, { after, upTo: upTo - 1 })).toBe(slots.at(-2))
      }),
      { numRuns: 300 },
    )
  })
})
