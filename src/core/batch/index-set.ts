/** A set of completion numbers as ranges, both ends included, ascending, never touching: what stays small while most of a run is done. */
export type IndexSet = readonly (readonly [from: number, to: number])[]

/** From so many characters on a set is written bit by bit: ranges of 100,000 numbers could take more than a store does. */
const MOST_AS_RANGES = 25_000
const BITS = 'x'
const BITS_A_DIGIT = 4

/** Of text as in `0-5,7`, or `x` and hexadecimal digits of four numbers each; empty text is the empty set. */
export function parseIndexes(text: string): IndexSet {
  if (text === '') return []
  if (text.startsWith(BITS)) return rangesOf(text.slice(BITS.length))
  return text.split(',').map((part) => {
    const [from = '', to = from] = part.split('-')
    return [Number(from), Number(to)]
  })
}

/** At most `MOST_AS_RANGES` characters for numbers below 100,000. */
export function formatIndexes(set: IndexSet): string {
  const ranges = set.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',')
  return ranges.length <= MOST_AS_RANGES ? ranges : BITS + digitsOf(set)
}

function rangesOf(digits: string): IndexSet {
  const ranges: Ranges = []
  for (let place = 0; place < digits.length; place += 1) {
    const digit = Number.parseInt(digits.charAt(place), 16)
    for (let bit = 0; bit < BITS_A_DIGIT; bit += 1) {
      const index = BITS_A_DIGIT * place + bit
      if (Math.floor(digit / 2 ** bit) % 2 === 1) append(ranges, index, index)
    }
  }
  return ranges
}

function digitsOf(set: IndexSet): string {
  const digits: number[] = Array.from({ length: Math.floor((set.at(-1)?.[1] ?? 0) / BITS_A_DIGIT) + 1 }, () => 0)
  for (const [from, to] of set)
    for (let index = from; index <= to; index += 1) {
      const place = Math.floor(index / BITS_A_DIGIT)
      digits[place] = (digits[place] ?? 0) + 2 ** (index % BITS_A_DIGIT)
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
  const ascending = [...added].sort((a, b) => a - b)
  return unionOf(
    set,
    ascending.map((index) => [index, index]),
  )
}

/** Of two lists of ranges that rise; the second may touch or hold something twice. */
export function unionOf(a: IndexSet, b: IndexSet): IndexSet {
  if (b.length === 0) return a
  const ranges: Ranges = []
  let next = 0
  for (const [from, to] of b) {
    for (let range = a[next]; range !== undefined && range[0] <= from; range = a[next]) {
      append(ranges, ...range)
      next += 1
    }
    append(ranges, from, to)
  }
  for (const range of a.slice(next)) append(ranges, ...range)
  return ranges
}

type Ranges = [from: number, to: number][]

/** A range that begins no earlier than the last one. */
function append(ranges: Ranges, from: number, to: number): void {
  const last = ranges.at(-1)
  if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to)
  else ranges.push([from, to])
}

export function countIndexes(set: IndexSet): number {
  return set.reduce((sum, [from, to]) => sum + to - from + 1, 0)
}

/** How many numbers a text holds, without making a set of them: lists of runs ask for no more. */
export function countWritten(text: string): number {
  if (!text.startsWith(BITS)) return countIndexes(parseIndexes(text))
  let count = 0
  for (const digit of text.slice(BITS.length)) count += BITS_SET[Number.parseInt(digit, 16)] ?? 0
  return count
}

/** In each of the hexadecimal digits. */
const BITS_SET = [0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4]

/** The numbers below `end` that are not in it, smallest first. */
export function* missingIndexes(set: IndexSet, end: number): Generator<number> {
  let next = 0
  for (const [from, to] of [...set, [end, end] as const]) {
    for (; next < Math.min(from, end); next += 1) yield next
    next = Math.max(next, to + 1)
  }
}
