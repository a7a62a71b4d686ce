import { type Line, LineCutter } from './log-reader.ts'
import type { Block, LogSource, Range } from './log-source.ts'
import type { Span } from './log-timeline.ts'

export interface Said extends Line {
  /** When it began to be written. */
  readonly span: Span
}

/** Reads the lines of one stream that begin in a range, from the first to the last. */
export class LineReader {
  readonly source: LogSource
  readonly #end: number
  #cutter: LineCutter
  #position: number
  /** Of the newest line, also of one that has no end yet. */
  #span: Span | null = null

  constructor(source: LogSource, { begin, end }: Range) {
    this.source = source
    this.#end = end
    this.#position = begin
    this.#cutter = new LineCutter(begin)
  }

  /** Some more lines; none where the stream, or the range, ends now. Called again it goes on from there. */
  async next(): Promise<readonly Said[]> {
    while (this.#cutter.begin < this.#end) {
      const block = await this.source.after(this.#position)
      if (block === null) return []
      const lines = this.#cut(block).filter(({ position }) => position < this.#end)
      if (lines.length > 0) return lines
    }
    return []
  }

  /** What has no newline; nothing follows it. */
  rest(): Said[] {
    if (this.#cutter.begin >= this.#end) return []
    return this.#cutter.end().flatMap((line) => (this.#span === null ? [] : [{ ...line, span: this.#span }]))
  }

  #cut(block: Block): Said[] {
    // What was rotated away before it was read is lost, and with it the beginning of the line.
    if (block.position !== this.#position) this.#cutter = new LineCutter(block.position)
    this.#position = block.position + block.bytes.length
    const lines = this.#cutter.push(block.bytes).map((line) => ({ ...line, span: this.#spanOf(line.position, block) }))
    if (this.#cutter.begin < this.#position) this.#spanOf(this.#cutter.begin, block)
    return lines
  }

  /** Lines come in their order, so many in a row are of one span. */
  #spanOf(position: number, { spanOf }: Block): Span {
    if (this.#span === null || position >= this.#span.end) this.#span = spanOf(position)
    return this.#span
  }
}
