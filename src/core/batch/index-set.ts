/** A set of completion numbers as ranges, both ends included, ascending, never touching: what stays small while most of a run is done. */
export type IndexSet = readonly (readonly [from: number, to: number])[]

/** From so many characters on a set is written bit by bit: ranges of 100,000 numbers could take more than a store does. */
const MOST_AS_RANGES = 25_000
const BITS = 'x'

/** Of text as in `0-5,7`, or `x` and hexadecimal digits of four numbers each; empty text is the empty set. */
export function parseIndexes(text: string): IndexSet {
  if (text === '') return []
  if (text.startsWith(BITS)) return withIndexes([], numbersOf(text.slice(BITS.length)))
  return text.split(',').map((part) => {
    const [from = '', to = from] = part.split('-')
    return [Number(from), Number(to)]
  })
}

/** At most `MOST_AS_RANGES` characters for numbers below 100,000. */
export function formatIndexes(set: IndexSet): string {
  const ranges = set.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',')
  return ranges.length <= MOST_AS_RANGES ? ranges : BITS + bitsOf(set)
}

function* numbersOf(digits: string): Generator<number> {
  for (const [place, digit] of [...digits].entries())
    for (let bit = 0; bit < 4; bit += 1) if (Math.floor(Number.parseInt(digit, 16) / 2 ** bit) % 2 === 1) yield 4 * place + bit
}

function bitsOf(set: IndexSet): string {
  const digits: number[] = Array.from({ length: Math.floor((set.at(-1)?.[1] ?? 0) / 4) + 1 }, () => 0)
  for (const [from, to] of set)
    for (let index = from; index <= to; index += 1) {
      const place = Math.floor(index / 4)
      digits[place] = (digits[place] ?? 0) + 2 ** (index % 4)
    }
  return digits.map((digit) => digit.toString(16)).join('')
}

/** Whether a number is in it. */
export function hasIndex(set: IndexSet, index: number): boolean {
  let [low, high] = [0, set.length]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if ((set[middle]?.[1] ?? 0) < index) low = middle + 1
    else high = middle
  }
  return (set[low]?.[0] ?? Number.POSITIVE_INFINITY) <= index
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
