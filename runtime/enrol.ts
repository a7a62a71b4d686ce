import { fullJitter } from '../src/lib/backoff.ts'
import type { Clock } from '../src/lib/clock.ts'
import { RetryableError, TerminalError } from '../src/lib/errors.ts'
import type { Logger } from '../src/lib/log.ts'
import { pause } from '../src/lib/waits.ts'
import type { AgentId, Millis } from '../src/model/ids.ts'
import { IssuedCertificate, type JoinAgent, ServerJoined } from '../src/model/trust-wire.ts'
import { newKeyWithRequest } from '../src/trust/csr.ts'
import { rootsByPin } from '../src/trust/roots.ts'
import { parseTokenOf, type Token } from '../src/trust/token.ts'
import { TrustError } from '../src/trust/trust-error.ts'
import { address, createFetch, type Fetch, reasonOf, refusal, type Stranger } from './https.ts'
import { type Identity, keepIdentity } from './identity.ts'
import { createServerRing } from './server-ring.ts'

const RETRY_BASE: Millis = 1_000
const RETRY_CAP: Millis = 30_000
const ANSWER_WITHIN: Millis = 10_000

interface Joining {
  /** Of control planes: `https://host:port` each. */
  readonly servers: readonly string[]
  /** As it was typed. */
  readonly token: string
  readonly clock: Clock
  /** [0, 1), for the jitter between tries. */
  readonly random: () => number
  readonly log: Logger
}

export interface Enrolment extends Joining {
  readonly agent: AgentId
  /** Where the identity is kept. */
  readonly dir: string
}

/**
 * Makes this machine an agent of the cluster that the token is of. Waits for a control plane as long as none answers.
 * @throws TrustError `BadToken` or `NotTrusted`, TerminalError for what a control plane refuses, the signal's reason.
 */
export async function enrol(options: Enrolment, signal: AbortSignal): Promise<Identity> {
  const token = parseTokenOf('agent', options.token)
  const { key, csr } = await newKeyWithRequest()
  const body: JoinAgent = { token: options.token.trim(), csr, agent: options.agent }
  const issued = await join(options, { token, path: '/trust/v1/agents', body }, signal)
  return keepIdentity(options.dir, key, IssuedCertificate.parse(issued))
}

/** Lets a further server into the cluster that the token is of. @throws as `enrol` */
export async function joinAsServer(options: Joining, signal: AbortSignal): Promise<ServerJoined> {
  const token = parseTokenOf('server', options.token)
  const body = { token: options.token.trim() }
  return ServerJoined.parse(await join(options, { token, path: '/trust/v1/servers', body }, signal))
}

interface Request {
  readonly token: Token
  readonly path: string
  readonly body: object
}

async function join(options: Joining, request: Request, signal: AbortSignal): Promise<unknown> {
  const ring = createServerRing(options.servers)
  for (let failures = 1; ; failures += 1) {
    try {
      return await ring.reach((server) => joinAt(server, request, signal), signal)
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof RetryableError)) throw error
      options.log.warn({ error: error.message }, 'not joined yet; trying again')
    }
    await pause(options.clock, fullJitter(failures, RETRY_BASE, RETRY_CAP, options.random), signal)
  }
}

/** Nobody is trusted but the holder of the root that the token names: the token is shown to him alone. */
async function joinAt(server: string, { token, path, body }: Request, signal: AbortSignal): Promise<unknown> {
  const ca = await rootsByPin(token.pin, (trusted) => fetchRoots(server, trusted, signal))
  const headers = { 'content-type': 'application/json' }
  return ask(server, { path, fetch: createFetch(() => ({ ca })), init: { method: 'POST', headers, body: JSON.stringify(body) } }, signal)
}

async function fetchRoots(server: string, trusted: string | null, signal: AbortSignal): Promise<string> {
  const stranger: Stranger = trusted === null ? { rejectUnauthorized: false } : { ca: trusted }
  return askText(server, { path: '/trust/v1/roots', fetch: createFetch(() => stranger), init: {} }, signal)
}

interface Asked {
  readonly path: string
  readonly fetch: Fetch
  readonly init: Parameters<Fetch>[1]
}

export async function ask(server: string, asked: Asked, signal: AbortSignal): Promise<unknown> {
  const text = await askText(server, asked, signal)
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new TerminalError('NotDrover', `${server}${asked.path} does not answer as a control plane does`, { cause })
  }
}

/** @throws RetryableError when it cannot be reached, or what `refusal` makes of its answer. */
export async function askText(server: string, { path, fetch, init }: Asked, signal: AbortSignal): Promise<string> {
  const until = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN)])
  try {
    const response = await fetch(address(server, path), { ...init, signal: until })
    const text = await response.text()
    if (response.ok) return text
    throw refusal(response.status, text)
  } catch (error) {
    if (signal.aborted || error instanceof RetryableError || error instanceof TerminalError || error instanceof TrustError) throw error
    throw new RetryableError(`cannot reach ${server}: ${reasonOf(error)}`, { cause: error })
  }
}
