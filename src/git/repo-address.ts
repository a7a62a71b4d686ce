import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { GitError } from './git-backend.ts'

export interface HttpCredentials {
  readonly username: string
  readonly password: string
}

export interface SshAddress {
  readonly kind: 'ssh'
  readonly host: string
  readonly user: string | null
  readonly port: number | null
  readonly path: string
}

export type RemoteAddress =
  | { readonly kind: 'http'; readonly url: string; readonly credentials: HttpCredentials | null }
  | { readonly kind: 'file'; readonly path: string }
  | SshAddress

/** Where a repository is. A path is read in place; the others are remotes. */
export type RepoAddress = { readonly kind: 'local'; readonly path: string } | RemoteAddress

const HAS_SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:/
const HELPER = /^[A-Za-z0-9]+::/
const SCP_LIKE = /^(?:(?<user>[^/@:]+)@)?(?<host>[^/@:]+):(?<path>[^:].*)$/
/** No leading `-`: ssh would take it for an option (CVE-2017-1000117). */
const HOST = /^(?!-)[A-Za-z0-9._-]+$|^\[[0-9A-Fa-f:.]+\]$/
const USER = /^(?!-)[A-Za-z0-9._-]+$/

/** What may be shown and stored: without user and password. */
export function displayUrl(address: RepoAddress): string {
  if (address.kind === 'http') return address.url
  if (address.kind !== 'ssh') return address.kind === 'file' ? `file://${address.path}` : address.path
  const user = address.user === null ? '' : `${address.user}@`
  const port = address.port === null ? '' : `:${address.port}`
  return `ssh://${user}${address.host}${port}/${address.path.replace(/^\//, '')}`
}

function sshAddress(parts: Omit<SshAddress, 'kind'>): SshAddress {
  const safe = HOST.test(parts.host) && (parts.user === null || USER.test(parts.user)) && !/[\0\n]/.test(parts.path)
  if (!safe || parts.path.startsWith('-')) throw new GitError('Unsupported', 'the ssh address has characters that are not allowed')
  return { kind: 'ssh', ...parts, host: parts.host.replace(/^\[|\]$/g, '') }
}

function parseUrl(text: string): URL {
  try {
    return new URL(text)
  } catch (cause) {
    throw new GitError('Unsupported', 'the repository address is not a valid URL', { cause })
  }
}

function fromUrl(text: string): RemoteAddress {
  const url = parseUrl(text)
  if (url.protocol === 'file:') return { kind: 'file', path: filePath(url) }
  if (url.protocol === 'ssh:') {
    const path = decodeURIComponent(url.pathname).replace(/^\/~/, '~')
    return sshAddress({ host: url.hostname, user: decodeURIComponent(url.username) || null, port: Number(url.port) || null, path })
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new GitError('Unsupported', `${url.protocol} repositories are not supported; use a path, https, http, ssh or file`)
  }
  const credentials =
    url.username === '' ? null : { username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) }
  const bare = `${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, '')}`
  return { kind: 'http', url: bare, credentials }
}

function filePath(url: URL): string {
  if (url.host !== '') throw new GitError('Unsupported', 'a file:// address must not name a host')
  return fileURLToPath(url)
}

/** @throws GitError `Unsupported` for every scheme but path, file, ssh, http and https; never shows credentials. */
export function parseRepo(repo: string): RepoAddress {
  if (repo === '' || repo.includes('\0') || HELPER.test(repo)) throw new GitError('Unsupported', 'this is not a repository address')
  if (/^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(repo)) return fromUrl(repo)
  const scp = repo.startsWith('.') || repo.startsWith('/') ? null : SCP_LIKE.exec(repo)?.groups
  if (scp?.host !== undefined && scp.path !== undefined) {
    return sshAddress({ host: scp.host, user: scp.user ?? null, port: null, path: scp.path })
  }
  if (HAS_SCHEME.test(repo)) throw new GitError('Unsupported', 'this is not a repository address')
  return { kind: 'local', path: resolve(repo) }
}
