import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Period, periodAt } from '../../../src/core/calendar/zone.ts'

const HOUR = 3_600_000
const at = (iso: string): number => Date.parse(`${iso}Z`)

/** The shifts of a zone's clock between two instants: when, and the offsets around it, in hours. */
function shifts(zone: string, { after, upTo }: { after: string; upTo: string }): [string, number, number][] {
  const periods: Period[] = []
  for (let period = periodAt(zone, at(after)); period.from <= at(upTo); period = periodAt(zone, period.to)) periods.push(period)
  return periods
    .filter(({ offset, before, from }) => offset !== before && from > at(after))
    .map(({ from, before, offset }) => [new Date(from).toISOString().slice(0, 16), before / HOUR, offset / HOUR])
}

describe('periods of a zone', () => {
  const of2026 = { after: '2026-01-01T00:00', upTo: '2027-01-01T00:00' }

  it.each<[string, typeof of2026, [string, number, number][]]>([
    [
      'Europe/Berlin',
      of2026,
      [
        ['2026-03-29T01:00', 1, 2],
        ['2026-10-25T01:00', 2, 1],
      ],
    ],
    [
      'America/New_York',
      of2026,
      [
        ['2026-03-08T07:00', -5, -4],
        ['2026-11-01T06:00', -4, -5],
      ],
    ],
    [
      'Australia/Lord_Howe',
      of2026,
      [
        ['2026-04-04T15:00', 11, 10.5],
        ['2026-10-03T15:30', 10.5, 11],
      ],
    ],
    ['UTC', of2026, []],
    ['Asia/Kolkata', of2026, []],
    // One clock was put forward by a day, another out of summer time for Ramadan.
    ['Pacific/Apia', { after: '2011-12-01T00:00', upTo: '2012-01-31T00:00' }, [['2011-12-30T10:00', -10, 14]]],
    [
      'Africa/Casablanca',
      { after: '2026-01-01T00:00', upTo: '2026-12-31T00:00' },
      [
        ['2026-02-15T02:00', 1, 0],
        ['2026-03-22T02:00', 0, 1],
      ],
    ],
    // The shortest time between a shift and the one back.
    [
      'America/Boa_Vista',
      { after: '2000-07-01T00:00', upTo: '2001-07-01T00:00' },
      [
        ['2000-10-08T04:00', -4, -3],
        ['2000-10-15T03:00', -3, -4],
      ],
    ],
    ['Africa/Monrovia', { after: '1972-01-01T00:00', upTo: '1973-01-01T00:00' }, [['1972-01-07T00:44', -44.5 / 60, 0]]],
  ])('%s', (zone, range, expected) => expect(shifts(zone, range)).toEqual(expected))

  it('follow each other without a hole, and tell what Intl tells', () => {
    const zones = fc.constantFrom('UTC', 'Asia/Kolkata', ...Intl.supportedValuesOf('timeZone'))
    fc.assert(
      fc.property(zones, fc.integer({ min: 0, max: Date.UTC(2040) }), (zone, instant) => {
        const period = periodAt(zone, instant)
        expect(period.from <= instant && instant < period.to).toBe(true)
        expect(periodAt(zone, period.to).from).toBe(period.to)
        expect(periodAt(zone, period.to).before).toBe(period.offset)
        expect(periodAt(zone, period.from - 1).to).toBe(period.from)
        const shown = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' }).format(instant)
        expect(new Date(instant + period.offset).toISOString().slice(0, 19).replace('T', ' ')).toBe(shown)
      }),
      { numRuns: 200 },
    )
  })

  it('are of a known zone and a real instant', () => {
    expect(() => periodAt('Mars/Base', 0)).toThrow('Mars/Base')
    expect(() => periodAt('UTC', Number.NaN)).toThrow('no instant')
  })
})
