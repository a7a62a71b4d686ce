import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseSchedule } from '../../src/manifest/cron.ts'
import { Calendar } from '../../src/model/calendar.ts'

function calendar(schedule: string, timeZone = 'UTC'): Calendar {
  const parsed = parseSchedule(schedule, timeZone)
  if (!parsed.ok) throw new Error(parsed.message)
  return parsed.calendar
}

const upTo = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index)
const EVERY: Omit<Calendar, 'timeZone'> = {
  seconds: [0],
  minutes: upTo(0, 59),
  hours: upTo(0, 23),
  daysOfMonth: upTo(1, 31),
  months: upTo(1, 12),
  daysOfWeek: upTo(0, 6),
  dayRule: 'Both',
  hourRule: 'Wildcard',
}
const MIDNIGHT = { minutes: [0], hours: [0], hourRule: 'Fixed' } as const

describe('a schedule', () => {
  it.each<[string, Partial<Calendar>]>([
    ['* * * * *', {}],
    ['  *   *\t* * *\n', {}],
    ['* * * * * *', { seconds: upTo(0, 59) }],
    ['*/20 5 * * * *', { seconds: [0, 20, 40], minutes: [5] }],
    ['30 2 * * *', { minutes: [30], hours: [2], hourRule: 'Fixed' }],
    ['05 02 01 01 *', { minutes: [5], hours: [2], daysOfMonth: [1], months: [1], hourRule: 'Fixed' }],
    ['30,15,15 * * * *', { minutes: [15, 30] }],
    ['10-20/5,0 * * * *', { minutes: [0, 10, 15, 20] }],
    ['50-5/5 * * * *', { minutes: [0, 5, 50, 55] }],
    ['40/5 * * * *', { minutes: [40, 45, 50, 55] }],
    ['*/60 */24 * * *', { minutes: [0], hours: [0] }],
    ['0 */12 * * *', { minutes: [0], hours: [0, 12] }],
    ['0 0-23 * * *', { minutes: [0] }],
    ['0 22-2 * * *', { minutes: [0], hours: [0, 1, 2, 22, 23], hourRule: 'Fixed' }],
    ['0 0 * jan,MAR-May *', { ...MIDNIGHT, months: [1, 3, 4, 5] }],
    ['0 0 * nov-FEB *', { ...MIDNIGHT, months: [1, 2, 11, 12] }],
    ['0 0 * * mon-FRI', { ...MIDNIGHT, daysOfWeek: [1, 2, 3, 4, 5] }],
    ['0 0 * * 7', { ...MIDNIGHT, daysOfWeek: [0] }],
    ['0 0 * * 5-7', { ...MIDNIGHT, daysOfWeek: [0, 5, 6] }],
    ['0 0 * * SAT-SUN', { ...MIDNIGHT, daysOfWeek: [0, 6] }],
    ['0 0 * * 2/2', { ...MIDNIGHT, daysOfWeek: [2, 4, 6] }],
    ['0 0 ? * MON', { ...MIDNIGHT, daysOfWeek: [1] }],
    ['0 0 1 * ?', { ...MIDNIGHT, daysOfMonth: [1] }],
    ['0 0 L * *', { ...MIDNIGHT, daysOfMonth: [{ beforeLast: 0 }] }],
    ['0 0 l-3,1 * *', { ...MIDNIGHT, daysOfMonth: [1, { beforeLast: 3 }] }],
    ['0 0 15W,lw * *', { ...MIDNIGHT, daysOfMonth: [{ workdayNear: 15 }, { workdayNear: 'Last' }] }],
    ['0 0 * * FRIL', { ...MIDNIGHT, daysOfWeek: [{ weekday: 5, nth: 'Last' }] }],
    ['0 0 * * 7L', { ...MIDNIGHT, daysOfWeek: [{ weekday: 0, nth: 'Last' }] }],
    ['0 0 * * sun#2,3', { ...MIDNIGHT, daysOfWeek: [3, { weekday: 0, nth: 2 }] }],
    ['@hourly', { minutes: [0] }],
    ['@daily', MIDNIGHT],
    ['@midnight', MIDNIGHT],
    ['@weekly', { ...MIDNIGHT, daysOfWeek: [0] }],
    ['@monthly', { ...MIDNIGHT, daysOfMonth: [1] }],
    ['@yearly', { ...MIDNIGHT, daysOfMonth: [1], months: [1] }],
    [' @Annually ', { ...MIDNIGHT, daysOfMonth: [1], months: [1] }],
  ])('%j is read', (schedule, expected) => {
    const found = calendar(schedule, 'Europe/Berlin')
    expect(found).toEqual({ ...EVERY, ...expected, timeZone: 'Europe/Berlin' })
    expect(Calendar.parse(JSON.parse(JSON.stringify(found)))).toEqual(found)
  })

  it.each<[string, 'Both' | 'Either']>([
    ['0 0 13 * *', 'Both'],
    ['0 0 * * 5', 'Both'],
    ['0 0 13 * ?', 'Both'],
    ['0 0 13 * */1', 'Both'],
    ['0 0 */2 * *', 'Both'],
    ['0 0 * * */2', 'Both'],
    ['0 0 13 * 5', 'Either'],
    ['0 0 13 * 0-6', 'Either'],
    ['0 0 1-31 * 5', 'Either'],
    ['0 0 L * FRI', 'Either'],
  ])('%s takes %s of its day fields', (schedule, rule) => expect(calendar(schedule).dayRule).toBe(rule))
})

