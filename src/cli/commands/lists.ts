import type { Client } from '../client.ts'
import { CliError, EXIT } from '../exit.ts'
import { eventListing, historyListing, rolloutListing, runListing } from '../listings.ts'
import { isWorkloadKind, type Kind, parseOne } from '../objects.ts'
import { columnsFor, type Format } from '../output/print.ts'
import { table } from '../output/table.ts'
import { readApp, readEvents, readHistory, readRollouts, readRuns, readWorkload } from '../read.ts'
import { runsOf } from '../runs.ts'
import type { Command, Session } from '../session.ts'
import { changes } from '../watch.ts'

export interface EventsOptions {
  readonly output: Format
  readonly namespace: string
  readonly app?: string
  readonly watch?: boolean
}

const look = ({ printer, deps }: Session) => ({ colors: printer.colors, now: deps.clock.now() })

/** What happened, oldest first, to everything or to one object. */
export const events: Command<EventsOptions> = async (session, words, options) => {
  const client = await session.client()
  const object = words.length === 0 ? null : await eventObject(client, words, options.namespace)
  const filter = { ...(object === null ? {} : { object }), ...(options.app === undefined ? {} : { app: options.app }) }
  if (options.watch !== true) {
    await session.printer.list(options.output, await readEvents(client, filter), eventListing(look(session)))
    return EXIT.ok
  }
  const seen = new Set<string>()
  for await (const _ of changes({ client, clock: session.deps.clock, signal: session.deps.signal })) {
    const fresh = (await readEvents(client, filter)).filter((event) => !seen.has(event.id))
    const rows = table(columnsFor(options.output, eventListing(look(session)).columns), fresh)
    if (options.output === 'json') for (const event of fresh) session.printer.out(`${JSON.stringify(event)}\n`)
    else if (fresh.length > 0) session.printer.out(seen.size === 0 ? rows : rows.slice(rows.indexOf('\n') + 1))
    for (const event of fresh) seen.add(event.id)
  }
  return EXIT.interrupted
}

/** Events name workloads with their namespace: `deployment/NAMESPACE/NAME`. */
async function eventObject(client: Client, words: readonly string[], namespace: string): Promise<string> {
  const { kind, name } = await parseOne(words)
  if (!isWorkloadKind(kind)) return `${kind}/${name}`
  if (kind !== 'workload') return `${kind}/${namespace}/${name}`
  const workload = await readWorkload(client, { kind, name, namespace })
  return `${workload.kind.toLowerCase()}/${namespace}/${name}`
}

export interface HistoryOptions {
  readonly output: Format
  readonly namespace: string
}

/** Every sync and rollback of an app, every rollout of a Deployment or every run of a Job or a CronJob, newest first. */
export const history: Command<HistoryOptions> = async (session, words, options) => {
  const [first = ''] = words
  const object = words.length > 1 || first.includes('/') ? await parseOne(words) : { kind: 'app' as const, name: first }
  const client = await session.client()
  if (object.kind !== 'app') return workloadHistory(session, object, options)
  await readApp(client, object.name)
  await session.printer.list(options.output, await readHistory(client, object.name), historyListing(look(session)))
  return EXIT.ok
}

async function workloadHistory(session: Session, { kind, name }: { kind: Kind; name: string }, options: HistoryOptions): Promise<number> {
  if (!isWorkloadKind(kind))
    throw new CliError(EXIT.usage, `${kind}/${name} has no history`, 'give APP, deployment/NAME, job/NAME or cronjob/NAME')
  const client = await session.client()
  const view = await readWorkload(client, { kind, name, namespace: options.namespace })
  const { printer } = session
  if (view.kind !== 'Deployment') {
    await printer.list(options.output, runsOf(view, await readRuns(client)), runListing(look(session)))
  } else {
    const own = (await readRollouts(client)).filter((rollout) => rollout.workload === name && rollout.namespace === view.namespace)
    await printer.list(options.output, own, rolloutListing(look(session)))
  }
  return EXIT.ok
}
