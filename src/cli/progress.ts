import stringWidth from 'string-width'
import type { WorkloadView } from '../model/views.ts'
import { type Colors, statusColor } from './output/colors.ts'
import { escapeText } from './output/escape.ts'
import { type Column, table } from './output/table.ts'
import { span } from './output/time.ts'
import { workloadName } from './read.ts'
import { promoteCommand, rolloutUnderWay, stepOf, waitsForPromotion } from './rollouts.ts'

/** How far workloads are, as text. Nothing here writes. */

/** Where it can be drawn. */
export interface Canvas {
  readonly columns: number
  readonly rows: number
  readonly colors: Colors
  /** Wall clock, milliseconds since 1970. */
  readonly now: number
}

export const isSettled = (view: WorkloadView): boolean => view.health === 'Healthy' && rolloutUnderWay(view) === null

/** Names it among all workloads. */
export const keyOf = ({ namespace, kind, name }: WorkloadView): string => `${namespace}/${kind}/${name}`

const nameOf = (view: WorkloadView): string => `${workloadName(view)}${view.namespace === 'default' ? '' : ` (${view.namespace})`}`

/** The phase of a rollout under way says more than the health. */
const phaseOf = (view: WorkloadView): string => rolloutUnderWay(view)?.phase ?? view.health

function countsOf(view: WorkloadView): string {
  const updated = rolloutUnderWay(view)?.updated ?? null
  if (view.schedule !== null) return `${view.schedule.active.length} under way`
  return `${view.ready}/${view.desired} ready${updated === null ? '' : `, ${updated} updated`}`
}

/** What is special about the moment: a canary step, a pause that a person must end, a return, what was rolled back. */
function notesOf(view: WorkloadView): string {
  const rollout = rolloutUnderWay(view)
  if (rollout === null) return view.quarantine === null ? '' : 'rolled back'
  return [
    ...(rollout.intent === 'Restore' ? ['going back'] : []),
    ...(rollout.step === null ? [] : [`step ${stepOf(rollout)}`]),
    ...(waitsForPromotion(rollout) ? ['until promoted'] : []),
  ].join(', ')
}

function elapsedOf(view: WorkloadView, now: number): string {
  const rollout = rolloutUnderWay(view)
  return rollout === null ? '' : span(now - Date.parse(rollout.startedAt))
}

/** Equal while nothing has happened that is worth a line in a log; counts are not. */
export const stateOf = (view: WorkloadView): string => `${phaseOf(view)} ${notesOf(view)} ${view.reasons.map(({ code }) => code).join()}`

/** `deployment/web: Rolling, 3/10 ready, 2 updated, step 1/2`. */
export function progressLine(view: WorkloadView): string {
  const reasons = view.reasons.map(({ code, message }) => `${code}: ${message}`)
  const promote = promoteCommand(view)
  const parts = [phaseOf(view), countsOf(view), notesOf(view), ...reasons, promote === null ? '' : `\`${promote}\` goes on`]
  return escapeText(`${nameOf(view)}: ${parts.filter((part) => part !== '').join(', ')}`)
}

/** One line a workload, none wider and all together no higher than the terminal; what is settled gives way first. */
export function frameOf(views: readonly WorkloadView[], canvas: Canvas): string[] {
  const room = Math.max(1, canvas.rows - 1)
  if (views.length <= room) return linesOf(views, canvas)
  const urgent = [...views.filter((view) => !isSettled(view)), ...views.filter(isSettled)]
  const shown = urgent.slice(0, room - 1)
  return [...linesOf(shown, canvas), clipped(`... and ${views.length - shown.length} more`, canvas.columns)]
}

function linesOf(views: readonly WorkloadView[], { columns, colors, now }: Canvas): string[] {
  const state = { header: '', value: phaseOf }
  const plain: Column<WorkloadView>[] = [
    { header: '', value: nameOf },
    state,
    { header: '', value: countsOf },
    { header: '', value: (view) => blank(notesOf(view)) },
    { header: '', value: (view) => blank(elapsedOf(view, now)) },
  ]
  const paint = (text: string): string => statusColor(colors, text)
  const bare = rowsOf(plain, views)
  const painted = rowsOf(
    plain.map((column) => (column === state ? { ...state, paint } : column)),
    views,
  )
  // A cut through an escape sequence would colour all that follows.
  return bare.map((line, at) => (stringWidth(line) < columns ? (painted[at] ?? line) : clipped(line, columns)))
}

/** A table marks what is empty; here most is. */
const blank = (text: string): string => text || ' '

const rowsOf = (columns: readonly Column<WorkloadView>[], views: readonly WorkloadView[]): string[] =>
  table(columns, views)
    .split('\n')
    .slice(1, views.length + 1)

/** A line as wide as the terminal may wrap, and then there are more lines than were drawn. */
function clipped(line: string, columns: number): string {
  if (stringWidth(line) < columns) return line
  let text = ''
  for (const char of line) {
    if (stringWidth(text + char) >= columns) break
    text += char
  }
  return text
}
