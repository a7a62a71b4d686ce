import { describe, expect, it } from 'vitest'
import { parseSchedule } from '../../src/manifest/cron.ts'
import { timeZoneFinding } from '../../src/manifest/time-zone.ts'

const LIST = 'write a name of the IANA list, such as Europe/Berlin or UTC'

describe('a time zone', () => {
  it.each([
    ...['UTC', 'Etc/UTC', 'GMT', 'CET', 'EST5EDT', 'Etc/GMT+5', 'Europe/Berlin', 'Asia/Kolkata', 'Asia/Calcutta'],
    ...['America/Argentina/Buenos_Aires', 'Australia/Lord_Howe', 'US/Eastern', 'Japan'],
  ])('%s is known', (name) => expect(timeZoneFinding(name)).toBeNull())

  it.each([
    ['Europe/Berln', 'did you mean "Europe/Berlin"?'],
    ['Europe/Kyev', 'did you mean "Europe/Kyiv"?'],
    ['Asia/Kolkatta', 'did you mean "Asia/Kolkata"?'],
    ['Berlin', 'did you mean "Europe/Berlin"?'],
    ['New York', 'did you mean "America/New_York"?'],
    ['Germany/Berlin', 'did you mean "Europe/Berlin"?'],
    ['Europe/Lisboa', 'did you mean "Europe/Lisbon"?'],
    ['Mars/Base', LIST],
    ['', LIST],
    ['Local', LIST],
    ['+02:00', LIST],
    ['CEST', LIST],
    // Intl takes these for Dhaka, Kolkata, Los Angeles and Anchorage.
    ['BST', LIST],
    ['IST', LIST],
    ['pst', LIST],
    ['AST', LIST],
    ['SystemV/AST4ADT', LIST],
    ['Europe/Berlin\u202e', 'did you mean "Europe/Berlin"?'],
  ])('%j is refused', (name, hint) => {
    const finding = timeZoneFinding(name)
    expect(finding?.message).toBe(`names no time zone: \`${name.replace('\u202e', '<U+202E>')}\``)
    expect(finding?.hint).toBe(hint)
  })

  it('that is unknown is told as the fault of its own field', () =>
    expect(parseSchedule('@daily', 'Europe/Berln')).toEqual({
      ok: false,
      field: 'timeZone',
      message: 'names no time zone: `Europe/Berln`',
      hint: 'did you mean "Europe/Berlin"?',
    }))
})
