import { CliError, EXIT } from './exit.ts'

/** @throws CliError 2. */
export function parseListen(text: string): { host: string; port: number } {
  const [, host, port] = /^(.*):(\d{1,5})$/.exec(text) ?? []
  if (host === undefined || host === '' || Number(port) > 65_535) throw new CliError(EXIT.usage, `--listen wants HOST:PORT, not "${text}"`)
  return { host, port: Number(port) }
}

/** @throws CliError 2. */
export function parseStore(text: string): string {
  if (text === 'embedded' || text === 'memory' || /^etcd:\/\/[^/]+(\/.*)?$/.test(text)) return text
  throw new CliError(EXIT.usage, `--store is embedded, memory or etcd://HOST:2379,HOST/PREFIX, not "${text}"`)
}

/** A server's state must outlive it. @throws CliError 2. */
export function parseServerStore(text: string): string {
  if (text !== 'memory') return parseStore(text)
  throw new CliError(EXIT.usage, 'a server cannot keep its state in memory', 'use --store embedded, or etcd://HOST:2379,HOST/PREFIX')
}

/** @throws CliError 2. */
export function parseAdvertise(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url?.protocol === 'https:' && url.pathname === '/') return url.origin
  throw new CliError(EXIT.usage, `a server is reached at https://HOST:PORT, not at "${text}"`)
}

/** Collects `--label k=v` given several times. @throws CliError 2. */
export function parseLabel(text: string, before: Readonly<Record<string, string>>): Record<string, string> {
  const [, key, value] = /^([A-Za-z0-9][-A-Za-z0-9_./]{0,252})=(.{0,256})$/.exec(text) ?? []
  if (key === undefined || value === undefined) throw new CliError(EXIT.usage, `--label wants KEY=VALUE, not "${text}"`)
  return { ...before, [key]: value }
}
