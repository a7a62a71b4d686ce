import type { LogLine } from '../../../src/model/protocol.ts'
import type { Handle, LogQuery } from '../../driver.ts'
import { readIntent } from './attempt.ts'
import { type Context, look } from './context.ts'
import { LogSource } from './log-source.ts'
import { LineReader, type Said } from './log-stream.ts'
import { tailOf } from './log-tail.ts'
import { timesOf } from './log-times.ts'
import { pathsOf } from './names.ts'
import { DirectoryWatch } from './watch.ts'

/** Longest until a follower looks again without an event; milliseconds. */
const FOLLOW_POLL_MS = 1_000
/** A line has a time when it is known to within so much: an agent may be busy, or be restarted, for a moment. Milliseconds. */
const KNOWN_WITHIN_MS = 5_000

const lineOf = (reader: LineReader, { text, span: { since, at } }: Said): LogLine => ({
  stream: reader.source.stream,
  at: at - since <= KNOWN_WITHIN_MS ? at : null,
  text,
})

/** Lines of one reader that were not given yet; null when it has no more now. */
interface Queue {
  readonly reader: LineReader
  lines: readonly Said[] | null
  next: number
}

/** What the readers have now, in the order of time; of what was said in one second, the lines of stdout first. */
async function* merged(readers: readonly LineReader[]): AsyncGenerator<LogLine> {
  const queues = readers.map((reader): Queue => ({ reader, lines: [], next: 0 }))
  for (;;) {
    for (const queue of queues) if (queue.next === queue.lines?.length) await refill(queue)
    const first = queues.reduce((a, b) => (momentOf(b) < momentOf(a) ? b : a))
    const said = first.lines?.[first.next]
    if (said === undefined) return
    first.next += 1
    yield lineOf(first.reader, said)
  }
}

async function refill(queue: Queue): Promise<void> {
  const lines = await queue.reader.next()
  queue.lines = lines.length === 0 ? null : lines
  queue.next = 0
}

const momentOf = ({ lines, next }: Queue): number => lines?.[next]?.span.at ?? Number.POSITIVE_INFINITY

/** True once nothing can be written any more. */
async function isOver(context: Context, handle: Handle): Promise<boolean> {
  const { state } = (await look(context, handle)).verdict
  return state !== 'running' && state !== 'starting'
}

interface Reading {
  readonly handle: Handle
  readonly readers: readonly LineReader[]
  readonly signal: AbortSignal
}

async function* follow(context: Context, { handle, readers, signal }: Reading): AsyncGenerator<LogLine> {
  const { logs, dir } = pathsOf(context.layout, handle)
  const watch = new DirectoryWatch([logs, dir], context.clock)
  try {
    while (!signal.aborted) {
      // Asked before reading: what was written until it ended is then read below.
      const over = await isOver(context, handle)
      yield* merged(readers)
      if (over) return
      await watch.changed(FOLLOW_POLL_MS, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error
      })
    }
  } finally {
    watch.close()
  }
}

/** One for each stream, at the place from which the query wants its lines. */
async function readersFor(context: Context, handle: Handle, query: LogQuery): Promise<LineReader[]> {
  const [out, err] = timesOf(context, pathsOf(context.layout, handle))
  const sources = [new LogSource(context, out, 'stdout'), new LogSource(context, err, 'stderr')]
  const whole = await Promise.all(sources.map((source) => source.rangeOf(query)))
  const ranges = query.tail === null ? whole : await tailOf(sources, whole, query.tail)
  return sources.flatMap((source, i) => {
    const range = ranges[i]
    return range === undefined ? [] : [new LineReader(source, query.follow ? { ...range, end: Number.POSITIVE_INFINITY } : range)]
  })
}

/**
 * Lines of both streams in the order of time, as far as it is known: to the second for what was written while an agent
 * ran, and not at all (`at` null) for the rest, which belongs to any range that touches the time without an agent.
 */
export async function* readLogs(context: Context, handle: Handle, query: LogQuery & { signal: AbortSignal }): AsyncGenerator<LogLine> {
  const { signal } = query
  const intent = await readIntent(pathsOf(context.layout, handle))
  if (intent === null || (query.unit !== null && query.unit !== intent.unit)) return
  const readers = await readersFor(context, handle, query)
  for await (const line of merged(readers)) {
    if (signal.aborted) return
    yield line
  }
  if (query.follow) yield* follow(context, { handle, readers, signal })
  if (signal.aborted) return
  for (const reader of readers) for (const said of reader.rest()) yield lineOf(reader, said)
}
