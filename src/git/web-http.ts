import type { GitHttpRequest, GitHttpResponse } from 'isomorphic-git'
import { type Dispatcher, request as send } from 'undici'
import { checkedAnswer, type Failure } from './answer.ts'
import { GitError } from './git-backend.ts'
import type { HttpCredentials } from './repo-address.ts'
import type { Transport, TransportOptions } from './transport.ts'

export interface WebRemote {
  readonly url: string
  readonly credentials: HttpCredentials | null
  readonly dispatcher: Dispatcher
}

const REDIRECTS = new Set([301, 302, 303, 307, 308])
const MAX_REDIRECTS = 3
const DISCOVERY = /\/info\/refs\?service=git-(?:upload|receive)-pack$/

const basic = (credentials: HttpCredentials): string =>
  `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`

/**
 * Where the repository says it has moved to. Only another path of the same host, or the same by https, is followed,
 * because the credentials go with it (Arcane CVE-2026-45625 is the warning).
 */
function redirectedBase(asked: string, location: string | undefined): string {
  const from = new URL(asked)
  const to = location === undefined || !URL.canParse(location, asked) ? null : new URL(location, asked)
  const samePlace =
    to !== null && to.hostname === from.hostname && (to.origin === from.origin || (from.protocol === 'http:' && to.protocol === 'https:'))
  const text = to === null ? '' : `${to.origin}${to.pathname}${to.search}`
  if (!samePlace || !DISCOVERY.test(text))
    throw new GitError('Unreachable', `the remote redirects to ${to?.host ?? 'nowhere'}, which is not followed`)
  return text.replace(DISCOVERY, '')
}

async function bodyOf(request: GitHttpRequest): Promise<Buffer | null> {
  if (request.body === undefined) return null
  const chunks: Uint8Array[] = []
  for await (const chunk of request.body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

type Answer = Dispatcher.ResponseData

function plainHeaders(answer: Answer): Record<string, string> {
  return Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [name, String(value)]))
}

interface Session {
  readonly remote: WebRemote
  readonly options: TransportOptions
  readonly failure: Failure
  /** The remote's own idea of its address, once it has redirected. */
  base: string
}

async function exchange(session: Session, request: GitHttpRequest, body: Buffer | null): Promise<Answer> {
  const { remote, options } = session
  const authorization = remote.credentials === null ? {} : { authorization: basic(remote.credentials) }
  return send(session.base + request.url.slice(remote.url.length), {
    method: request.method === 'POST' ? 'POST' : 'GET',
    headers: { ...request.headers, ...authorization },
    body,
    signal: options.signal,
    headersTimeout: options.silenceMs,
    bodyTimeout: options.silenceMs,
    dispatcher: remote.dispatcher,
  })
}

async function follow(session: Session, request: GitHttpRequest): Promise<Answer> {
  const body = await bodyOf(request)
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const answer = await exchange(session, request, body)
    if (!REDIRECTS.has(answer.statusCode)) return answer
    await answer.body.dump()
    session.base = redirectedBase(session.base + request.url.slice(session.remote.url.length), plainHeaders(answer).location)
  }
  throw new GitError('Unreachable', `the remote redirects more than ${MAX_REDIRECTS} times`)
}

async function respond(session: Session, request: GitHttpRequest): Promise<GitHttpResponse> {
  const { failure, options } = session
  try {
    const answer = await follow(session, request)
    const headers = plainHeaders(answer)
    const isGit = answer.statusCode === 200 && (headers['content-type'] ?? '').startsWith('application/x-git-')
    const body = isGit ? checkedAnswer(answer.body, { maxBytes: options.maxBytes, failure }) : answer.body[Symbol.asyncIterator]()
    return { url: request.url, statusCode: answer.statusCode, statusMessage: answer.statusText, headers, body }
  } catch (error) {
    failure.cause ??= error
    throw error
  }
}

/** An `http` plugin for isomorphic-git with an abort signal, a size limit, safe redirects and honest ends. */
export function webTransport(remote: WebRemote, options: TransportOptions): Transport {
  const session: Session = { remote, options, failure: { cause: undefined }, base: remote.url }
  return { http: { request: (request) => respond(session, request) }, url: remote.url, failure: session.failure, close: () => undefined }
}
