import { type GraphNode, namesOf, phaseOf, type RunGraph } from './graphs.ts'
import { durationOf } from './listings.ts'
import { statusColor } from './output/colors.ts'
import { escapeText } from './output/escape.ts'
import type { Look } from './output/look.ts'
import { columnsFor, type Format } from './output/print.ts'
import { type Column, table } from './output/table.ts'
import { ageOf } from './output/time.ts'
import { runName, slotText } from './runs.ts'

/** A graph as a tree in plain characters, so that every terminal and log shows it. Nothing here writes. */

interface Row {
  readonly node: GraphNode
  /** What leads to it, of lines and blanks. */
  readonly stem: string
}

/** What it began with and came to, then one line a node. */
export function graphText(graph: RunGraph, look: Look, format: Format): string {
  const { colors, now } = look
  const { root } = graph
  const began =
    root === null ? [] : [root.slot === null ? root.trigger : `slot ${slotText(root.slot)}`, `${ageOf(root.createdAt, now)} ago`]
  const place = graph.namespace === 'default' ? '' : ` (${graph.namespace})`
  const head = `${colors.bold(escapeText(`run/${graph.id}`))}${place}: ${[statusColor(colors, phaseOf(graph)), ...began].join(', ')}`
  return `${head}\n${table(columnsFor(format, columnsOf(look)), rowsOf(graph.nodes))}`
}

const columnsOf = ({ colors, now }: Look): Column<Row>[] => [
  { header: 'CRONJOB', value: ({ node, stem }) => `${stem}${node.name}${joined(node)}` },
  { header: 'PHASE', value: ({ node }) => node.phase, paint: (text) => statusColor(colors, text) },
  { header: 'DURATION', value: ({ node }) => (node.run === null ? '' : durationOf(node.run, now)) },
  { header: 'RUNS', value: ({ node }) => String(node.times), wide: true },
  { header: 'RUN', value: ({ node }) => (node.run === null ? '' : runName(node.run)), wide: true },
  { header: 'ABOUT', value: ({ node }) => node.about },
]

/** A node stands in one place only, below what all of its ways lead through; the parents that join there are named. */
const joined = ({ parents }: GraphNode): string => (parents.length > 1 ? ` (${namesOf(parents.map((name) => ({ name })))})` : '')

function rowsOf(nodes: readonly GraphNode[]): Row[] {
  const above = placesOf(nodes)
  const below = (name: string | null): GraphNode[] => nodes.filter((node) => above.get(node.name) === name)
  const rowsUnder = (node: GraphNode, stem: string, rest: string): Row[] => {
    const children = below(node.name)
    const rows = children.slice(0, -1).flatMap((child) => rowsUnder(child, `${rest}|- `, `${rest}|  `))
    const last = children.slice(-1).flatMap((child) => rowsUnder(child, `${rest}\`- `, `${rest}   `))
    return [{ node, stem }, ...rows, ...last]
  }
  return below(null).flatMap((root) => rowsUnder(root, '', ''))
}

/** For each node the one that every way to it leads through last (its immediate dominator); null: none. */
function placesOf(nodes: readonly GraphNode[]): ReadonlyMap<string, string | null> {
  const above = new Map<string, string | null>()
  const pathTo = (name: string | null): string[] => (name === null ? [] : [...pathTo(above.get(name) ?? null), name])
  for (const { name, parents } of nodes) {
    const paths = parents.map(pathTo)
    const [first = [], ...others] = paths
    const shared = first.filter((step, at) => others.every((path) => path[at] === step))
    above.set(name, shared.at(-1) ?? null)
  }
  return above
}
