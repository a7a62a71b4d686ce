import { CliError, EXIT, type ExitCode } from '../exit.ts'
import { graphText } from '../graph-text.ts'
import { againCommand, failedRuns, graphOf, type Known, newestGraphs, phaseOf, type RunGraph } from '../graphs.ts'
import type { ObjectName } from '../objects.ts'
import { escapeText } from '../output/escape.ts'
import type { Format } from '../output/print.ts'
import { byId, readRuns, readWorkloads } from '../read.ts'
import type { Session } from '../session.ts'

export interface GraphOptions {
  readonly output: Format
  readonly namespace?: string
  readonly allNamespaces?: boolean
  readonly app?: string
  readonly watch?: boolean
  /** A run of the graph that is wanted; `true`: the newest of each. */
  readonly graph: string | true
}

/** Draws runs that began with one another. @throws CliError 2 for what has no graph, 5 for a run that is not there. */
export async function showGraphs(session: Session, { kind, name }: ObjectName, options: GraphOptions): Promise<ExitCode> {
  if (kind !== 'run') throw new CliError(EXIT.usage, `only runs are drawn as a graph, not ${kind}`, 'give `drover get runs --graph`')
  if (options.watch === true) throw new CliError(EXIT.usage, '--graph is drawn once: it does not go with --watch')
  const client = await session.client()
  const known = { runs: await readRuns(client), workloads: await readWorkloads(client) }
  const asked = name ?? (options.graph === true ? null : options.graph.replace(/^runs?\//, ''))
  const graphs = asked === null ? narrowed(newestGraphs(known), options) : [graphAround(asked, known)]
  await show(session, graphs, options.output)
  return EXIT.ok
}

function narrowed(graphs: readonly RunGraph[], { namespace, allNamespaces, app }: GraphOptions): RunGraph[] {
  const isHere = (graph: RunGraph) => allNamespaces === true || namespace === undefined || graph.namespace === namespace
  return graphs.filter((graph) => isHere(graph) && (app === undefined || graph.app === app))
}

function graphAround(id: string, known: Known): RunGraph {
  const run = byId('run', id, known.runs)
  if (run.graph === null)
    throw new CliError(EXIT.usage, `run/${id} is in no graph: nothing starts after a Job`, `\`drover describe run/${id}\` tells of it`)
  return graphOf(run.graph, known)
}

async function show({ printer, deps }: Session, graphs: readonly RunGraph[], format: Format): Promise<void> {
  if (format === 'json' || format === 'yaml') return printer.value(format, { items: graphs.map(plainOf) })
  if (format === 'name') return printer.out(graphs.map(({ id }) => `run/${id}\n`).join(''))
  if (graphs.length === 0) return printer.say('nothing found: no CronJob that others start after has run')
  const look = { colors: printer.colors, now: deps.clock.now() }
  printer.out(graphs.map((graph) => graphText(graph, look, format)).join('\n'))
  for (const run of graphs.flatMap(failedRuns))
    printer.say(escapeText(`next: ${againCommand(run)} runs ${run.job} again, and what comes after it`))
}

/** For scripts: runs by their ids. */
function plainOf(graph: RunGraph) {
  const { id, namespace, app, root, nodes } = graph
  return {
    ...{ id, namespace, app, trigger: root?.trigger ?? null, slot: root?.slot ?? null, phase: phaseOf(graph) },
    nodes: nodes.map(({ name, phase, run, parents, about }) => ({ cronJob: name, phase, run: run?.id ?? null, parents, about })),
  }
}
