import type { AppView } from '../../model/views.ts'
import type { Client } from '../client.ts'
import { EXIT } from '../exit.ts'
import { appListing, workloadListing } from '../listings.ts'
import { statusColor } from '../output/colors.ts'
import { escapeText } from '../output/escape.ts'
import type { Format } from '../output/print.ts'
import { columnsFor } from '../output/print.ts'
import { table } from '../output/table.ts'
import { readApp, readApps, shortRevision } from '../read.ts'
import type { Command, Session } from '../session.ts'
import { changes } from '../watch.ts'

export interface StatusOptions {
  readonly output: Format
  readonly exitCode?: boolean
  readonly watch?: boolean
}

export const status: Command<StatusOptions> = async (session, [name], options) => {
  const client = await session.client()
  const load = async () => (name === undefined ? await readApps(client) : [await readApp(client, name)])
  if (options.watch === true) return watched(session, client, { load, options })
  const apps = await load()
  await show(session, apps, options)
  return options.exitCode === true && apps.some((app) => app.health !== 'Healthy') ? EXIT.unhealthy : EXIT.ok
}

interface Watched {
  readonly load: () => Promise<AppView[]>
  readonly options: StatusOptions
}

const CLEAR = '\u001b[H\u001b[2J\u001b[3J'

async function watched(session: Session, client: Client, { load, options }: Watched): Promise<number> {
  let last = ''
  for await (const _ of changes({ client, clock: session.deps.clock, signal: session.deps.signal })) {
    const apps = await load()
    const text = JSON.stringify(apps)
    if (text === last) continue
    last = text
    if (options.output === 'json') session.printer.out(`${JSON.stringify({ items: apps })}\n`)
    else {
      if (session.deps.isTTY.stdout) session.printer.out(CLEAR)
      await show(session, apps, options)
    }
  }
  return EXIT.interrupted
}

async function show(session: Session, apps: readonly AppView[], { output }: StatusOptions): Promise<void> {
  const { printer, deps } = session
  const looks = { colors: printer.colors, now: deps.clock.now() }
  if (output !== 'table' && output !== 'wide') return printer.list(output, apps, appListing(looks))
  if (apps.length === 0) return printer.say('no app yet; `drover up --repo PATH` brings one')
  printer.out(apps.map((app) => report(app)).join('\n'))

  function report(app: AppView): string {
    const { colors } = printer
    const head = `${colors.bold(app.name)}: ${statusColor(colors, app.sync)}, ${statusColor(colors, app.health)}`
    const lines = [
      head,
      ...revisionLines(app),
      ...app.holds.map((hold) => `  hold ${hold.gate}: ${escapeText(hold.message)}\n    unblock: ${escapeText(hold.unblockBy)}`),
    ]
    const problems = app.problems.map((p) => `  ${escapeText(`${p.file}:${p.line}:${p.column}: ${p.message}`)}`)
    const workloads = table(columnsFor(output, workloadListing(looks).columns), app.workloads)
    return `${[...lines, ...problems].join('\n')}\n${app.workloads.length === 0 ? '' : `\n${workloads}`}`
  }
}

function revisionLines(app: AppView): string[] {
  const { repo, ref, path } = app.source
  const lines = [`  source:    ${escapeText(`${repo} ${ref} ${path}`)}`, `  applied:   ${shortRevision(app.lastAppliedRevision)}`]
  if (app.lastAttemptedRevision !== app.lastAppliedRevision) lines.push(`  attempted: ${shortRevision(app.lastAttemptedRevision)}`)
  if (app.observedRevision !== app.lastAttemptedRevision) lines.push(`  observed:  ${shortRevision(app.observedRevision)}`)
  return lines
}
