import type { LogLine } from '../../../src/model/protocol.ts'
import type { Handle, LogQuery } from '../../driver.ts'
import { readIntent } from './attempt.ts'
import { type Context, look } from './context.ts'
import { generations } from './log-rotate.ts'
import { StreamReader } from './log-stream.ts'
import { pathsOf } from './names.ts'
import { DirectoryWatch } from './watch.ts'

type Stream = LogLine['stream']

/** Longest until a follower looks again without an event; milliseconds. */
const FOLLOW_POLL_MS = 1_000

/** Shares a number of last lines between the streams: half each, and what one has not is the other's. */
async function shares(readers: readonly StreamReader[], tail: number | null): Promise<readonly (number | null)[]> {
  const [out, err] = readers
  if (tail === null || out === undefined || err === undefined) return readers.map(() => tail)
  const [outs, errs] = [await out.count(tail), await err.count(tail)]
  const forErr = Math.min(errs, Math.max(Math.ceil(tail / 2), tail - outs))
  return [Math.min(outs, tail - forErr), forErr]
}

const line = (stream: Stream, text: string): LogLine => ({ stream, at: null, text })

/** True once nothing can be written any more. */
async function isOver(context: Context, handle: Handle): Promise<boolean> {
  const { state } = (await look(context, handle)).verdict
  return state !== 'running' && state !== 'starting'
}

interface Reading {
  readonly handle: Handle
  readonly readers: readonly StreamReader[]
  readonly signal: AbortSignal
}

async function* follow(context: Context, { handle, readers, signal }: Reading): AsyncGenerator<LogLine> {
  const { logs, dir } = pathsOf(context.layout, handle)
  const watch = new DirectoryWatch([logs, dir], context.clock)
  try {
    while (!signal.aborted) {
      // Asked before reading: what was written until it ended is then read below.
      const over = await isOver(context, handle)
      for (const reader of readers) for await (const text of reader.more()) yield line(reader.stream, text)
      if (over) return
      await watch.changed(FOLLOW_POLL_MS, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error
      })
    }
  } finally {
    watch.close()
  }
}

/**
 * Lines of stdout, then those of stderr; when following, each as it comes, until the task ends.
 * The files hold no times, so `at` is null and the streams keep no order among each other.
 */
export async function* readLogs(context: Context, handle: Handle, query: LogQuery & { signal: AbortSignal }): AsyncGenerator<LogLine> {
  const paths = pathsOf(context.layout, handle)
  const intent = await readIntent(paths)
  if (intent === null || (query.unit !== null && query.unit !== intent.unit)) return
  const files = (current: string) => generations(current, context.logLimits.files)
  const readers = [new StreamReader('stdout', files(paths.stdout)), new StreamReader('stderr', files(paths.stderr))]
  const tails = await shares(readers, query.tail)
  for (const [i, reader] of readers.entries()) {
    for await (const text of reader.begin(tails[i] ?? null)) {
      if (query.signal.aborted) return
      yield line(reader.stream, text)
    }
  }
  if (query.follow) yield* follow(context, { handle, readers, signal: query.signal })
  if (query.signal.aborted) return
  for (const reader of readers) for (const text of reader.rest()) yield line(reader.stream, text)
}
