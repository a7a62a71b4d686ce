import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { isIP, type LookupFunction } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { Agent, type Dispatcher, request } from 'undici'
import { messageOf, RetryableError, TerminalError } from '../../src/lib/errors.ts'
import type { Millis } from '../../src/model/ids.ts'
import { type Asker, askerOf, refusalOf } from './addresses.ts'

export interface FetchLimits {
  readonly maxBytes: number
  /** Of the whole fetch, redirects included. */
  readonly deadlineMs: Millis
  /** Without a connection, an answer or another byte of it. */
  readonly silenceMs: Millis
}

export interface FetchOptions {
  readonly limits: FetchLimits
  readonly lookup: LookupFunction
  readonly signal: AbortSignal
}

const MAX_REDIRECTS = 5
/** What may pass beside a server's own trouble: too slow, too early, too many. */
const PASSING = new Set([408, 425, 429])

/** Without its query, which may hold somebody's signature. */
export const shownUrl = (url: string): string => {
  const { origin, pathname, search } = new URL(url)
  return `${origin}${pathname}${search === '' ? '' : '?...'}`
}

/**
 * Writes what an http or https URL gives to the new file `path`, as it is served, and returns its sha256 as hex digits.
 * Asks without credentials and proxies, and trusts the certificate authorities of Node (NODE_EXTRA_CA_CERTS adds some).
 * Redirects are followed, but none from https to http. After an error part of the file lies there.
 * @throws RetryableError; TerminalError `ArtifactNotFound`, `ArtifactForbidden`, `ArtifactTooLarge`, `ArtifactRefused`
 */
export async function fetchFile(url: string, path: string, { limits, lookup, signal }: FetchOptions): Promise<string> {
  const deadline = AbortSignal.timeout(limits.deadlineMs)
  const from = { url: new URL(url), asker: askerOf(new URL(url).hostname) }
  const dispatcher = agentFor(from.asker, { limits, lookup })
  try {
    const body = await answerOf(from, { dispatcher, signal: AbortSignal.any([signal, deadline]) })
    return await save(body, path, limits.maxBytes)
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof TerminalError || error instanceof RetryableError) throw error
    const why = deadline.aborted ? `it took longer than ${limits.deadlineMs / 1000} s` : messageOf(error)
    throw new RetryableError(`${shownUrl(url)} was not fetched: ${why}`, { cause: error })
  } finally {
    await dispatcher.destroy()
  }
}

/** Looks at the very addresses that it then connects to: what a name means may change from one question to the next. */
function agentFor(asker: Asker, { limits: { silenceMs }, lookup }: Pick<FetchOptions, 'limits' | 'lookup'>): Agent {
  const guarded: LookupFunction = (hostname, options, done) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      const addresses = Array.isArray(found) ? found : []
      const refusal = addresses.map(({ address }) => refusalOf(address, asker)).find((why) => why !== null)
      const [first] = addresses
      if (error !== null || first === undefined) done(error ?? new Error(`${hostname} has no address`), '')
      else if (refusal !== undefined) done(refused(`${hostname} is not fetched from: ${refusal}`), '')
      else if (options.all === true) done(null, addresses)
      else done(null, first.address, first.family)
    })
  }
  return new Agent({ headersTimeout: silenceMs, bodyTimeout: silenceMs, connect: { lookup: guarded, timeout: silenceMs } })
}

const refused = (message: string): TerminalError => new TerminalError('ArtifactRefused', message)

interface Hop {
  readonly url: URL
  readonly asker: Asker
}

interface Asking {
  readonly dispatcher: Dispatcher
  readonly signal: AbortSignal
}

/** The body of the answer behind all redirects. */
async function answerOf({ url, asker }: Hop, asking: Asking, redirects = 0): Promise<Dispatcher.ResponseData> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  // No lookup is made for an address.
  const refusal = isIP(host) === 0 ? null : refusalOf(host, asker)
  if (refusal !== null) throw refused(`${shownUrl(url.href)} is not fetched: ${refusal}`)
  const response = await request(url, { ...asking, headers: { 'user-agent': 'drover-agent', 'accept-encoding': 'identity' } })
  if (response.statusCode === 200) return response
  await response.body.dump()
  const { location } = response.headers
  if (response.statusCode < 300 || response.statusCode >= 400 || typeof location !== 'string') throw failureOf(url, response.statusCode)
  if (redirects === MAX_REDIRECTS) throw refused(`${shownUrl(url.href)} redirects more than ${MAX_REDIRECTS} times`)
  return await answerOf({ url: nextOf(url, location), asker }, asking, redirects + 1)
}

function nextOf(url: URL, location: string): URL {
  if (!URL.canParse(location, url.href)) throw refused(`${shownUrl(url.href)} redirects to what is no address`)
  const next = new URL(location, url)
  const isAllowed = next.protocol === 'https:' || (next.protocol === 'http:' && url.protocol === 'http:')
  if (!isAllowed) throw refused(`${shownUrl(url.href)} redirects to ${next.protocol}, which is not followed`)
  return next
}

function failureOf(url: URL, status: number): RetryableError | TerminalError {
  const message = `${shownUrl(url.href)} answered ${status}`
  if (status >= 500 || PASSING.has(status)) return new RetryableError(message)
  if (status === 401 || status === 403) return new TerminalError('ArtifactForbidden', `${message}: files are fetched without credentials`)
  return new TerminalError(status === 404 || status === 410 ? 'ArtifactNotFound' : 'ArtifactRefused', message)
}

async function save({ headers, body }: Dispatcher.ResponseData, path: string, maxBytes: number): Promise<string> {
  const hash = createHash('sha256')
  const tooLarge = (): TerminalError => new TerminalError('ArtifactTooLarge', `the file has more than ${maxBytes} bytes`)
  if (Number(headers['content-length'] ?? 0) > maxBytes) throw tooLarge()
  let bytes = 0
  const measured = async function* (chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      bytes += chunk.length
      if (bytes > maxBytes) throw tooLarge()
      hash.update(chunk)
      yield chunk
    }
  }
  await pipeline(body, measured, createWriteStream(path, { flags: 'wx', mode: 0o600 }))
  return hash.digest('hex')
}
