import { validateDetailed } from 'node-cron'
import type { Calendar, DayOfMonth, DayOfWeek } from '../model/calendar.ts'
import { FIELD_KEYS, FIELDS, type FieldKey, formFinding, isDisputed, isOpen } from './cron-fields.ts'
import { type Finding, quote, shorten } from './problem.ts'
import { didYouMean } from './suggest.ts'
import { timeZoneFinding } from './time-zone.ts'

/** A refusal says which of the two fields it is about; its message is a clause that follows the field's name. */
export type Schedule = { ok: true; calendar: Calendar } | ({ ok: false; field: 'schedule' | 'timeZone' } & Finding)

/** A schedule's fields as written; a nickname and a missing second are written out. */
type Texts = Readonly<Record<FieldKey, string>>
type Value = number | string
/** Which values each field names. */
type Values = Readonly<Record<FieldKey, readonly Value[]>>
type Reading<T> = { ok: true; value: T } | ({ ok: false } & Finding)

/** Longer than any schedule needs: all minutes of an hour, listed, are 169 characters. */
const MAX_LENGTH = 500
const FORM = 'minute, hour, day of the month, month, day of the week; a sixth, in front, is the second'
const NICKNAMES: Readonly<Record<string, string>> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
}
const SHORT_MONTHS: Readonly<Record<number, number>> = { 2: 29, 4: 30, 6: 30, 9: 30, 11: 30 }

const refuse = (message: string, hint: string | null): { ok: false } & Finding => ({ ok: false, message, hint })

function textsOf(schedule: string): Reading<Texts> {
  const text = schedule.trim()
  if (text === '') return refuse('must not be empty', 'write one such as "0 3 * * *": each day at 03:00')
  if (text.length > MAX_LENGTH) return refuse(`must have at most ${MAX_LENGTH} characters`, null)
  const [, zone] = /^(?:CRON_)?TZ=(\S*)/.exec(text) ?? []
  if (zone !== undefined) return refuse(`names a time zone: ${quote(zone)}`, `remove it here and set timeZone: ${shorten(zone)}`)
  const written = text.startsWith('@') ? NICKNAMES[text.toLowerCase()] : text
  if (written === undefined) return unknownNickname(text)
  const fields = written.split(/[ \t]+/)
  if (fields.length < 5 || fields.length > 6)
    return refuse(`has ${fields.length} ${fields.length === 1 ? 'field' : 'fields'} instead of 5 or 6`, `write ${FORM}`)
  const [second = '', minute = '', hour = '', dayOfMonth = '', month = '', dayOfWeek = ''] = fields.length === 5 ? ['0', ...fields] : fields
  const day = (field: string): string => (field === '?' ? '*' : field)
  return { ok: true, value: { second, minute, hour, dayOfMonth: day(dayOfMonth), month, dayOfWeek: day(dayOfWeek) } }
}

function unknownNickname(text: string): Reading<never> {
  const message = `names no schedule: ${quote(text)}`
  if (/^@reboot$/i.test(text)) return refuse(message, 'a Deployment runs whenever its machine is up, a Job once when it is applied')
  if (/^@every\b/i.test(text)) return refuse(message, 'write a step, such as "*/10 * * * *": every ten minutes')
  const names = Object.keys(NICKNAMES)
  return refuse(message, didYouMean(text, names) ?? `there are ${names.join(', ')}`)
}

