/** One fault as it went. Seconds. */
export interface Episode {
  readonly number: number
  readonly kinds: readonly string[]
  readonly title: string
  readonly held: number
  /** From the heal on. */
  readonly quietAfter: number
  /** Leaders elected from its begin to quiet. */
  readonly elections: number
  /** From the begin of the fault to the first write of the first of them; null: nobody was elected. */
  readonly actedAfter: number | null
  readonly findings: number
}

export const lineOf = ({ number, title, held, quietAfter, elections, actedAfter, findings }: Episode): string =>
  `#${number} ${title}, ${held.toFixed(1)} s; quiet after ${quietAfter.toFixed(1)} s` +
  `${actedAfter === null ? '' : `, ${elections} elected, acting after ${actedAfter.toFixed(1)} s`}${findings === 0 ? '' : `, ${findings} FOUND`}`

const HEADERS = ['fault', 'times', 'held s', 'quiet s p50', 'quiet s max', 'elections', 'acting s p50', 'acting s max', 'found']

/** A row for each kind of fault; a fault of two kinds counts in both. */
export function tableOf(episodes: readonly Episode[]): string {
  const kinds = [...new Set(episodes.flatMap((episode) => episode.kinds))].sort()
  const rows = kinds.map((kind) =>
    rowOf(
      kind,
      episodes.filter((episode) => episode.kinds.includes(kind)),
    ),
  )
  const all = [HEADERS, ...rows, rowOf('all', episodes)]
  const widths = HEADERS.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  return all.map((row) => row.map((cell, column) => pad(cell, widths[column] ?? 0, column)).join('  ')).join('\n')
}

const pad = (cell: string, width: number, column: number): string => (column === 0 ? cell.padEnd(width) : cell.padStart(width))

function rowOf(kind: string, episodes: readonly Episode[]): string[] {
  const quiet = episodes.map(({ quietAfter }) => quietAfter).toSorted((a, b) => a - b)
  const acted = episodes.flatMap(({ actedAfter }) => actedAfter ?? []).toSorted((a, b) => a - b)
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
  return [
    kind,
    String(episodes.length),
    sum(episodes.map(({ held }) => held)).toFixed(0),
    middleOf(quiet),
    lastOf(quiet),
    String(sum(episodes.map(({ elections }) => elections))),
    middleOf(acted),
    lastOf(acted),
    String(sum(episodes.map(({ findings }) => findings))),
  ]
}

const tenths = (value: number | undefined): string => value?.toFixed(1) ?? '-'
const middleOf = (sorted: readonly number[]): string => tenths(sorted[Math.floor(sorted.length / 2)])
const lastOf = (sorted: readonly number[]): string => tenths(sorted.at(-1))
