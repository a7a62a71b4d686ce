import type { WorkloadKey } from '../model/ids.ts'
import type { Hold } from '../model/records.ts'
import { type PlanAction, type PlannedField, type WorkloadChange, workloadTitle } from './plan-changes.ts'
import { contentMark } from './plan-mask.ts'
import { planOrder, type Removals } from './plan-order.ts'

/** What a line of a plan is about, for whoever colours it. */
type PlanMark = 'header' | 'create' | 'update' | 'replace' | 'delete' | 'hold' | 'note' | 'total'

/** How many agents would take one more task of a workload, of how many. */
interface Room {
  readonly withRoom: number
  readonly agents: number
}

export type PlanHold = Pick<Hold, 'gate' | 'message' | 'unblockBy'>

export interface PlanContext {
  readonly app: string
  /** Revision that is live; null when there is none yet. */
  readonly from: string | null
  readonly to: string
  readonly room?: ReadonlyMap<WorkloadKey, Room>
  /** What will not happen although git says so: of one workload (quarantine), and of the app (deletion budget). */
  readonly workloadHolds?: ReadonlyMap<WorkloadKey, readonly PlanHold[]>
  readonly holds?: readonly PlanHold[]
  /** As the app's policy has it. */
  readonly removals: Removals
  /** Colours one line, which holds no line break; the text is left as it is unless given. */
  readonly paint?: (mark: PlanMark, line: string) => string
}

export interface PlanCounts {
  readonly add: number
  readonly change: number
  readonly replace: number
  readonly destroy: number
}

interface Line {
  readonly mark: PlanMark
  readonly text: string
}

const SIGNS: Readonly<Record<PlanAction, string>> = { create: '+', update: '~', replace: '-/+', delete: '-', none: ' ' }
const NO_CHANGES = 'No changes.'

/** A plan as people read it, ending in a line break. Every character that could move a cursor is escaped. */
export function renderPlan(changes: readonly WorkloadChange[], context: PlanContext): string {
  const shown = changes.filter(({ action }) => action !== 'none')
  const blocks: Line[][] = [
    [headerLine(context)],
    ...shown.map((change) => changeLines(change, context)),
    orderLines(changes, context),
    (context.holds ?? []).map((hold) => holdLine(hold, '')),
    [{ mark: 'total', text: shown.length === 0 ? NO_CHANGES : totalText(countPlan(changes)) }],
  ]
  const paint = context.paint ?? ((_, line) => line)
  const paragraphs = blocks
    .filter((block) => block.length > 0)
    .map((block) => block.map(({ mark, text }) => paint(mark, escapeLine(text))).join('\n'))
  return `${paragraphs.join('\n\n')}\n`
}

export function countPlan(changes: readonly WorkloadChange[]): PlanCounts {
  const count = (wanted: PlanAction): number => changes.filter(({ action }) => action === wanted).length
  return { add: count('create'), change: count('update'), replace: count('replace'), destroy: count('delete') }
}

const totalText = ({ add, change, replace, destroy }: PlanCounts): string =>
  `Plan: ${add} to add, ${change} to change, ${replace} to replace, ${destroy} to destroy.`

function headerLine({ app, from, to }: PlanContext): Line {
  return { mark: 'header', text: `App ${app}: ${from === null ? 'nothing yet' : shortRevision(from)} -> ${shortRevision(to)}` }
}

const shortRevision = (revision: string): string => revision.replace(/@sha1:([0-9a-f]{8})[0-9a-f]{32}$/, '@sha1:$1')

function changeLines(change: WorkloadChange, { room, workloadHolds }: PlanContext): Line[] {
  const mark: PlanMark = change.action === 'none' ? 'note' : change.action
  return [
    { mark, text: `${SIGNS[change.action]} ${workloadTitle(change.key)}${change.action === 'replace' ? ' (tasks restart)' : ''}` },
    ...change.fields.map((field) => fieldLine(field, change.action)),
    ...notesOf(change, room).map((note): Line => ({ mark: 'note', text: `    ${note}` })),
    ...(workloadHolds?.get(change.key) ?? []).map((hold) => holdLine(hold, '    ')),
  ]
}

const MOST_IN_WAVE = 5

/** Nothing when all may begin at once. */
function orderLines(changes: readonly WorkloadChange[], { removals }: PlanContext): Line[] {
  const waves = planOrder(changes, removals)
  if (waves.length < 2) return []
  return [{ mark: 'note', text: `Order: ${waves.map((wave, index) => `${index + 1}. ${waveText(wave)}`).join('  ')}` }]
}

function waveText(wave: readonly WorkloadKey[]): string {
  const more = wave.length - MOST_IN_WAVE
  return wave.slice(0, MOST_IN_WAVE).map(workloadTitle).join(', ') + (more > 0 ? ` and ${more} more` : '')
}

/** What a change means for tasks, and for how many there is room. */
export function notesOf({ key, action, notes }: WorkloadChange, room: PlanContext['room']): readonly string[] {
  const free = action === 'delete' ? undefined : room?.get(key)
  return free === undefined ? notes : [...notes, roomText(free)]
}

const roomText = ({ withRoom, agents }: Room): string =>
  `${withRoom} of ${agents} ${agents === 1 ? 'machine' : 'machines'} ${withRoom === 1 ? 'has' : 'have'} room for one more task`

const holdLine = (hold: PlanHold, indent: string): Line => ({ mark: 'hold', text: `${indent}! ${holdText(hold)}` })

export const holdText = ({ gate, message, unblockBy }: PlanHold): string =>
  `held (${gate}): ${message}${unblockBy === '' ? '' : `; to go on: ${unblockBy}`}`

function fieldLine({ path, before, after, forcesRestart, summary }: PlannedField, action: PlanAction): Line {
  const restart = forcesRestart ? ' (forces restart)' : ''
  if (action === 'create') return { mark: 'create', text: `    ${path}: ${summary ?? valueText(after)}` }
  if (before === undefined) return { mark: 'create', text: `    + ${path}: ${summary ?? valueText(after)}${restart}` }
  if (after === undefined) return { mark: 'delete', text: `    - ${path}: ${summary ?? valueText(before)}${restart}` }
  return { mark: 'update', text: `    ~ ${path}: ${summary ?? `${valueText(before)} -> ${valueText(after)}`}${restart}` }
}

/** Texts that nobody could take for a number, a word of ours or two values stand without quotes. */
const PLAIN = /^(?!(?:true|false|null)$)(?:[\w/][\w./:@%+=,-]*|<[0-9a-f]{8}>)$/
const LONGEST = 160

function valueText(value: unknown): string {
  const isPlain = typeof value === 'string' && PLAIN.test(value) && Number.isNaN(Number(value))
  const text = isPlain ? value : (JSON.stringify(value) ?? 'null')
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST)}… ${contentMark(text)}`
}

/** Control, invisible and direction-changing characters, and halves of pairs; they could rewrite a terminal or hide what changes. */
const HOSTILE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]|\p{Default_Ignorable_Code_Point}/gu

const escapeLine = (text: string): string => text.replace(HOSTILE, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`)
