import { RequestError } from '../control/requests/control-plane.ts'
import type { Api, ApiParts } from './parts.ts'
import { NoQuery, parseRequest } from './problem.ts'
import { AppParam, EventsQuery, IdParam, WhyQuery } from './schemas.ts'

/** Everything that answers from memory. */
export function readRoutes(api: Api, { control }: ApiParts): void {
  const lists = {
    apps: () => control.apps(),
    workloads: () => control.workloads(),
    tasks: () => control.tasks(),
    runs: () => control.runs(),
    agents: () => control.agents(),
    rollouts: () => control.rollouts(),
  }
  for (const [name, list] of Object.entries(lists)) {
    api.get(`/api/v1/${name}`, (c) => {
      parseRequest(NoQuery, c.req.query())
      return c.json({ items: list() })
    })
  }
  api.get('/api/v1/version', (c) => c.json(control.version()))
  api.get('/api/v1/apps/:name', (c) => c.json(control.app(parseRequest(AppParam, c.req.param()).name)))
  api.get('/api/v1/apps/:name/history', (c) => c.json({ items: control.history(parseRequest(AppParam, c.req.param()).name) }))
  api.get('/api/v1/tasks/:id', (c) => c.json(byId(control.tasks(), 'task', parseRequest(IdParam, c.req.param()).id)))
  api.get('/api/v1/runs/:id', (c) => c.json(byId(control.runs(), 'run', parseRequest(IdParam, c.req.param()).id)))
  api.get('/api/v1/events', (c) => {
    const { object, app } = parseRequest(EventsQuery, c.req.query())
    return c.json({ items: control.events({ ...(object === undefined ? {} : { object }), ...(app === undefined ? {} : { app }) }) })
  })
  api.get('/api/v1/why', (c) => {
    const { object, namespace } = parseRequest(WhyQuery, c.req.query())
    return c.json(control.why(object, namespace))
  })
}

function byId<T extends { id: string }>(items: readonly T[], kind: string, id: string): T {
  const found = items.find((item) => item.id === id)
  if (found === undefined) throw new RequestError('NotFound', `there is no ${kind} "${id}"`)
  return found
}
