import type { Millis } from '../../../src/model/ids.ts'

/** Some bytes of a stream, up to a position, and between which moments they were written; wall clock. */
export interface Span {
  readonly end: number
  readonly since: Millis
  readonly at: Millis
}

/** Of what nobody has noted: it may have been said at any time. */
const UNKNOWN: Span = { end: Number.POSITIVE_INFINITY, since: 0, at: Number.MAX_SAFE_INTEGER }

/** When each byte of a stream was written, from a position on: each span begins where the one before it ends. */
export class Timeline {
  readonly #begin: number
  readonly #spans: readonly Span[]

  constructor(begin: number, spans: readonly Span[]) {
    this.#begin = begin
    this.#spans = spans
  }

  covers(from: number, to: number): boolean {
    return this.#begin <= from && to <= (this.#spans.at(-1)?.end ?? this.#begin)
  }

  of(position: number): Span {
    return this.#spans[firstIndex(this.#spans, ({ end }) => end > position)] ?? UNKNOWN
  }

  /** Where that begins what may have been said at `since` or later. */
  beginOf(since: Millis): number {
    const first = firstIndex(this.#spans, ({ at }) => at >= since)
    return this.#spans[first - 1]?.end ?? this.#begin
  }

  /** Where that ends what may have been said at `until` or before. */
  endOf(until: Millis): number {
    const after = firstIndex(this.#spans, ({ since }) => since > until)
    return this.#spans[after - 1]?.end ?? this.#begin
  }
}

/** Index of the first one for which it holds, where it holds for all that follow; the length when it holds for none. */
function firstIndex(spans: readonly Span[], holds: (span: Span) => boolean): number {
  let [low, high] = [0, spans.length]
  while (low < high) {
    const middle = (low + high) >> 1
    const span = spans[middle]
    if (span !== undefined && holds(span)) high = middle
    else low = middle + 1
  }
  return low
}

const LINE = /^(\d+) (\d+) (\d+)$/

/** One line of an index: position, moment, and milliseconds before it. */
export const formatSpan = ({ end, since, at }: Span): string => `${end} ${at} ${at - since}\n`

/** A line that was cut short by a crash is left out. */
export function parseSpans(text: string): Span[] {
  return text.split('\n').flatMap((line) => {
    const [, end, at, length] = LINE.exec(line) ?? []
    return length === undefined ? [] : [{ end: Number(end), since: Number(at) - Number(length), at: Number(at) }]
  })
}