/** node-cron knows no `5/15`, which is `5-59/15` for those that do. */
const withEnd = (item: string, max: number): string => item.replace(/^([^-*/]+)\//, `$1-${max}/`)

/** node-cron reads one field at a time, the others left open, so that it judges this one alone. */
function valuesOf(key: FieldKey, text: string): readonly Value[] | undefined {
  const items = text.split(',').map((item) => withEnd(item, FIELDS[key].max))
  const pattern = FIELD_KEYS.map((one) => (one === key ? items.join(',') : '*')).join(' ')
  return validateDetailed(pattern).fields?.[key]
}

function readFields(texts: Texts): Reading<Values> {
  const values: Record<FieldKey, readonly Value[]> = { second: [], minute: [], hour: [], dayOfMonth: [], month: [], dayOfWeek: [] }
  for (const key of FIELD_KEYS) {
    const finding = formFinding(key, texts[key])
    if (finding !== null) return { ok: false, ...finding }
    const { noun, min, max } = FIELDS[key]
    const found = valuesOf(key, texts[key])
    if (found === undefined) return refuse(`has an impossible ${noun}: ${quote(texts[key])}`, `it goes from ${min} to ${max}`)
    values[key] = found
  }
  return { ok: true, value: values }
}

const numbers = (values: readonly Value[]): number[] =>
  [...new Set(values)].filter((value) => typeof value === 'number').sort((a, b) => a - b)
const words = (values: readonly Value[]): string[] => [...new Set(values)].filter((value) => typeof value === 'string').sort()

/** `L`, `L-3`, `15W`, `LW`. */
function dayOfMonth(word: string): DayOfMonth {
  if (word.endsWith('W')) return { workdayNear: word === 'LW' ? 'Last' : Number.parseInt(word, 10) }
  return { beforeLast: word === 'L' ? 0 : Number(word.slice('L-'.length)) }
}

/** `5L`, `1#2`. */
function dayOfWeek(word: string): DayOfWeek {
  const weekday = Number(word[0])
  return { weekday, nth: word.endsWith('L') ? 'Last' : Number(word.slice('1#'.length)) }
}

/** Whether a month of a length has the day. */
function hasDay(length: number, day: DayOfMonth): boolean {
  if (typeof day === 'number') return day <= length
  if ('beforeLast' in day) return day.beforeLast < length
  return day.workdayNear === 'Last' || day.workdayNear <= length
}

/** What is wrong with days that are each right by themselves. */
function dayFinding({ dayOfMonth, month, dayOfWeek }: Texts, { daysOfMonth, months }: Calendar): Finding | null {
  const longest = Math.max(...months.map((one) => SHORT_MONTHS[one] ?? 31))
  if (!daysOfMonth.some((day) => hasDay(longest, day)))
    return { message: `names a date that never comes: ${quote(`${dayOfMonth} ${month}`)}`, hint: 'write L for the last day of a month' }
  const days = [dayOfMonth, dayOfWeek]
  if (days.some(isOpen) || !days.some(isDisputed)) return null
  const hint = 'write a range for the star, such as 1-31/2: one of both days will do then'
  return { message: `names days in a way that crons disagree on: ${quote(days.join(' '))}`, hint }
}

function calendarOf(texts: Texts, values: Values, timeZone: string): Calendar {
  const hours = numbers(values.hour)
  return {
    seconds: numbers(values.second),
    minutes: numbers(values.minute),
    hours,
    daysOfMonth: [...numbers(values.dayOfMonth), ...words(values.dayOfMonth).map(dayOfMonth)],
    months: numbers(values.month),
    daysOfWeek: [...numbers(values.dayOfWeek), ...words(values.dayOfWeek).map(dayOfWeek)],
    dayRule: isOpen(texts.dayOfMonth) || isOpen(texts.dayOfWeek) ? 'Both' : 'Either',
    hourRule: texts.hour.includes('*') || hours.length === 24 ? 'Wildcard' : 'Fixed',
    timeZone,
  }
}

/**
 * Reads a cron schedule: five fields, six with the second in front, or `@daily` and its like. Lists, ranges (also over
 * the end: `22-2`), steps, names, and Quartz' `L`, `W` and `#`. Where both day fields name days, a day that one of them
 * names will do, as in Kubernetes and Vixie cron; node-cron itself would ask for both.
 * @param timeZone a name of the IANA list, in which the schedule's hours are meant
 */
export function parseSchedule(schedule: string, timeZone: string): Schedule {
  const zone = timeZoneFinding(timeZone)
  if (zone !== null) return { ok: false, field: 'timeZone', ...zone }
  const texts = textsOf(schedule)
  if (!texts.ok) return { ...texts, field: 'schedule' }
  const values = readFields(texts.value)
  if (!values.ok) return { ...values, field: 'schedule' }
  const calendar = calendarOf(texts.value, values.value, timeZone)
  const finding = dayFinding(texts.value, calendar)
  return finding === null ? { ok: true, calendar } : { ok: false, field: 'schedule', ...finding }
}
