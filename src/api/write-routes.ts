import type { Context } from 'hono'
import type { z } from 'zod'
import { actorOf } from './actor.ts'
import { FILES_LIMIT, readJson } from './body.ts'
import type { Api, ApiEnv, ApiParts } from './parts.ts'
import { parseRequest } from './problem.ts'
import { ActorBody, AppParam, DrainBody, ForgetBody, IdParam, PlanBody, RollbackBody, SyncBody, WorkloadParam } from './schemas.ts'

/** Verbs on one app, one workload or one run; `plan` and `render` change nothing but carry files, so they are posted too. */
export function writeRoutes(api: Api, { control }: ApiParts): void {
  api.post('/api/v1/apps/:name/plan', async (c) => {
    const { name } = parseRequest(AppParam, c.req.param())
    return c.json(await control.plan(name, await readJson(c, PlanBody, FILES_LIMIT)))
  })
  api.post('/api/v1/apps/:name/render', async (c) => {
    const { name } = parseRequest(AppParam, c.req.param())
    return c.json(await control.render(name, await readJson(c, PlanBody, FILES_LIMIT)))
  })
  api.post('/api/v1/apps/:name/sync', async (c) => {
    const { name } = parseRequest(AppParam, c.req.param())
    return c.json(await control.sync(name, await asked(c, SyncBody)))
  })
  api.post('/api/v1/apps/:name/rollback', async (c) => {
    const { name } = parseRequest(AppParam, c.req.param())
    return c.json(await control.rollback(name, await asked(c, RollbackBody)))
  })
  api.post('/api/v1/workloads/:namespace/:kind/:name/promote', async (c) => {
    const workload = parseRequest(WorkloadParam, c.req.param())
    return c.json(await control.promote(workload, (await asked(c, ActorBody)).actor))
  })
  api.post('/api/v1/agents/:id/cordon', async (c) => {
    const { id } = parseRequest(IdParam, c.req.param())
    return c.json(await control.maintain(id, { verb: 'cordon', ...(await asked(c, ActorBody)) }))
  })
  api.post('/api/v1/agents/:id/uncordon', async (c) => {
    const { id } = parseRequest(IdParam, c.req.param())
    return c.json(await control.maintain(id, { verb: 'uncordon', ...(await asked(c, ActorBody)) }))
  })
  api.post('/api/v1/agents/:id/drain', async (c) => {
    const { id } = parseRequest(IdParam, c.req.param())
    return c.json(await control.maintain(id, { verb: 'drain', ...(await asked(c, DrainBody)) }))
  })
  api.post('/api/v1/agents/:id/forget', async (c) => {
    const { id } = parseRequest(IdParam, c.req.param())
    return c.json(await control.forget(id, await readJson(c, ForgetBody)))
  })
  api.post('/api/v1/agents/:id/admit', async (c) => {
    const { id } = parseRequest(IdParam, c.req.param())
    return c.json(await control.admit(id, (await readJson(c, ActorBody)).actor))
  })
  api.post('/api/v1/workloads/:namespace/:kind/:name/abort', async (c) => {
    const workload = parseRequest(WorkloadParam, c.req.param())
    return c.json(await control.abort(workload, (await asked(c, ActorBody)).actor))
  })
  api.post('/api/v1/workloads/:namespace/:kind/:name/run', async (c) => {
    const workload = parseRequest(WorkloadParam, c.req.param())
    return c.json(await control.run(workload, (await asked(c, ActorBody)).actor))
  })
  api.post('/api/v1/runs/:id/rerun', async (c) => {
    const { id } = parseRequest(IdParam, c.req.param())
    return c.json(await control.rerun(id, (await asked(c, ActorBody)).actor))
  })
}

/** The body of a verb, with who is known to ask for it. */
async function asked<T extends { actor: string }>(c: Context<ApiEnv>, schema: z.ZodType<T>): Promise<T> {
  const body = await readJson(c, schema)
  return { ...body, actor: actorOf(c, body.actor) }
}
