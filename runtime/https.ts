import { Agent, fetch, type RequestInit, type Response } from 'undici'
import { z } from 'zod'
import { messageOf, RetryableError, TerminalError } from '../src/lib/errors.ts'
import { ComeBackSoon } from './server-ring.ts'

/** Whom to trust, and who to be: PEM. */
export interface TlsIdentity {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** Whom a caller trusts that is nobody yet: the holder of a root (PEM), or, to ask for roots, anybody. */
export type Stranger = { readonly ca: string } | { readonly rejectUnauthorized: false }

/** `fetch` with the identity of the moment; null: plain HTTP. Standbys' redirects are followed, with the same roots. */
export type Fetch = (url: URL, init: RequestInit) => Promise<Response>

export function createFetch(identity: () => TlsIdentity | Stranger | null): Fetch {
  let last: { readonly of: TlsIdentity | Stranger; readonly agent: Agent } | null = null
  const agentOf = (of: TlsIdentity | Stranger): Agent => {
    if (last?.of === of) return last.agent
    // Bodies under way are read to their end first.
    last?.agent.close().catch(() => undefined)
    last = { of, agent: new Agent({ connect: { ...of } }) }
    return last.agent
  }
  return (url, init) => {
    const of = identity()
    return fetch(url, of === null ? init : { ...init, dispatcher: agentOf(of) })
  }
}

/** The address of a route at a server. */
export function address(server: string, path: string): URL {
  const base = new URL(server)
  base.pathname = `${base.pathname.replace(/\/$/, '')}${path}`
  return base
}

const Problem = z.object({ detail: z.string() })
const TEXT_MAX = 200

/** What a request failed of: undici hides it in the cause. */
export function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const reason = messageOf(cause)
  return reason === '' && cause instanceof Error && 'code' in cause ? String(cause.code) : reason
}

/** The server knows the caller, and will not have it: trying again as the same cannot work. */
export class RefusedIdentity extends TerminalError {
  override name = 'RefusedIdentity'
  constructor(message: string) {
    super('RefusedIdentity', message)
  }
}

/** What an answer that is no success means to an agent. */
export function refusal(status: number, body: string): RetryableError | TerminalError {
  const said = detailOf(body)
  if (status === 401 || status === 403) return new RefusedIdentity(said === '' ? `the control plane answered ${status}` : said)
  if (status === 503) return new ComeBackSoon(said === '' ? 'no control plane leads just now' : said)
  if (status >= 400 && status < 500) return new TerminalError('Refused', said === '' ? `the control plane answered ${status}` : said)
  return new RetryableError(`the control plane answered ${status}: ${said}`)
}

function detailOf(body: string): string {
  try {
    return Problem.parse(JSON.parse(body)).detail
  } catch {
    return body.slice(0, TEXT_MAX)
  }
}
