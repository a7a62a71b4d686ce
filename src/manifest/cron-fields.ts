import { type Finding, quote } from './problem.ts'

export type FieldKey = 'second' | 'minute' | 'hour' | 'dayOfMonth' | 'month' | 'dayOfWeek'

/** One field of a schedule: what it is called, within what it counts, its values, and what may stand in it beside numbers. */
interface Field {
  readonly noun: string
  readonly within: string
  readonly min: number
  readonly max: number
  readonly names: string
  readonly special: string
  readonly examples: string
}

const MONTHS = 'jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec'
const WEEKDAYS = 'sun|mon|tue|wed|thu|fri|sat'
const plain = { names: '', special: '' }

export const FIELDS: Readonly<Record<FieldKey, Field>> = {
  second: { ...plain, noun: 'second', within: 'minute', min: 0, max: 59, examples: '*, 0, 0-29, */15' },
  minute: { ...plain, noun: 'minute', within: 'hour', min: 0, max: 59, examples: '*, 30, 0-29, */15' },
  hour: { ...plain, noun: 'hour', within: 'day', min: 0, max: 23, examples: '*, 3, 8-18, */6' },
  dayOfMonth: {
    noun: 'day of the month',
    within: 'month',
    min: 1,
    max: 31,
    names: '',
    special: 'LW?|L-\\d{1,2}|\\d{1,2}W',
    examples: '*, 1, 10-20, */2, L (the last), L-2, 15W (the working day nearest to the 15th)',
  },
  month: { ...plain, noun: 'month', within: 'year', min: 1, max: 12, names: MONTHS, examples: '*, 6, JAN, JUN-AUG, */3' },
  dayOfWeek: {
    noun: 'day of the week',
    within: 'week',
    min: 0,
    max: 6,
    names: WEEKDAYS,
    special: `(?:[0-7]|${WEEKDAYS})(?:L|#[1-5])`,
    examples: '*, 1, MON-FRI, SUN (0 and 7 too), FRIL (the last Friday of a month), MON#1 (the first Monday)',
  },
}
export const FIELD_KEYS = Object.keys(FIELDS) as FieldKey[]

function patternOf({ names, special }: Field): RegExp {
  const value = names === '' ? '\\d{1,2}' : `(?:\\d{1,2}|${names})`
  const range = `(?:\\*|${value}(?:-${value})?)(?:/[1-9]\\d{0,2})?`
  return new RegExp(`^(?:${[range, special].filter((one) => one !== '').join('|')})$`, 'i')
}

/**
 * What is wrong with the form of a field, as a clause; null when nothing is. node-cron judges the numbers, but it takes
 * `2*` for 20-23 and `janfeb` for December, and fills the memory with `0-999999999`.
 */
export function formFinding(key: FieldKey, text: string): Finding | null {
  const field = FIELDS[key]
  const pattern = patternOf(field)
  const odd = text.split(',').find((item) => !pattern.test(item))
  if (odd !== undefined)
    return { message: `has an unreadable ${field.noun}: ${quote(odd)}`, hint: `write ${field.examples}, or a list of such` }
  const size = field.max - field.min + 1
  const tooLong = text.split(',').find((item) => item.startsWith('*/') && Number(item.slice(2)) > size)
  if (tooLong === undefined) return null
  const hint = `a step begins anew with each ${field.within}; list the values, or write several CronJobs`
  return { message: `has a step longer than one ${field.within} for the ${field.noun}: ${quote(tooLong)}`, hint }
}

/** True for a day field that names no days: a star, also as `?` or with a step of one. */
export const isOpen = (text: string): boolean => text === '*' || text === '*/1'

/** Kubernetes takes such a field for one that names days, Vixie cron for one that does not. */
export const isDisputed = (text: string): boolean => text.includes('*') && !isOpen(text)