describe('a bad schedule', () => {
  it.each<[string, string, string | null]>([
    ['', 'must not be empty', 'write one such as "0 3 * * *": each day at 03:00'],
    [' \n', 'must not be empty', 'write one such as "0 3 * * *": each day at 03:00'],
    [`${'0,'.repeat(250)}0 * * * *`, 'must have at most 500 characters', null],
    [
      '0 3 * *',
      'has 4 fields instead of 5 or 6',
      'write minute, hour, day of the month, month, day of the week; a sixth, in front, is the second',
    ],
    [
      'daily',
      'has 1 field instead of 5 or 6',
      'write minute, hour, day of the month, month, day of the week; a sixth, in front, is the second',
    ],
    [
      '0 0 3 * * * 2027',
      'has 7 fields instead of 5 or 6',
      'write minute, hour, day of the month, month, day of the week; a sixth, in front, is the second',
    ],
    ['60 * * * *', 'has an impossible minute: `60`', 'it goes from 0 to 59'],
    ['* 24 * * *', 'has an impossible hour: `24`', 'it goes from 0 to 23'],
    ['* * 0 * *', 'has an impossible day of the month: `0`', 'it goes from 1 to 31'],
    ['* * 32W * *', 'has an impossible day of the month: `32W`', 'it goes from 1 to 31'],
    ['* * * 1,13 *', 'has an impossible month: `1,13`', 'it goes from 1 to 12'],
    ['* * * * 8', 'has an impossible day of the week: `8`', 'it goes from 0 to 6'],
    ['61 * * * * *', 'has an impossible second: `61`', 'it goes from 0 to 59'],
    ['1* * * * *', 'has an unreadable minute: `1*`', 'write *, 30, 0-29, */15, or a list of such'],
    ['1,,2 * * * *', 'has an unreadable minute: ``', 'write *, 30, 0-29, */15, or a list of such'],
    ['*/0 * * * *', 'has an unreadable minute: `*/0`', 'write *, 30, 0-29, */15, or a list of such'],
    ['-5 * * * *', 'has an unreadable minute: `-5`', 'write *, 30, 0-29, */15, or a list of such'],
    ['0 ? * * *', 'has an unreadable hour: `?`', 'write *, 3, 8-18, */6, or a list of such'],
    ['0 0-999999999 * * *', 'has an unreadable hour: `0-999999999`', 'write *, 3, 8-18, */6, or a list of such'],
    ['H 3 * * *', 'has an unreadable minute: `H`', 'write *, 30, 0-29, */15, or a list of such'],
    ['0 0 1 janfeb *', 'has an unreadable month: `janfeb`', 'write *, 6, JAN, JUN-AUG, */3, or a list of such'],
    [
      '0 0 LL * *',
      'has an unreadable day of the month: `LL`',
      'write *, 1, 10-20, */2, L (the last), L-2, 15W (the working day nearest to the 15th), or a list of such',
    ],
    [
      '0 0 * * MONDAY',
      'has an unreadable day of the week: `MONDAY`',
      'write *, 1, MON-FRI, SUN (0 and 7 too), FRIL (the last Friday of a month), MON#1 (the first Monday), or a list of such',
    ],
    [
      '*/90 * * * *',
      'has a step longer than one hour for the minute: `*/90`',
      'a step begins anew with each hour; list the values, or write several CronJobs',
    ],
    [
      '0 */48 * * *',
      'has a step longer than one day for the hour: `*/48`',
      'a step begins anew with each day; list the values, or write several CronJobs',
    ],
    ['0 0 31 2 *', 'names a date that never comes: `31 2`', 'write L for the last day of a month'],
    ['0 0 30,31 FEB *', 'names a date that never comes: `30,31 FEB`', 'write L for the last day of a month'],
    ['0 0 31 4,6,9,11 *', 'names a date that never comes: `31 4,6,9,11`', 'write L for the last day of a month'],
    ['0 0 L-29 2 *', 'names a date that never comes: `L-29 2`', 'write L for the last day of a month'],
    ['0 0 31W 6 *', 'names a date that never comes: `31W 6`', 'write L for the last day of a month'],
    [
      '0 0 */2 * MON',
      'names days in a way that crons disagree on: `*/2 MON`',
      'write a range for the star, such as 1-31/2: one of both days will do then',
    ],
    [
      '0 0 1 * */2',
      'names days in a way that crons disagree on: `1 */2`',
      'write a range for the star, such as 1-31/2: one of both days will do then',
    ],
    ['TZ=Europe/Berlin 0 3 * * *', 'names a time zone: `Europe/Berlin`', 'remove it here and set timeZone: Europe/Berlin'],
    ['CRON_TZ=UTC @daily', 'names a time zone: `UTC`', 'remove it here and set timeZone: UTC'],
    ['@reboot', 'names no schedule: `@reboot`', 'a Deployment runs whenever its machine is up, a Job once when it is applied'],
    ['@every 1h30m', 'names no schedule: `@every 1h30m`', 'write a step, such as "*/10 * * * *": every ten minutes'],
    ['@dayly', 'names no schedule: `@dayly`', 'did you mean "@daily"?'],
    ['@noon', 'names no schedule: `@noon`', 'there are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually'],
    ['@constructor', 'names no schedule: `@constructor`', 'there are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually'],
  ])('%j is refused', (schedule, message, hint) =>
    expect(parseSchedule(schedule, 'UTC')).toEqual({ ok: false, field: 'schedule', message, hint }),
  )

  it('is never more than a refusal, whatever it holds', () => {
    const piece = fc.constantFrom(...'0123456789*/-,?LW#@ \t\n=', '99', 'MON', 'jan', 'TZ=', '\u202e', '٣', '０')
    const text = fc.oneof(
      fc.string(),
      fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
    )
    const fields = fc.array(fc.array(piece, { minLength: 1, maxLength: 4 }), { minLength: 5, maxLength: 6 })
    const almost = fields.map((all) => all.map((one) => one.join('').replaceAll(/\s/g, '')).join(' '))
    fc.assert(
      fc.property(fc.oneof(text, almost), (schedule) => {
        const parsed = parseSchedule(schedule, 'UTC')
        if (parsed.ok) expect(Calendar.parse(parsed.calendar)).toEqual(parsed.calendar)
        else expect(parsed.message).toMatch(/^(must|has|names) /)
      }),
      { numRuns: 1000 },
    )
  })
})
