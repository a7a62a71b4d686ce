import { type Context, Hono } from 'hono'
import type { Logger } from '../lib/log.ts'
import { admit, assertCovered } from './admission.ts'
import { assertJson, assertLocalCaller, assertSameSite } from './guard.ts'
import type { Api, ApiEnv, ApiParts, Guard } from './parts.ts'
import { asProblem, HttpProblem, problemResponse } from './problem.ts'
import { readRoutes } from './read-routes.ts'
import { redirected } from './standby.ts'
import { streamRoutes } from './stream-routes.ts'
import { trustRoutes } from './trust-routes.ts'
import { writeRoutes } from './write-routes.ts'

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])
const PROBES = new Set(['/livez', '/readyz', '/healthz'])

/** The whole HTTP API but the WebSocket routes, which `serveApi` adds. */
export function createApi(parts: ApiParts): Api {
  const api: Api = new Hono<ApiEnv>()
  api.onError((error, c) => failed(parts.log, error, c))
  api.notFound((c) => problemResponse(c, new HttpProblem({ status: 404, code: 'NotFound', message: `there is no ${c.req.path} here` })))
  api.use(async (c, next) => {
    const started = parts.clock.monotonic()
    await next()
    if (PROBES.has(c.req.path)) return
    const took = Math.round(parts.clock.monotonic() - started)
    parts.log.debug({ method: c.req.method, path: c.req.path, status: c.res.status, ms: took }, 'request served')
  })
  api.use((c, next) => sameSite(c, parts.guard, next))
  api.use(redirected(parts.leader))
  admit(api, parts.guard)
  api.get('/livez', (c) => c.text('ok\n'))
  api.get('/healthz', (c) => c.text('ok\n'))
  api.get('/readyz', async (c) => {
    // A standby is ready when it can send requests on. Throws Unavailable, hence 503, where nobody can answer them, or write.
    if (parts.leader.leads() || (await parts.leader.url()) === null) parts.control.ready()
    return c.text('ok\n')
  })
  api.get('/version', (c) => c.json(parts.control.version()))
  readRoutes(api, parts)
  writeRoutes(api, parts)
  streamRoutes(api, parts)
  trustRoutes(api, parts)
  assertCovered(api)
  return api
}

async function sameSite(c: Context<ApiEnv>, guard: Guard | null, next: () => Promise<void>): Promise<void> {
  const caller = { host: c.req.header('host') ?? new URL(c.req.url).host, origin: c.req.header('origin') }
  if (guard === null) assertLocalCaller(caller)
  else assertSameSite(caller)
  if (!SAFE.has(c.req.method)) assertJson(c.req.header('content-type'))
  await next()
  c.header('x-content-type-options', 'nosniff')
  c.header('cache-control', 'no-store')
}

function failed(log: Logger, error: Error, c: Context<ApiEnv>): Response {
  const problem = asProblem(error)
  if (problem.status === 500) log.error({ err: error, method: c.req.method, path: c.req.path }, 'request failed')
  return problemResponse(c, problem)
}
