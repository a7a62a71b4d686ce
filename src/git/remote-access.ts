import { EnvHttpProxyAgent } from 'undici'
import { messageOf } from '../lib/errors.ts'
import type { Oid } from '../model/ids.ts'
import type { GitCaps } from './caps.ts'
import { withDeadline } from './deadline.ts'
import { toGitError } from './error-map.ts'
import { GitError } from './git-backend.ts'
import { isomorphicGit } from './isomorphic.ts'
import { pipeTransport } from './pipe-http.ts'
import { onlyOne } from './ref-name.ts'
import { displayUrl, type RemoteAddress } from './repo-address.ts'
import type { Transport, TransportOptions } from './transport.ts'
import { webTransport } from './web-http.ts'

export interface RemoteAccess {
  readonly address: RemoteAddress
  readonly caps: GitCaps
  open(options: TransportOptions): Transport
  close(): Promise<void>
}

/** @throws never; nothing is contacted until the first operation. HTTP(S)_PROXY and NO_PROXY are obeyed. */
export function remoteAccess(address: RemoteAddress, caps: GitCaps): RemoteAccess {
  if (address.kind !== 'http') {
    return { address, caps, open: (options) => pipeTransport(address, options), close: () => Promise.resolve() }
  }
  const dispatcher = new EnvHttpProxyAgent({ connections: 8 })
  return {
    address,
    caps,
    open: (options) => webTransport({ url: address.url, credentials: address.credentials, dispatcher }, options),
    close: () => dispatcher.destroy(),
  }
}

export interface Operation {
  /** For messages: `fetch`, `push`. */
  readonly name: string
  readonly signal: AbortSignal
  /** Milliseconds; those of a fetch unless told. */
  readonly deadlineMs?: number
}

function described(access: RemoteAccess, operation: Operation, error: unknown): Error {
  const known = toGitError(error)
  if (!(known instanceof GitError)) return known
  return new GitError(known.code, `${operation.name} ${displayUrl(access.address)}: ${messageOf(known)}`, { cause: error })
}

/** One conversation with the remote, within the deadline. @throws GitError that names the repository, without credentials. */
export function withRemote<T>(access: RemoteAccess, operation: Operation, run: (transport: Transport) => Promise<T>): Promise<T> {
  const what = `${operation.name} ${displayUrl(access.address)}`
  return withDeadline({ ms: operation.deadlineMs ?? access.caps.deadlineMs, signal: operation.signal, what }, async (signal) => {
    const transport = access.open({ signal, maxBytes: access.caps.packBytes, silenceMs: access.caps.silenceMs })
    try {
      const result = await run(transport)
      if (transport.failure.cause !== undefined) throw transport.failure.cause
      return result
    } catch (error) {
      throw described(access, operation, transport.failure.cause ?? error)
    } finally {
      transport.close()
    }
  })
}

export interface Tip {
  /** `refs/heads/main`, or a commit id. */
  readonly ref: string
  /** What the ref points at; for an annotated tag, the tag object. */
  readonly oid: Oid
}

/** Asks the remote where a name points now. @throws GitError `MissingRef`, `AmbiguousRef`, or that the remote is not there. */
export function findTip(access: RemoteAccess, ref: { name: string; candidates: readonly string[] }, signal: AbortSignal): Promise<Tip> {
  return withRemote(access, { name: 'ask', signal, deadlineMs: access.caps.askDeadlineMs }, async (transport) => {
    const git = await isomorphicGit()
    // Over a pipe every request is a process or an ssh login: one listing of all refs is cheaper than two filtered ones.
    const isPipe = access.address.kind !== 'http'
    const ask = (prefix: string) =>
      git.listServerRefs({ http: transport.http, url: transport.url, prefix, protocolVersion: isPipe ? 1 : 2 })
    const listed = isPipe ? await ask('refs/') : (await Promise.all(ref.candidates.map(ask))).flat()
    const found = listed.filter((entry) => ref.candidates.includes(entry.ref)).map((entry) => ({ ref: entry.ref, oid: entry.oid as Oid }))
    if (transport.failure.cause !== undefined) throw transport.failure.cause
    return onlyOne(ref.name, found)
  })
}
