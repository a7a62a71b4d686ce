import { WhyView } from '../../model/views.ts'
import type { Client } from '../client.ts'
import { ServerRefusal } from '../client.ts'
import { EXIT } from '../exit.ts'
import { isWorkloadKind, onlyDescribed, parseOne } from '../objects.ts'
import { statusColor } from '../output/colors.ts'
import { escapeText } from '../output/escape.ts'
import type { Format } from '../output/print.ts'
import { untilOf } from '../output/time.ts'
import { notFound, readAgents, readApps, readRuns, readTasks, readWorkload, workloadName } from '../read.ts'
import type { Command, Session } from '../session.ts'

export interface WhyOptions {
  readonly output: Format
  readonly namespace: string
}

export const why: Command<WhyOptions> = async (session, words, options) => {
  const { kind, name } = await parseOne(words)
  onlyDescribed({ kind, name })
  const client = await session.client()
  const object = isWorkloadKind(kind)
    ? workloadName(await readWorkload(client, { kind, name, namespace: options.namespace }))
    : `${kind}/${name}`
  const query = new URLSearchParams({ object, namespace: options.namespace })
  const view = await client.get(`/api/v1/why?${query}`, WhyView).catch(async (error: unknown) => {
    throw error instanceof ServerRefusal && error.code === 'NotFound' ? notFound({ kind, name, known: await known(client, kind) }) : error
  })
  if (options.output === 'json' || options.output === 'yaml') await session.printer.value(options.output, view)
  else session.printer.out(text(session, view))
  return EXIT.ok
}

async function known(client: Client, kind: string): Promise<string[]> {
  if (kind === 'app') return (await readApps(client)).map((app) => app.name)
  if (kind === 'task') return (await readTasks(client)).map((task) => task.id)
  if (kind === 'run') return (await readRuns(client)).map((run) => run.id)
  return kind === 'agent' ? (await readAgents(client)).map((agent) => agent.id) : []
}

/** One screen: what is so, then each thing in the way with its reasons, then when it is looked at again. */
function text({ printer, deps }: Session, view: WhyView): string {
  const { colors } = printer
  const now = deps.clock.now()
  const lines = view.lines.flatMap(({ about, reasons, until }) => [
    `  ${escapeText(about)}${until === null ? '' : ` (${untilOf(until, now)})`}`,
    ...reasons.map(
      ({ code, message, count }) => `    ${count > 1 ? `${count} x ` : ''}${colors.bold(escapeText(code))}: ${escapeText(message)}`,
    ),
  ])
  const said = view.summary.startsWith(`${view.health}: `) ? view.summary.slice(view.health.length + 2) : view.summary
  const head = `${escapeText(view.object)}: ${statusColor(colors, view.health)}: ${escapeText(said)}`
  const wake = view.nextWake === null ? [] : [`next look: ${untilOf(view.nextWake, now)} (${view.nextWake})`]
  return `${[head, ...lines, ...wake].join('\n')}\n`
}
