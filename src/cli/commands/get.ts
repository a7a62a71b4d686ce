import type { Client } from '../client.ts'
import { cronListing } from '../cron.ts'
import { CliError, EXIT } from '../exit.ts'
import { agentListing, appListing, eventListing, rolloutListing, runListing, taskListing, workloadListing } from '../listings.ts'
import { isWorkloadKind, type Kind, type ObjectName, parseObject } from '../objects.ts'
import type { Look } from '../output/look.ts'
import { columnsFor, type Format, type Listing } from '../output/print.ts'
import { table } from '../output/table.ts'
import { found, inAnother, isKind, readAgents, readApps, readEvents, readRollouts, readRuns, readTasks, readWorkloads } from '../read.ts'
import type { Command, Session } from '../session.ts'
import { changes } from '../watch.ts'
import { showGraphs } from './graphs.ts'

export interface GetOptions {
  readonly output: Format
  readonly namespace?: string
  readonly allNamespaces?: boolean
  readonly app?: string
  readonly watch?: boolean
  /** Of runs: drawn as graphs; the one that a run is in, or `true`: the newest. */
  readonly graph?: string | true
}

/** Rows of one kind, with what it takes to filter, name and show them. */
interface Source<T> {
  readonly rows: readonly T[]
  readonly listing: Listing<T>
  readonly id: (row: T) => string
  readonly namespace: (row: T) => string | null
  readonly app: (row: T) => string | null
}

export const get: Command<GetOptions> = async (session, words, options) => {
  const asked = await parseObject(words)
  const client = await session.client()
  const view = { session, asked, options }
  if (options.graph !== undefined) return showGraphs(session, asked, { ...options, graph: options.graph })
  if (options.watch !== true) {
    await loaded(client, asked.kind, look(session), { use: (source) => show(source, view) })
    return EXIT.ok
  }
  const seen = new Map<string, string>()
  for await (const _ of changes({ client, clock: session.deps.clock, signal: session.deps.signal })) {
    await loaded(client, asked.kind, look(session), { use: (source) => showChanged(source, view, seen) })
  }
  return EXIT.interrupted
}

interface View {
  readonly session: Session
  readonly asked: ObjectName
  readonly options: GetOptions
}

const look = ({ printer, deps }: Session): Look => ({ colors: printer.colors, now: deps.clock.now() })

/** Keeps the type of the rows together with their listing, whatever the kind. */
interface Use {
  use<T>(source: Source<T>): Promise<void>
}

async function loaded(client: Client, kind: Kind, looks: Look, { use }: Use): Promise<void> {
  const idOf = (row: { id: string }) => row.id
  const spaceOf = (row: { namespace: string }) => row.namespace
  const appOf = (row: { app: string | null }) => row.app
  const nowhere = () => null
  const scoped = { namespace: spaceOf, app: appOf }
  switch (kind) {
    case 'app': {
      const nameOf = (app: { name: string }) => app.name
      return use({ rows: await readApps(client), listing: appListing(looks), id: nameOf, namespace: nowhere, app: nameOf })
    }
    case 'workload':
    case 'deployment':
    case 'job': {
      const rows = (await readWorkloads(client)).filter((row) => isKind(row, kind))
      return use({ rows, listing: workloadListing(looks), id: (row) => row.name, ...scoped })
    }
    case 'cronjob': {
      const rows = (await readWorkloads(client)).filter((row) => isKind(row, kind))
      return use({ rows, listing: cronListing(looks), id: (row) => row.name, ...scoped })
    }
    case 'task':
      return use({ rows: await readTasks(client), listing: taskListing(looks), id: idOf, ...scoped })
    case 'run':
      return use({ rows: await readRuns(client), listing: runListing(looks), id: idOf, ...scoped })
    case 'rollout':
      return use({ rows: await readRollouts(client), listing: rolloutListing(looks), id: idOf, ...scoped })
    case 'agent':
      return use({ rows: await readAgents(client), listing: agentListing(looks), id: idOf, namespace: nowhere, app: nowhere })
    case 'event':
      return use({ rows: await readEvents(client, {}), listing: eventListing(looks), id: idOf, namespace: nowhere, app: appOf })
    case 'revision':
      throw new CliError(EXIT.usage, 'revisions are listed by app', '`drover history APP` lists them')
    default:
      return kind satisfies never
  }
}

async function show<T>(source: Source<T>, { session, asked, options }: View): Promise<void> {
  const { printer } = session
  const rows = narrowed(source, asked, options)
  if (asked.name === null) return printer.list(options.output, rows, source.listing)
  const elsewhere = source.rows.find((row) => source.id(row) === asked.name)
  if (rows.length === 0 && elsewhere !== undefined) throw inAnother(asked.kind, asked.name, source.namespace(elsewhere))
  const one = found(rows[0], { kind: asked.kind, name: asked.name, known: source.rows.map(source.id) })
  if (rows.length === 1 && (options.output === 'json' || options.output === 'yaml')) return printer.value(options.output, one)
  return printer.list(options.output, rows, source.listing)
}

/**
 * Lists show every namespace unless `-n` narrows them; one name means namespace `default`,
 * but ids of tasks, runs and agents are unique anyhow.
 */
function narrowed<T>(source: Source<T>, { kind, name }: ObjectName, options: GetOptions): readonly T[] {
  const named = name !== null && isWorkloadKind(kind)
  const namespace = options.allNamespaces === true ? undefined : (options.namespace ?? (named ? 'default' : undefined))
  return source.rows.filter((row) => {
    const space = source.namespace(row)
    if (namespace !== undefined && space !== null && space !== namespace) return false
    if (options.app !== undefined && source.app(row) !== options.app) return false
    return name === null || source.id(row) === name
  })
}

/** Prints what differs from the last time: rows for people, `{type, object}` lines for machines. */
async function showChanged<T>(source: Source<T>, view: View, seen: Map<string, string>): Promise<void> {
  const rows = narrowed(source, view.asked, view.options)
  const keyOf = (row: T) => `${source.namespace(row) ?? ''}/${source.listing.name(row)}`
  const now = new Map(rows.map((row) => [keyOf(row), { row, text: JSON.stringify(row) }]))
  const first = seen.size === 0
  const changed = [...now].filter(([key, { text }]) => seen.get(key) !== text)
  const { printer } = view.session
  const { output } = view.options
  if (output === 'json' || output === 'yaml') {
    const lines = changed.map(([key, { row }]) => ({ type: seen.has(key) ? 'MODIFIED' : 'ADDED', object: row as unknown }))
    const gone = [...seen].filter(([key]) => !now.has(key)).map(([, text]) => ({ type: 'DELETED', object: JSON.parse(text) as unknown }))
    for (const line of [...lines, ...gone]) printer.out(`${JSON.stringify(line)}\n`)
  } else if (changed.length > 0) {
    const columns = columnsFor(output, source.listing.columns)
    const text =
      output === 'name'
        ? changed.map(([, { row }]) => `${source.listing.name(row)}\n`).join('')
        : table(
            columns,
            changed.map(([, { row }]) => row),
          )
    printer.out(first || output === 'name' ? text : text.slice(text.indexOf('\n') + 1))
  }
  seen.clear()
  for (const [key, { text }] of now) seen.set(key, text)
}
