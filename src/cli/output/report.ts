import type { EventView, RunView, TaskView } from '../../model/views.ts'
import { eventListing, runListing, taskListing } from '../listings.ts'
import { statusColor } from './colors.ts'
import { escapeText } from './escape.ts'
import type { Field, Look } from './look.ts'
import { columnsFor, type Listing } from './print.ts'
import { table } from './table.ts'

export interface Sections {
  readonly runs?: readonly RunView[]
  readonly tasks?: readonly TaskView[]
  readonly events?: readonly EventView[]
}

/** Newest runs that a report shows; `history` has them all. */
const RUNS_SHOWN = 10

/** `Name:  value` lines, lists indented below their name, then tables of runs (newest first), of tasks and of the latest events. */
export function report(look: Look, fields: readonly Field[], { runs, tasks, events }: Sections): string {
  const width = Math.max(...fields.map(([name]) => name.length)) + 1
  const lines = fields.flatMap(([name, value]) => fieldLines(look, `${name}:`.padEnd(width + 1), value))
  const parts = [`${lines.join('\n')}\n`]
  if (runs !== undefined) parts.push(section('Runs', rows(runListing(look), runs.slice(0, RUNS_SHOWN))))
  if (tasks !== undefined) parts.push(section('Tasks', rows(taskListing(look), tasks)))
  if (events !== undefined) parts.push(section('Events', rows(eventListing(look), events.slice(-10))))
  return parts.join('\n')
}

const rows = <T>({ columns }: Listing<T>, items: readonly T[]): string | null =>
  items.length === 0 ? null : table(columnsFor('table', columns), items)

const section = (title: string, text: string | null): string =>
  text === null ? `${title}: none\n` : `${title}:\n${text.replace(/^(?=.)/gm, '  ')}`

function fieldLines(look: Look, label: string, value: Field[1]): string[] {
  if (value === null) return []
  if (typeof value === 'string') return [`${label} ${statusColor(look.colors, escapeText(value))}`]
  return value.length === 0 ? [] : [label.trimEnd(), ...value.map((line) => `  ${escapeText(line)}`)]
}
