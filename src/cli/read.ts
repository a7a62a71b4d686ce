import { z } from 'zod'
import { didYouMean } from '../manifest/suggest.ts'
import { AgentView, AppView, EventView, HistoryView, RolloutView, RunView, TaskView, WorkloadView } from '../model/views.ts'
import { type Client, ServerRefusal } from './client.ts'
import { CliError, EXIT } from './exit.ts'

const list = <T>(schema: z.ZodType<T>) => z.object({ items: z.array(schema) })
const items = async <T>(client: Client, path: string, schema: z.ZodType<T>): Promise<T[]> => (await client.get(path, list(schema))).items

export const readApps = (client: Client): Promise<AppView[]> => items(client, '/api/v1/apps', AppView)
export const readWorkloads = (client: Client): Promise<WorkloadView[]> => items(client, '/api/v1/workloads', WorkloadView)
export const readTasks = (client: Client): Promise<TaskView[]> => items(client, '/api/v1/tasks', TaskView)
export const readTasksOfRun = (client: Client, run: string): Promise<TaskView[]> =>
  items(client, `/api/v1/tasks?${new URLSearchParams({ run })}`, TaskView)
export const readRuns = (client: Client): Promise<RunView[]> => items(client, '/api/v1/runs', RunView)
export const readRollouts = (client: Client): Promise<RolloutView[]> => items(client, '/api/v1/rollouts', RolloutView)
export const readAgents = (client: Client): Promise<AgentView[]> => items(client, '/api/v1/agents', AgentView)
export const readHistory = (client: Client, app: string): Promise<HistoryView[]> =>
  items(client, `/api/v1/apps/${encodeURIComponent(app)}/history`, HistoryView)

export function readEvents(client: Client, filter: { object?: string; app?: string }): Promise<EventView[]> {
  const query = new URLSearchParams(filter).toString()
  return items(client, `/api/v1/events${query === '' ? '' : `?${query}`}`, EventView)
}

/** @throws CliError 5 with the name that was probably meant. */
export async function readApp(client: Client, name: string): Promise<AppView> {
  const apps = await readApps(client)
  return found(
    apps.find((app) => app.name === name),
    { kind: 'app', name, known: apps.map((app) => app.name) },
  )
}

/** @throws CliError 5 with the id that was probably meant. */
export const readRun = (client: Client, id: string): Promise<RunView> => one(client, { kind: 'run', id, schema: RunView, all: readRuns })

/** @throws CliError 5 with the id that was probably meant. */
export const readTask = (client: Client, id: string): Promise<TaskView> =>
  one(client, { kind: 'task', id, schema: TaskView, all: readTasks })

interface One<T> {
  readonly kind: string
  readonly id: string
  readonly schema: z.ZodType<T>
  readonly all: (client: Client) => Promise<T[]>
}

/** Only for one that is not there all of its kind are read. */
async function one<T extends { readonly id: string }>(client: Client, { kind, id, schema, all }: One<T>): Promise<T> {
  try {
    return await client.get(`/api/v1/${kind}s/${encodeURIComponent(id)}`, schema)
  } catch (error) {
    if (!(error instanceof ServerRefusal && error.code === 'NotFound')) throw error
    return byId(kind, id, await all(client))
  }
}

export interface Wanted {
  readonly kind: string
  readonly name: string
  readonly known: readonly string[]
}

/** @throws CliError 5 with the name that was probably meant. */
export function found<T>(value: T | undefined, wanted: Wanted): T {
  if (value !== undefined) return value
  throw notFound(wanted)
}

/** The one of a list with that id. @throws CliError 5 with the id that was probably meant. */
export function byId<T extends { readonly id: string }>(kind: string, id: string, items: readonly T[]): T {
  const known = items.map((item) => item.id)
  return found(
    items.find((item) => item.id === id),
    { kind, name: id, known },
  )
}

export function notFound({ kind, name, known }: Wanted): CliError {
  const some = known.length === 0 ? `there is no ${kind} at all` : `there are: ${[...new Set(known)].sort().slice(0, 10).join(', ')}`
  return new CliError(EXIT.notFound, `there is no ${kind} "${name}"`, didYouMean(name, known) ?? some)
}

/** A right name in the wrong namespace, or of the wrong app. */
export function inAnother(kind: string, name: string, namespace: string | null): CliError {
  const hint = namespace === null ? 'it is of another app: see --app' : `there is one in namespace ${namespace}: -n ${namespace}`
  return new CliError(EXIT.notFound, `there is no ${kind} "${name}" here`, hint)
}

export interface WorkloadAsked {
  readonly kind: string
  readonly name: string
  readonly namespace: string
}

/** Which workload `KIND/NAME` in a namespace is. @throws CliError 5 when there is none, 2 when `workload/NAME` names several. */
export async function readWorkload(client: Client, asked: WorkloadAsked): Promise<WorkloadView> {
  return pickWorkload(await readWorkloads(client), asked)
}

/** As `readWorkload`, of a list that is at hand. */
export function pickWorkload(views: readonly WorkloadView[], asked: WorkloadAsked): WorkloadView {
  const all = views.filter((view) => isKind(view, asked.kind))
  const named = all.filter((view) => view.name === asked.name && view.namespace === asked.namespace)
  if (named.length > 1) throw new CliError(EXIT.usage, `"${asked.name}" names several workloads`, named.map(workloadName).join(' or '))
  const elsewhere = all.find((view) => view.name === asked.name && view.namespace !== asked.namespace)
  if (named.length === 0 && elsewhere !== undefined) throw inAnother(asked.kind, asked.name, elsewhere.namespace)
  return found(named[0], { kind: asked.kind, name: asked.name, known: all.map((view) => view.name) })
}

export const isKind = (view: { kind: string }, kind: string): boolean => kind === 'workload' || view.kind.toLowerCase() === kind
export const workloadName = (view: { kind: string; name: string }): string => `${view.kind.toLowerCase()}/${view.name}`

/** `main@1a2b3c4`: enough of a revision to recognise and to type. */
export function shortRevision(revision: string | null): string {
  if (revision === null) return '-'
  return revision.replace(/@sha1:([0-9a-f]{7})[0-9a-f]*$/, '@$1')
}

/** True when `wanted` (a revision, a commit, or at least 4 hex digits of one) means `revision`. */
export function sameRevision(wanted: string, revision: string | null): boolean {
  if (revision === null) return false
  if (revision === wanted) return true
  const commit = revision.split('@sha1:').at(-1) ?? ''
  const given = (wanted.split('@sha1:').at(-1) ?? '').toLowerCase()
  return /^[0-9a-f]{4,40}$/.test(given) && commit.startsWith(given)
}
