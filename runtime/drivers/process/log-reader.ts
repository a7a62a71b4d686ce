import { type FileHandle, open } from 'node:fs/promises'
import { StringDecoder } from 'node:string_decoder'
import { nullOn } from '../../../src/lib/errors.ts'

const CHUNK_BYTES = 64 * 1024
/** A longer line is given in pieces, so that a task that never ends one cannot fill our memory; characters. */
const LONGEST_LINE = 64 * 1024
const NEWLINE = 0x0a

export const openIfThere = (path: string): Promise<FileHandle | null> => open(path, 'r').catch(nullOn('ENOENT'))

/** Cuts a stream of bytes into lines, whole characters only. */
export class LineCutter {
  readonly #decoder = new StringDecoder('utf8')
  #rest = ''

  push(chunk: Buffer): string[] {
    const parts = (this.#rest + this.#decoder.write(chunk)).split('\n')
    this.#rest = parts.pop() ?? ''
    if (this.#rest.length < LONGEST_LINE) return parts
    parts.push(this.#rest)
    this.#rest = ''
    return parts
  }

  /** What has no newline yet; nothing follows it. */
  end(): string[] {
    const last = this.#rest + this.#decoder.end()
    this.#rest = ''
    return last === '' ? [] : [last]
  }
}

/** Bytes of an open file from an offset to where it ends now. */
export async function* readFrom(file: FileHandle, offset: number): AsyncGenerator<Buffer> {
  let at = offset
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, at)
    if (bytesRead === 0) return
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

export interface TailStart {
  readonly offset: number
  /** Lines from there to the end, an unfinished last one too; at most as many as asked for. */
  readonly lines: number
}

/** Where the last `wanted` lines of a file begin, found by reading backwards from its end. */
export async function tailStart(file: FileHandle, wanted: number): Promise<TailStart> {
  const { size } = await file.stat()
  if (wanted <= 0 || size === 0) return { offset: size, lines: 0 }
  let newlines = 0
  let endsOpen = false
  for (let end = size; end > 0; ) {
    const begin = Math.max(0, end - CHUNK_BYTES)
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(end - begin), 0, end - begin, begin)
    if (end === size) endsOpen = buffer[bytesRead - 1] !== NEWLINE
    for (let i = bytesRead - 1; i >= 0; i -= 1) {
      if (buffer[i] !== NEWLINE) continue
      newlines += 1
      // The newline before the first wanted line: one more than the lines, unless the last line is open.
      if (newlines === wanted + (endsOpen ? 0 : 1)) return { offset: begin + i + 1, lines: wanted }
    }
    end = begin
  }
  return { offset: 0, lines: newlines + (endsOpen ? 1 : 0) }
}
