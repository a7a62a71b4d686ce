import type { Guard } from './parts.ts'
import { HttpProblem } from './problem.ts'

const LOOPBACK_NAME = /^(localhost|127(\.\d{1,3}){3}|\[::1\]|::1)$/i

/** Splits `host:port`, `[v6]:port` or a bare host; the port is not looked at. */
const hostName = (header: string): string => header.replace(/:\d+$/, '')

export const isLoopback = (host: string): boolean => LOOPBACK_NAME.test(host)

/**
 * Whoever reaches a control plane without a guard may deploy.
 * @throws Error naming the host.
 */
export function assertGuarded(host: string, guard: Guard | null): void {
  if (guard !== null || isLoopback(host)) return
  throw new Error(`refusing to listen on ${host} without TLS and authentication: others than this machine could reach it`)
}

/** What the checks read of a request, whether hono or an upgrade brought it. */
export interface Caller {
  readonly host: string | undefined
  readonly origin: string | undefined
}

/**
 * A page elsewhere can make a browser send requests here. DNS rebinding shows in the Host header,
 * a cross-site request in the Origin header; neither can be forged from a page.
 * @throws HttpProblem 403.
 */
export function assertLocalCaller(caller: Caller): void {
  if (caller.host === undefined || !isLoopback(hostName(caller.host))) {
    throw new HttpProblem({
      status: 403,
      code: 'Forbidden',
      message: 'the Host header does not name this machine: use http://127.0.0.1 or http://localhost',
    })
  }
  assertOrigin(caller, 'http')
}

/**
 * Where callers show who they are, any name may lead here; but a page elsewhere has no business with their browser.
 * @throws HttpProblem 403.
 */
export const assertSameSite = (caller: Caller): void => assertOrigin(caller, 'https')

function assertOrigin({ host, origin }: Caller, scheme: 'http' | 'https'): void {
  if (origin === undefined || origin === `${scheme}://${host}`) return
  throw new HttpProblem({ status: 403, code: 'Forbidden', message: 'requests from other sites are refused' })
}

/**
 * A form can post to another site without asking it first, but not with this content type.
 * @throws HttpProblem 415.
 */
export function assertJson(contentType: string | undefined): void {
  if (contentType?.split(';')[0]?.trim().toLowerCase() === 'application/json') return
  throw new HttpProblem({ status: 415, code: 'UnsupportedMediaType', message: 'send content-type: application/json' })
}
