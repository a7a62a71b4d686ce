import type { StoreChoice } from './deps.ts'
import { CliError, EXIT } from './exit.ts'

/** @throws CliError 2. */
export function parseListen(text: string): { host: string; port: number } {
  const [, host, port] = /^(.*):(\d{1,5})$/.exec(text) ?? []
  if (host === undefined || host === '' || Number(port) > 65_535) throw new CliError(EXIT.usage, `--listen wants HOST:PORT, not "${text}"`)
  return { host, port: Number(port) }
}

/** @throws CliError 2. */
export function parseStore(text: string): StoreChoice {
  if (text === 'embedded' || text === 'memory') return { type: text }
  const endpoints = text.split(',')
  if (endpoints.every((endpoint) => /^https?:\/\/[^/]+$/.test(endpoint))) return { type: 'etcd', endpoints }
  throw new CliError(EXIT.usage, `--store is embedded, memory, or etcd endpoints such as http://127.0.0.1:2379, not "${text}"`)
}

/** Collects `--label k=v` given several times. @throws CliError 2. */
export function parseLabel(text: string, before: Readonly<Record<string, string>>): Record<string, string> {
  const [, key, value] = /^([A-Za-z0-9][-A-Za-z0-9_./]{0,252})=(.{0,256})$/.exec(text) ?? []
  if (key === undefined || value === undefined) throw new CliError(EXIT.usage, `--label wants KEY=VALUE, not "${text}"`)
  return { ...before, [key]: value }
}
