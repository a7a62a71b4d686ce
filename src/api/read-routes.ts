import type { Api, ApiParts } from './parts.ts'
import { NoQuery, parseRequest } from './problem.ts'
import { AppParam, EventsQuery, IdParam, TasksQuery, WhyQuery } from './schemas.ts'
import { type Sight, sightOf } from './sight.ts'

/** Everything that answers from memory. */
export function readRoutes(api: Api, { control }: ApiParts): void {
  const lists: Readonly<Record<string, (sight: Sight) => readonly object[]>> = {
    apps: (sight) => sight.apps(control.apps()),
    workloads: (sight) => sight.items(control.workloads()),
    runs: (sight) => sight.items(control.runs()),
    agents: () => control.agents(),
    rollouts: (sight) => sight.items(control.rollouts()),
  }
  for (const [name, list] of Object.entries(lists)) {
    api.get(`/api/v1/${name}`, (c) => {
      parseRequest(NoQuery, c.req.query())
      return c.json({ items: list(sightOf(c.get('caller'))) })
    })
  }
  api.get('/api/v1/version', (c) => c.json(control.version()))
  api.get('/api/v1/health', async (c) => {
    parseRequest(NoQuery, c.req.query())
    return c.json(await control.health())
  })
  api.get('/api/v1/apps/:name', (c) => c.json(control.app(parseRequest(AppParam, c.req.param()).name)))
  api.get('/api/v1/apps/:name/history', (c) => c.json({ items: control.history(parseRequest(AppParam, c.req.param()).name) }))
  api.get('/api/v1/tasks', (c) => {
    const { run } = parseRequest(TasksQuery, c.req.query())
    return c.json({ items: sightOf(c.get('caller')).items(control.tasks(run === undefined ? {} : { run })) })
  })
  api.get('/api/v1/tasks/:id', (c) => c.json(control.task(parseRequest(IdParam, c.req.param()).id)))
  api.get('/api/v1/runs/:id', (c) => c.json(control.oneRun(parseRequest(IdParam, c.req.param()).id)))
  api.get('/api/v1/events', (c) => {
    const { object, app } = parseRequest(EventsQuery, c.req.query())
    const events = control.events({ ...(object === undefined ? {} : { object }), ...(app === undefined ? {} : { app }) })
    return c.json({ items: sightOf(c.get('caller')).events(events, control.apps()) })
  })
  api.get('/api/v1/why', (c) => {
    const { object, namespace } = parseRequest(WhyQuery, c.req.query())
    return c.json(control.why(object, namespace))
  })
}
