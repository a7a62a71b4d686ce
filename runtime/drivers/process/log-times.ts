import { appendFile, mkdir, open, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Clock } from '../../../src/lib/clock.ts'
import { messageOf, nullOn } from '../../../src/lib/errors.ts'
import type { Logger } from '../../../src/lib/log.ts'
import { pause } from '../../../src/lib/waits.ts'
import type { Millis } from '../../../src/model/ids.ts'
import type { Serial } from '../../serial.ts'
import { modifiedAt } from './attempt.ts'
import { readIfThere } from './files.ts'
import { basesOf, type Piece, withBase, withPieces } from './log-files.ts'
import { formatSpan, parseSpans, type Span, Timeline } from './log-timeline.ts'
import type { AttemptPaths } from './names.ts'

/** How exactly it is known when a line was written, and how often a stream is looked at for that. */
const EVERY_MS: Millis = 1_000
/** Newest spans that are held in memory; followers need no more. */
const RECENT = 120
const RECENT_BYTES = 8 * 1024

/**
 * When a stream said what. A task writes its lines straight into a file, without times, so an agent that runs notes
 * each second in which the file has grown: how far, and since when. One file of notes for each piece of the stream.
 */
export class StreamTimes {
  /** The file that the task writes to. */
  readonly current: string
  readonly #notes: string
  readonly #pid: string
  readonly #clock: Clock
  /** On disk, newest last. */
  #recent: Span[] = []
  /** Not on disk yet. */
  #open: Span | null = null
  #state: 'unread' | 'read' = 'unread'
  #lookedAt: Millis | null = null
  /** Size of the file at the last look. */
  #size = 0
  #newest = { base: 0, bytes: 0 }

  constructor(clock: Clock, paths: AttemptPaths, current: string) {
    this.#clock = clock
    this.current = current
    this.#notes = join(paths.times, basename(current))
    this.#pid = paths.pid
  }

  /** What the notes of the newest piece take on disk. */
  get bytes(): number {
    return this.#newest.bytes
  }

  /** How far the stream was seen to have come. */
  get end(): number | null {
    return (this.#open ?? this.#recent.at(-1))?.end ?? null
  }

  fileOf(piece: Pick<Piece, 'base'>): string {
    return withBase(this.#notes, piece.base)
  }

  /** True when nothing was written since the last look, which this then is; cheap. */
  async isStill(): Promise<boolean> {
    const now = this.#clock.now()
    const found = await stat(this.current).catch(nullOn('ENOENT', 'ENOTDIR'))
    if (this.#state === 'unread' || this.#open !== null || found?.size !== this.#size) return false
    this.#lookedAt = now
    return true
  }

  /** Notes how far the stream has come; within `withPieces`. */
  async look(pieces: readonly Piece[]): Promise<void> {
    const [oldest, newest] = [pieces[0], pieces.at(-1)]
    if (oldest === undefined || newest === undefined) return
    const now = this.#clock.now()
    await this.#readNewest()
    if (this.#newest.base !== newest.base) this.#newest = { base: newest.base, bytes: 0 }
    if (newest.end > (this.end ?? oldest.base)) {
      const since = this.#open?.since ?? this.#lookedAt ?? this.#recent.at(-1)?.at ?? (await modifiedAt(this.#pid)) ?? 0
      this.#open = { end: newest.end, since, at: Math.max(since, newest.writtenAt) }
    }
    this.#size = newest.end - newest.base
    this.#lookedAt = now
    // Due as well when the wall clock was set back.
    if (this.#open !== null && Math.abs(now - this.#open.since) >= EVERY_MS) await this.save(newest)
  }

  /** Writes down what is not yet. What cannot be, for want of space, is tried again at the next look. */
  async save(newest: Piece): Promise<void> {
    if (this.#open === null) return
    const line = formatSpan(this.#open)
    const written = await appendFile(this.fileOf(newest), line, { mode: 0o600 }).then(() => true, nullOn('ENOENT', 'ENOSPC', 'EDQUOT'))
    if (written === null) return
    this.#newest = { base: newest.base, bytes: this.#newest.bytes + line.length }
    this.#recent = [...this.#recent, this.#open].slice(-RECENT)
    this.#open = null
  }

  /** From `position` on; within `withPieces`, after a look. */
  async timeline(position: number, pieces: readonly Piece[]): Promise<Timeline> {
    const open = this.#open === null ? [] : [this.#open]
    const [first, ...rest] = this.#recent
    if (first !== undefined && first.end <= position) return new Timeline(first.end, [...rest, ...open])
    const texts = await Promise.all(pieces.map((piece) => readIfThere(this.fileOf(piece))))
    return new Timeline(pieces[0]?.base ?? 0, [...texts.flatMap((text) => parseSpans(text ?? '')), ...open])
  }

  /** What an earlier agent noted last. */
  async #readNewest(): Promise<void> {
    if (this.#state === 'read') return
    await mkdir(join(this.#notes, '..'), { mode: 0o700 }).catch(nullOn('EEXIST', 'ENOENT'))
    const base = (await basesOf(this.#notes)).at(-1)
    if (base !== undefined) {
      const { spans, bytes } = await lastSpans(withBase(this.#notes, base))
      this.#recent = spans
      this.#newest = { base, bytes }
    }
    this.#state = 'read'
  }
}

/** The last spans of a file of notes, and its size. A line that was cut short is ended, so that the next stands by itself. */
async function lastSpans(path: string): Promise<{ spans: Span[]; bytes: number }> {
  const file = await open(path, 'a+')
  try {
    const { size } = await file.stat()
    const from = Math.max(0, size - RECENT_BYTES)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from)
    const text = buffer.toString('latin1', 0, bytesRead)
    if (text !== '' && !text.endsWith('\n')) await file.appendFile('\n')
    return { spans: parseSpans(from === 0 ? text : text.slice(text.indexOf('\n') + 1)).slice(-RECENT), bytes: size }
  } finally {
    await file.close()
  }
}

/** What noting needs of the driver. */
interface Noting {
  readonly clock: Clock
  readonly log: Logger
  readonly logTurns: Serial
  readonly times: Map<string, readonly [StreamTimes, StreamTimes]>
}

/** Of both streams of an attempt, stdout first; the same ones for everybody. */
export function timesOf({ times, clock }: Pick<Noting, 'times' | 'clock'>, paths: AttemptPaths): readonly [StreamTimes, StreamTimes] {
  const found = times.get(paths.key)
  if (found !== undefined) return found
  const made = [new StreamTimes(clock, paths, paths.stdout), new StreamTimes(clock, paths, paths.stderr)] as const
  times.set(paths.key, made)
  return made
}

/** Notes, each second, how far the streams of an attempt have come, until the signal aborts, and then once more. */
export async function keepTimes(context: Noting, paths: AttemptPaths, signal: AbortSignal): Promise<void> {
  const both = timesOf(context, paths)
  while (!signal.aborted) {
    for (const times of both) await noted(context, times, 'When due')
    await pause(context.clock, EVERY_MS, signal)
  }
  for (const times of both) await noted(context, times, 'Now')
}

/** A line without a time is no reason to give up the task that wrote it. */
async function noted(context: Noting, times: StreamTimes, save: 'When due' | 'Now'): Promise<void> {
  try {
    if (await times.isStill()) return
    await withPieces(context, times.current, async (pieces) => {
      await times.look(pieces)
      const newest = pieces.at(-1)
      if (save === 'Now' && newest !== undefined) await times.save(newest)
    })
  } catch (error) {
    context.log.debug({ stream: times.current, error: messageOf(error) }, 'times of log lines not noted')
  }
}
