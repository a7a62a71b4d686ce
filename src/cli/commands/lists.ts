import type { Client } from '../client.ts'
import { EXIT } from '../exit.ts'
import { eventListing, historyListing } from '../listings.ts'
import { parseOne } from '../objects.ts'
import { columnsFor, type Format } from '../output/print.ts'
import { table } from '../output/table.ts'
import { readApp, readEvents, readHistory, readWorkload } from '../read.ts'
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
  if (kind === 'deployment' || kind === 'job') return `${kind}/${namespace}/${name}`
  if (kind !== 'workload') return `${kind}/${name}`
  const workload = await readWorkload(client, { kind, name, namespace })
  return `${workload.kind.toLowerCase()}/${namespace}/${name}`
}

/** Every sync and rollback of an app, newest first. */
export const history: Command<{ output: Format }> = async (session, [app = ''], { output }) => {
  const client = await session.client()
  await readApp(client, app)
  await session.printer.list(output, await readHistory(client, app), historyListing(look(session)))
  return EXIT.ok
}
