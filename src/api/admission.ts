import type { X509Certificate } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import type { Context } from 'hono'
import type { Peer, TrustPlane } from '../control/trust/trust-plane.ts'
import { ACCESS, type Rule } from './access-table.ts'
import { authorize, type Touched } from './authorize.ts'
import type { Api, ApiEnv, Guard } from './parts.ts'
import { HttpProblem } from './problem.ts'

/** Before every route stands the rule that the table has for it. Without a guard whoever reaches this process is trusted. */
export function admit(api: Api, guard: Guard | null): void {
  for (const rule of ACCESS) {
    api.on(rule.method, rule.path, async (c, next) => {
      if (guard !== null) identify(c, rule, guard)
      await next()
    })
  }
}

/** A route that the table does not name would be open to all. @throws Error naming it */
export function assertCovered(api: Api): void {
  const known = new Set(ACCESS.map(({ method, path }) => `${method} ${path}`))
  const open = api.routes.map(({ method, path }) => `${method} ${path}`).find((route) => !route.startsWith('ALL ') && !known.has(route))
  if (open !== undefined) throw new Error(`nobody says who may ${open}: give it a line in the table of access`)
}

function identify(c: Context<ApiEnv>, rule: Rule, { trust }: Guard): void {
  if (rule.needs === 'Nothing') return
  if (rule.needs === 'Certificate') {
    c.set('agent', peerOf(c.env?.incoming, trust).agent)
    return
  }
  const caller = trust.authenticate(bearerOf(c.req.header('authorization')))
  authorize(caller, rule.needs, touchedBy(c, rule, trust))
  c.set('caller', caller)
}

/** RFC 6750 §2.1. @throws HttpProblem 401 */
function bearerOf(header: string | undefined): string {
  const [, token] = /^Bearer +(\S+)$/i.exec(header ?? '') ?? []
  if (token !== undefined) return token
  throw unauthorized(
    header === undefined
      ? 'this control plane asks for a token: drover login URL --token-file FILE, or DROVER_TOKEN'
      : 'the authorization header is not: Bearer TOKEN',
  )
}

/** The agent at the other end of a TLS connection. @throws HttpProblem 401, RequestError `Unauthorized` */
export function peerOf(incoming: IncomingMessage | undefined, trust: TrustPlane): Peer {
  const certificate = certificateOf(incoming)
  if (certificate === undefined)
    throw unauthorized('this is for agents, which show a certificate: join with drover agent --token-file FILE')
  return trust.peer(certificate)
}

const certificateOf = (incoming: IncomingMessage | undefined): X509Certificate | undefined =>
  incoming?.socket instanceof TLSSocket ? incoming.socket.getPeerX509Certificate() : undefined

const unauthorized = (message: string): HttpProblem => new HttpProblem({ status: 401, code: 'Unauthorized', message })

function touchedBy(c: Context<ApiEnv>, { reaches }: Rule, trust: TrustPlane): Touched {
  switch (reaches) {
    case 'Nothing':
    case 'List':
      return 'Nothing'
    case 'Cluster':
      return 'Cluster'
    case 'Namespace':
      return [c.req.param('namespace') ?? '']
    case 'App':
      return trust.namespacesOf({ kind: 'app', id: c.req.param('name') ?? '' })
    case 'Task':
      return trust.namespacesOf({ kind: 'task', id: c.req.param('id') ?? '' })
    case 'Run':
      return trust.namespacesOf({ kind: 'run', id: c.req.param('id') ?? '' })
    case 'Object':
      return ofObject(c.req.query('object') ?? '', c.req.query('namespace'), trust)
  }
}

/** `task/ID`, `run/ID` and `app/NAME` say by themselves where they are; a workload is where the query says. */
function ofObject(object: string, namespace = 'default', trust: TrustPlane): Touched {
  const [kind = '', id = ''] = object.split('/')
  return kind === 'task' || kind === 'run' || kind === 'app' ? trust.namespacesOf({ kind, id }) : [namespace]
}
