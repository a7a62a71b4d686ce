import { NEWLINE } from './log-reader.ts'
import type { Block, LogSource, Range } from './log-source.ts'
import type { Span } from './log-timeline.ts'

interface Start {
  readonly position: number
  readonly span: Span
}

/** Where the lines of a range begin, the last one first; read backwards, so of a large file only its end. */
class LineStarts {
  readonly #source: LogSource
  readonly #range: Range
  /** Of the block in hand, the last one at the end. */
  #starts: Start[] = []
  #before: number

  constructor(source: LogSource, range: Range) {
    this.#source = source
    this.#range = range
    this.#before = range.end
  }

  /** The last one that was not taken; null: there is none. */
  async head(): Promise<Start | null> {
    // The newline before the first line tells that a line begins there.
    const lowest = this.#range.begin - 1
    while (this.#starts.length === 0) {
      const block = await this.#source.before(this.#before, lowest)
      if (block === null) return null
      this.#before = block.position
      this.#starts = this.#startsIn(block)
    }
    return this.#starts.at(-1) ?? null
  }

  take(): void {
    this.#starts.pop()
  }

  #startsIn({ position, bytes, isFirst, spanOf }: Block): Start[] {
    const positions = isFirst ? [position] : []
    for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) positions.push(position + at + 1)
    const { begin, end } = this.#range
    return positions.filter((start) => start >= begin && start < end).map((start) => ({ position: start, span: spanOf(start) }))
  }
}

/** Where to begin in each of two streams to get the last lines of both together: of the streams' own, the newest. */
export async function tailOf(sources: readonly LogSource[], ranges: readonly Range[], wanted: number): Promise<Range[]> {
  const streams = sources.map((source, i) => ({ starts: new LineStarts(source, ranges[i] ?? NOTHING), range: ranges[i] ?? NOTHING }))
  const begins = streams.map(({ range }) => range.end)
  for (let left = wanted; left > 0; ) {
    const groups = await lastGroup(
      streams.map(({ starts }) => starts),
      left,
    )
    const gives = shared(
      groups.map((group) => group.length),
      left,
    )
    if (groups.every((group) => group.length === 0)) break
    for (const [i, give] of gives.entries()) begins[i] = groups[i]?.[give - 1] ?? begins[i] ?? 0
    left -= gives.reduce((sum, give) => sum + give, 0)
  }
  return streams.map(({ range }, i) => ({ begin: begins[i] ?? range.end, end: range.end }))
}

const NOTHING: Range = { begin: 0, end: 0 }

/** The last lines of both that were said in one span of time, in which nobody knows who spoke first; at most so many of each. */
async function lastGroup(streams: readonly LineStarts[], most: number): Promise<number[][]> {
  const heads = await Promise.all(streams.map((starts) => starts.head()))
  const last = heads.reduce((a, b) => (a === null || (b !== null && b.span.at > a.span.at) ? b : a), null)
  if (last === null) return streams.map(() => [])
  return await Promise.all(streams.map((starts) => takenSince(starts, last.span.since, most)))
}

async function takenSince(starts: LineStarts, since: number, most: number): Promise<number[]> {
  const taken: number[] = []
  for (let head = await starts.head(); head !== null && head.span.at >= since && taken.length < most; head = await starts.head()) {
    taken.push(head.position)
    starts.take()
  }
  return taken
}

/** Shares a number of lines between the streams: half each, and what one has not is the other's. */
function shared([outs = 0, errs = 0]: readonly number[], left: number): readonly [number, number] {
  const forErr = Math.min(errs, Math.max(Math.ceil(left / 2), left - outs))
  return [Math.min(outs, left - forErr), forErr]
}
