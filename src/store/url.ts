import { TerminalError } from '../lib/errors.ts'
import { DEFAULT_ROOT } from './keys.ts'

export type StoreUrl = { kind: 'memory' } | { kind: 'embedded' } | { kind: 'etcd'; hosts: string[]; root: string }

const ETCD_URL = /^etcd:\/\/(?<hosts>[^/?#]+)(?<path>\/[\x21-\x7e]*)?$/
const HOST = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?<port>:\d{1,5})?$/

/**
 * `memory`, `embedded` or `etcd://h1:2379,h2/prefix`; the port defaults to 2379, the prefix to `/drover/v1/`.
 * @throws TerminalError `BadStoreUrl`.
 */
export function parseStoreUrl(url: string): StoreUrl {
  if (url === 'memory' || url === 'embedded') return { kind: url }
  const groups = ETCD_URL.exec(url)?.groups
  const hosts = groups?.hosts?.split(',').map(withPort) ?? []
  if (hosts.length === 0 || hosts.includes(null)) {
    throw new TerminalError('BadStoreUrl', `not a store: ${JSON.stringify(url)}; use embedded, memory or etcd://HOST:2379,HOST/PREFIX`)
  }
  return { kind: 'etcd', hosts: hosts.filter((host) => host !== null), root: rootOf(groups?.path ?? '') }
}

function withPort(host: string): string | null {
  const match = HOST.exec(host)
  if (match === null) return null
  return match.groups?.port === undefined ? `${host}:2379` : host
}

function rootOf(path: string): string {
  const trimmed = path.replaceAll(/^\/+|\/+$/g, '')
  return trimmed === '' ? DEFAULT_ROOT : `/${trimmed}/`
}
