import type { LogLine } from '../../../src/model/protocol.ts'
import type { LogQuery } from '../../driver.ts'
import type { Context } from './context.ts'
import { blockStart, type Piece, readPiece, withPieces } from './log-files.ts'
import { NEWLINE } from './log-reader.ts'
import type { Span, Timeline } from './log-timeline.ts'
import type { StreamTimes } from './log-times.ts'

/** Some bytes of a stream, none of them in two pieces. */
export interface Block {
  readonly position: number
  readonly bytes: Buffer
  /** Nothing before it is kept. */
  readonly isFirst: boolean
  /** When the byte at that position was written; for positions in the block. */
  readonly spanOf: (position: number) => Span
}

/** Positions in a stream: lines that begin at `begin` or later, and before `end`. */
export interface Range {
  readonly begin: number
  readonly end: number
}

/** One stream of an attempt, read block by block: rotations come in between, and positions stay what they are. */
export class LogSource {
  readonly stream: LogLine['stream']
  readonly #context: Context
  readonly #times: StreamTimes
  #timeline: Timeline | null = null

  constructor(context: Context, times: StreamTimes, stream: LogLine['stream']) {
    this.#context = context
    this.#times = times
    this.stream = stream
  }

  /** The next bytes from a position on, or the oldest that are kept if it lies before them; null at the end. */
  async after(position: number): Promise<Block | null> {
    if (position === this.#times.end && (await this.#times.isStill())) return null
    return await this.#looked(async (pieces) => {
      const piece = pieces.find(({ end }) => end > position)
      return piece === undefined ? null : this.#block(pieces, piece, { begin: Math.max(position, piece.base), end: piece.end })
    })
  }

  /** Bytes that end at a position, none of them before `lowest`; null when there are none. */
  async before(position: number, lowest: number): Promise<Block | null> {
    return await this.#looked(async (pieces) => {
      const piece = pieces.findLast(({ base, end }) => base < position && base < end)
      const end = Math.min(position, piece?.end ?? 0)
      if (piece === undefined || end <= lowest) return null
      return this.#block(pieces, piece, { begin: Math.max(piece.base, lowest, blockStart(end)), end })
    })
  }

  /** Where that is which was said in a range of time; up to where it has come now when that has no end. */
  async rangeOf({ since, until }: Pick<LogQuery, 'since' | 'until'>): Promise<Range> {
    const found = await this.#looked(async (pieces) => {
      const whole = { begin: pieces[0]?.base ?? 0, end: pieces.at(-1)?.end ?? 0 }
      if (since === null && until === null) return { ...whole, oldest: whole.begin }
      const timeline = await this.#timelineOver(whole, pieces)
      const begin = since === null ? whole.begin : timeline.beginOf(since)
      return { begin, end: until === null ? whole.end : timeline.endOf(until), oldest: whole.begin }
    })
    return { begin: found.begin === found.oldest ? found.begin : await this.#lineFrom(found.begin), end: found.end }
  }

  /** The first beginning of a line at a position or after it. */
  async #lineFrom(position: number): Promise<number> {
    let from = position - 1
    for (let block = await this.after(from); block !== null; block = await this.after(from)) {
      const newline = block.bytes.indexOf(NEWLINE)
      if (newline !== -1) return block.position + newline + 1
      from = block.position + block.bytes.length
    }
    return from
  }

  #looked<T>(work: (pieces: readonly Piece[]) => Promise<T>): Promise<T> {
    return withPieces(this.#context, this.#times.current, async (pieces) => {
      await this.#times.look(pieces)
      return await work(pieces)
    })
  }

  async #block(pieces: readonly Piece[], piece: Piece, { begin, end }: Range): Promise<Block> {
    const bytes = await readPiece(piece, begin, end)
    const timeline = await this.#timelineOver({ begin, end: begin + bytes.length }, pieces)
    return { position: begin, bytes, isFirst: begin === pieces[0]?.base, spanOf: (position) => timeline.of(position) }
  }

  async #timelineOver({ begin, end }: Range, pieces: readonly Piece[]): Promise<Timeline> {
    if (this.#timeline?.covers(begin, end) !== true) this.#timeline = await this.#times.timeline(begin, pieces)
    return this.#timeline
  }
}
