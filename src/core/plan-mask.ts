import { hash } from './schedule/hash.ts'

export const MASKED = '(sensitive)'
export const MASKED_CHANGE = '(sensitive, changed)'

const SECRET_NAME = /PASSWORD|PASSWD|PASSPHRASE|TOKEN|SECRET|CREDENTIAL|KEY/i
const SECRET_FLAG = /^(-{0,2}[\w.-]*(?:password|passwd|passphrase|token|secret|credential|key)[\w.-]*)(=?)(.*)$/is
const URL_PASSWORD = /(:\/\/[^/\s:@]*:)[^/\s@]+@/g

/** True for names of variables and files whose value is better not shown; too many rather than too few. */
export const looksSecret = (name: string): boolean => SECRET_NAME.test(name)

/** Hides passwords in URLs and values of secret-looking flags, `--token=x` and `--token x` alike. */
export function maskValue(value: unknown): unknown {
  if (typeof value === 'string') return maskFlag(value.replace(URL_PASSWORD, `$1${MASKED}@`))
  if (!Array.isArray(value)) return value
  return value.map((item, position) => (isValueOfFlag(value[position - 1], item) ? MASKED : maskValue(item)))
}

function maskFlag(text: string): string {
  const [, name = '', equals, rest] = SECRET_FLAG.exec(text) ?? []
  return equals === '=' && rest !== '' ? `${name}=${MASKED}` : text
}

function isValueOfFlag(previous: unknown, item: unknown): boolean {
  if (typeof previous !== 'string' || typeof item !== 'string' || !previous.startsWith('-') || item.startsWith('-')) return false
  const [, , equals, rest] = SECRET_FLAG.exec(previous) ?? []
  return equals === '' && rest === ''
}

/** Eight hex digits that change when the text does, as a mark of "another content". Not for secrets: short ones could be guessed. */
export const contentMark = (text: string): string => `<${hash(0, text).toString(16).padStart(8, '0')}>`

const linesOf = (text: string): string[] => text.replace(/\n$/, '').split('\n')

/** How much of a text changed, in lines, without saying what: `12 lines changed`. Linear: equal lines are matched by content, not place. */
export function lineSummary(before: string | undefined, after: string | undefined): string {
  if (before === undefined) return `added, ${count(linesOf(after ?? '').length)}`
  if (after === undefined) return `removed, ${count(linesOf(before).length)}`
  const changed = Math.max(surplus(linesOf(before), linesOf(after)), surplus(linesOf(after), linesOf(before)))
  return changed === 0 ? 'lines moved' : `${count(changed)} changed`
}

const count = (lines: number): string => (lines === 1 ? '1 line' : `${lines} lines`)

/** How many lines of `these` have no equal left in `those`. */
function surplus(these: readonly string[], those: readonly string[]): number {
  const left = new Map<string, number>()
  for (const line of those) left.set(line, (left.get(line) ?? 0) + 1)
  return these.filter((line) => {
    const available = left.get(line) ?? 0
    left.set(line, available - 1)
    return available <= 0
  }).length
}
