/** A set of completion numbers as ranges, both ends included, ascending, never touching: what stays small while most of a run is done. */
export type IndexSet = readonly (readonly [from: number, to: number])[]

/** Of text as in `0-5,7`; empty text is the empty set. */
export function parseIndexes(text: string): IndexSet {
  if (text === '') return []
  return text.split(',').map((part) => {
    const [from = '', to = from] = part.split('-')
    return [Number(from), Number(to)]
  })
}

export function formatIndexes(set: IndexSet): string {
  return set.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',')
}

export function withIndexes(set: IndexSet, added: Iterable<number>): IndexSet {
  const ranges = [...set, ...[...added].map((index) => [index, index] as const)].sort(([a], [b]) => a - b)
  const joined: [number, number][] = []
  for (const [from, to] of ranges) {
    const last = joined.at(-1)
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to)
    else joined.push([from, to])
  }
  return joined
}

export function countIndexes(set: IndexSet): number {
  return set.reduce((sum, [from, to]) => sum + to - from + 1, 0)
}

/** The numbers below `end` that are not in it, smallest first. */
export function* missingIndexes(set: IndexSet, end: number): Generator<number> {
  let next = 0
  for (const [from, to] of [...set, [end, end] as const]) {
    for (; next < Math.min(from, end); next += 1) yield next
    next = Math.max(next, to + 1)
  }
}
