import { Option } from 'commander'
import { CliError, EXIT } from './exit.ts'

/** Options that several commands share, and readers of their values. Only commander is loaded here. */

export const outputOption = (formats: readonly string[]): Option =>
  new Option('-o, --output <format>', 'how to print').choices([...formats]).default(formats[0])

export const TABLES = ['table', 'wide', 'json', 'yaml', 'name']
export const REPORTS = ['text', 'json', 'yaml']

export const namespaceOption = (): Option => new Option('-n, --namespace <name>', 'namespace of the object').default('default')

/** An option that is read by `parse`; help shows the default as people write it. */
export const parsedOption = <T>(flags: string, text: string, { parse, value }: { parse: (text: string) => T; value: string }): Option =>
  new Option(flags, text).argParser(parse).default(parse(value), value)

/** Given several times it collects; help shows what none of them means. */
export const recipientOption = (text: string, nobody: string): Option =>
  new Option('--recipient <age1...>', text).argParser((one, before: readonly string[]) => [...before, one]).default([], nobody)

export const timeoutOption = (value: string): Option =>
  parsedOption('--timeout <duration>', 'how long to wait, such as 90s or 5m', { parse: durationOf, value })

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

const DURATION = /^(\d+(\.\d+)?(ms|[smhd]))+$/

/** `500ms`, `2s`, `1h30m` as milliseconds. @throws CliError 2. */
export function durationOf(text: string): number {
  if (!DURATION.test(text))
    throw new CliError(EXIT.usage, `"${text}" is no duration`, 'write a number with its unit: 500ms, 90s, 5m, 1h30m')
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)
  return [...parts].reduce((sum, [, amount, unit = '']) => sum + Number(amount) * (UNITS[unit] ?? 0), 0)
}

/** So many milliseconds ago, or a moment in milliseconds since 1970. */
export type Moment = { readonly ago: number } | { readonly at: number }

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i

/** `10m` for ten minutes ago, or `2026-11-21T18:00:00Z`. @throws CliError 2. */
export function momentOf(text: string): Moment {
  if (DURATION.test(text)) return { ago: durationOf(text) }
  const at = RFC_3339.test(text) && isDay(text.slice(0, 10)) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(at)) return { at }
  throw new CliError(EXIT.usage, `"${text}" is no time`, 'say how long ago, such as 10m, or when, with the zone: 2026-11-21T18:00:00Z')
}

/** JavaScript takes February 31 for March 3. */
function isDay(day: string): boolean {
  const at = Date.parse(day)
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(day)
}

/** @throws CliError 2. */
export function countOf(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new CliError(EXIT.usage, `"${text}" is no count`)
  return Number(text)
}

/** `$XDG_STATE_HOME/drover`, as the base directory specification has it. */
export function defaultDataDir(env: Readonly<Record<string, string | undefined>>): string {
  const state = env.XDG_STATE_HOME ?? `${env.HOME ?? '/var/lib'}/.local/state`
  return `${state}/drover`
}
