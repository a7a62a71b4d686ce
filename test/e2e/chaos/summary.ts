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
  readonly findings: number
}

export const lineOf = ({ number, title, held, quietAfter, elections, findings }: Episode): string =>
  `#${number} ${title}, ${held.toFixed(1)} s; quiet after ${quietAfter.toFixed(1)} s` +
  `${elections === 0 ? '' : `, ${elections} elected`}${findings === 0 ? '' : `, ${findings} FOUND`}`

const HEADERS = ['fault', 'times', 'held s', 'quiet s p50', 'quiet s max', 'elections', 'found']

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
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
  return [
    kind,
    String(episodes.length),
    sum(episodes.map(({ held }) => held)).toFixed(0),
    (quiet[Math.floor(quiet.length / 2)] ?? 0).toFixed(1),
    (quiet.at(-1) ?? 0).toFixed(1),
    String(sum(episodes.map(({ elections }) => elections))),
    String(sum(episodes.map(({ findings }) => findings))),
  ]
}
