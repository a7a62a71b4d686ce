import pc from 'picocolors'

export type Colors = ReturnType<typeof pc.createColors>

interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly isTTY: boolean
  /** `--no-color` was given. */
  readonly plain: boolean
}

/** As Node decides: FORCE_COLOR beats NO_COLOR, and both beat what the output is. */
function wantsColor({ env, isTTY, plain }: Terminal): boolean {
  if (plain) return false
  const forced = env.FORCE_COLOR
  if (forced !== undefined && forced !== '') return forced !== '0' && forced !== 'false'
  if ((env.NO_COLOR ?? '') !== '' || env.TERM === 'dumb') return false
  return isTTY
}

export const colorsFor = (terminal: Terminal): Colors => pc.createColors(wantsColor(terminal))

const GOOD = new Set(['Healthy', 'Synced', 'Running', 'Succeeded', 'Ready', 'Complete', 'ok'])
const BAD = new Set(['Degraded', 'Failed', 'Lost', 'Rejected', 'Missing', 'Unreachable', 'Warning', 'RolledBack', 'fail'])
const PENDING = new Set([
  'Progressing',
  'OutOfSync',
  'Unknown',
  'Pending',
  'Preparing',
  'Starting',
  'Stopping',
  'Assigned',
  'Suspect',
  'Waiting',
  'Blocked',
  'Rolling',
  'Paused',
  'Proving',
  'warn',
])

/** The word carries the meaning; colour only helps to find it. */
export function statusColor(colors: Colors, word: string): string {
  if (GOOD.has(word)) return colors.green(word)
  if (BAD.has(word)) return colors.red(word)
  return PENDING.has(word) ? colors.yellow(word) : word
}

const MARKS: readonly (readonly [string, 'green' | 'red' | 'yellow' | 'magenta' | 'bold'])[] = [
  ['-/+', 'magenta'],
  ['+', 'green'],
  ['-', 'red'],
  ['~', 'yellow'],
  ['!', 'yellow'],
  ['Plan:', 'bold'],
]

/** Colours each line of a plan by the mark it begins with. */
export function planColors(colors: Colors, text: string): string {
  return text
    .split('\n')
    .map((line) => planLine(colors, line))
    .join('\n')
}

function planLine(colors: Colors, line: string): string {
  const start = line.trimStart()
  const mark = MARKS.find(([prefix]) => start.startsWith(prefix === 'Plan:' ? prefix : `${prefix} `))
  return mark === undefined ? line : colors[mark[1]](line)
}
