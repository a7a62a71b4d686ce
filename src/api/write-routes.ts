import { FILES_LIMIT, readJson } from './body.ts'
import type { Api, ApiParts } from './parts.ts'
import { parseRequest } from './problem.ts'
import { ActorBody, AppParam, DrainBody, IdParam, PlanBody, RollbackBody, SyncBody, WorkloadParam } from './schemas.ts'

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
    return c.json(await control.sync(name, await readJson(c, SyncBody)))
  })
  api.post('/api/v1/apps/:name/rollback', async (c) => {
    const { name } = parseRequest(AppParam, c.req.param())
    return c.json(await control.rollback(name, await readJson(c, RollbackBody)))
  })
  api.post('/api/v1/workloads/:namespace/:kind/:name/promote', async (c) => {
    const workload = parseRequest(WorkloadParam, c.req.param())
    return c.json(await control.promote(workload, (await readJson(c, ActorBody)).actor))
  })
  api.post('/api/v1/agents/:id/cordon', async (c) => {
    const { id } = parseRequest(IdParam, c.req.param())
    return c.json(await control.maintain(id, { verb: 'cordon', ...(await readJson(c, ActorBody)) }))
  })
  api.post('/api/v1/agents/:id/uncordon', async (c) => {
    const { id } = parseRequest(IdParam, c.req.param())
    return c.json(await control.maintain(id, { verb: 'uncordon', ...(await readJson(c, ActorBody)) }))
  })
  api.post('/api/v1/agents/:id/drain', async (c) => {
    const { id } = parseRequest(IdParam, c.req.param())
    return c.json(await control.maintain(id, { verb: 'drain', ...(await readJson(c, DrainBody)) }))
  })
  api.post('/api/v1/workloads/:namespace/:kind/:name/abort', async (c) => {
    const workload = parseRequest(WorkloadParam, c.req.param())
    return c.json(await control.abort(workload, (await readJson(c, ActorBody)).actor))
  })
  api.post('/api/v1/workloads/:namespace/:kind/:name/run', async (c) => {
    const workload = parseRequest(WorkloadParam, c.req.param())
    return c.json(await control.run(workload, (await readJson(c, ActorBody)).actor))
  })
  api.post('/api/v1/runs/:id/rerun', async (c) => {
    const { id } = parseRequest(IdParam, c.req.param())
    return c.json(await control.rerun(id, (await readJson(c, ActorBody)).actor))
  })
}
