import type { Context } from 'hono'
import { RequestError } from '../control/requests/control-plane.ts'
import type { TrustPlane } from '../control/trust/trust-plane.ts'
import { must } from '../lib/must.ts'
import { JoinAgent, JoinServer, RenewAgent } from '../model/trust-wire.ts'
import { actorOf } from './actor.ts'
import { readJson } from './body.ts'
import type { Api, ApiEnv, ApiParts } from './parts.ts'
import { NoQuery, parseRequest } from './problem.ts'
import { ActorBody, FinishBody, IdParam, NewTokenBody } from './schemas.ts'

/** Bytes of a body from somebody who is not known yet. */
const STRANGERS_BODY = 16_384

/** Joining, tokens and roots. */
export function trustRoutes(api: Api, { guard }: ApiParts): void {
  const trust = (): TrustPlane => {
    if (guard !== null) return guard.trust
    throw new RequestError(
      'Conflict',
      'this control plane is for its own machine alone, and asks nobody for a token: drover server, or drover up --listen with another address, does',
    )
  }
  api.get('/trust/v1/roots', (c) => c.body(trust().roots(), 200, { 'content-type': 'application/pem-certificate-chain' }))
  api.post('/trust/v1/agents', async (c) => c.json(await trust().joinAgent(await readJson(c, JoinAgent, STRANGERS_BODY)), 201))
  api.post('/trust/v1/servers', async (c) => c.json(await trust().joinServer((await readJson(c, JoinServer, STRANGERS_BODY)).token), 201))
  api.post('/agent/v1/certificate', async (c) => {
    const plane = trust()
    const { csr } = await readJson(c, RenewAgent, STRANGERS_BODY)
    return c.json(await plane.renewAgent(agentOf(c), csr), 201)
  })
  tokenRoutes(api, trust)
  authorityRoutes(api, trust)
}

const agentOf = (c: Context<ApiEnv>) => must(c.get('agent'), 'the route asks for a certificate')

function tokenRoutes(api: Api, trust: () => TrustPlane): void {
  api.get('/api/v1/tokens', (c) => {
    parseRequest(NoQuery, c.req.query())
    return c.json({ items: trust().tokens() })
  })
  api.post('/api/v1/tokens', async (c) => {
    const plane = trust()
    const body = await readJson(c, NewTokenBody)
    return c.json(await plane.createToken({ ...body, actor: actorOf(c, body.actor) }), 201)
  })
  api.post('/api/v1/tokens/:id/revoke', async (c) => {
    const plane = trust()
    const { id } = parseRequest(IdParam, c.req.param())
    return c.json(await plane.revokeToken(id, actorOf(c, (await readJson(c, ActorBody)).actor)))
  })
}

function authorityRoutes(api: Api, trust: () => TrustPlane): void {
  api.get('/api/v1/authorities', (c) => {
    parseRequest(NoQuery, c.req.query())
    return c.json({ items: trust().authorities() })
  })
  api.post('/api/v1/authorities/rotate', async (c) => {
    const plane = trust()
    return c.json({ items: await plane.rotate(actorOf(c, (await readJson(c, ActorBody)).actor)) })
  })
  api.post('/api/v1/authorities/finish', async (c) => {
    const plane = trust()
    const { drop, actor } = await readJson(c, FinishBody)
    return c.json({ items: await plane.finishRotation({ drop, actor: actorOf(c, actor) }) })
  })
}
