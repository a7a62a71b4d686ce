import { StringDecoder } from 'node:string_decoder'
import { createWebSocketStream, type WebSocket } from 'ws'
import { LogLine } from '../model/protocol.ts'

/** Longest line of JSON taken from an agent; its log files hold lines of at most a quarter of it. */
const MAX_LINE = 1_000_000
/** What may wait between a socket and a slow reader; TCP holds the sender back beyond it. */
const BUFFER = 65_536

/**
 * Log lines out of a socket that carries NDJSON, however it was cut into messages.
 * Listening begins at once, and the socket is read only as fast as the lines are taken.
 * The lines end with an Error for one that is too long or no LogLine.
 */
export function logLinesOf(socket: WebSocket): AsyncGenerator<LogLine> {
  return linesOf(createWebSocketStream(socket, { readableHighWaterMark: BUFFER }))
}

async function* linesOf(bytes: AsyncIterable<Buffer>): AsyncGenerator<LogLine> {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  for await (const chunk of bytes) {
    const lines = (rest + decoder.write(chunk)).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > MAX_LINE) throw new Error(`a log line is longer than ${MAX_LINE} characters`)
    for (const line of lines) if (line !== '') yield LogLine.parse(JSON.parse(line))
  }
  if (rest !== '') yield LogLine.parse(JSON.parse(rest))
}
