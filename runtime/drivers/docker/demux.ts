import type { LogLine } from '../../../src/model/protocol.ts'

const HEADER = 8
/** A longer line is cut in pieces; characters. Docker itself cuts at 16 kB and marks the cut by the missing line end. */
const MAX_LINE = 1_048_576

export interface Frame {
  readonly stream: LogLine['stream']
  readonly text: string
}

/**
 * Docker's log stream as lines: frames of an 8-byte header (stream, length) and one message each, which begins with its time.
 * Reads on only as the lines are taken.
 */
export async function* logLines(source: AsyncIterable<Uint8Array | string>): AsyncGenerator<LogLine> {
  const partial: Record<LogLine['stream'], LogLine | null> = { stdout: null, stderr: null }
  for await (const { stream, text } of frames(source)) {
    const line = joined(partial[stream], messageLine(stream, text))
    const whole = text.endsWith('\n') || line.text.length > MAX_LINE
    partial[stream] = whole ? null : line
    if (whole) yield line
  }
  for (const line of [partial.stdout, partial.stderr]) if (line !== null) yield line
}

/** The frames of an attached stream, each as soon as it is whole. */
export async function* frames(source: AsyncIterable<Uint8Array | string>): AsyncGenerator<Frame> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of source) {
    rest = Buffer.concat([rest, Buffer.from(chunk)])
    let start = 0
    for (let end = frameEnd(rest, start); end !== null; end = frameEnd(rest, start)) {
      yield { stream: rest[start] === 2 ? 'stderr' : 'stdout', text: rest.toString('utf8', start + HEADER, end) }
      start = end
    }
    rest = rest.subarray(start)
  }
}

/** Where the frame that begins at `start` ends; null while it is not whole. */
function frameEnd(buffer: Buffer, start: number): number | null {
  if (buffer.length < start + HEADER) return null
  const end = start + HEADER + buffer.readUInt32BE(start + 4)
  return end <= buffer.length ? end : null
}

function messageLine(stream: LogLine['stream'], text: string): LogLine {
  const space = text.indexOf(' ')
  const at = Date.parse(text.slice(0, Math.max(0, space)))
  const body = Number.isNaN(at) ? text : text.slice(space + 1)
  return { stream, at: Number.isNaN(at) ? null : at, text: body.replace(/\r?\n$/, '') }
}

/** The time of a line is that of its beginning. */
const joined = (before: LogLine | null, line: LogLine): LogLine => (before === null ? line : { ...before, text: before.text + line.text })
