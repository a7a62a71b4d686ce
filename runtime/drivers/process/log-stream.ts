import type { FileHandle } from 'node:fs/promises'
import type { LogLine } from '../../../src/model/protocol.ts'
import { LineCutter, openIfThere, readFrom, type TailStart, tailStart } from './log-reader.ts'

type Stream = LogLine['stream']

/** Reads one stream on from where it was, over rotations. */
export class StreamReader {
  readonly stream: Stream
  readonly #files: readonly string[]
  readonly #cutter = new LineCutter()
  #offset = 0
  /** Inode of the newest rotated file: when it changes, the current file has begun anew. */
  #rotated: number | null = null

  constructor(stream: Stream, files: readonly string[]) {
    this.stream = stream
    this.#files = files
  }

  get #current(): string {
    return this.#files.at(-1) ?? ''
  }

  /** How many lines there are, at most `most`. */
  async count(most: number): Promise<number> {
    return (await this.#plan(most)).reduce((sum, { lines }) => sum + lines, 0)
  }

  /** Everything that is there (null), or its last lines; follow with `more`. */
  async *begin(tail: number | null): AsyncGenerator<string> {
    this.#rotated = await this.#rotatedInode()
    const plan = tail === null ? this.#files.map((path) => ({ path, offset: 0 })) : await this.#plan(tail)
    for (const { path, offset } of plan) yield* this.#read(path, offset)
  }

  /** From where in each file to read to get the last `wanted` lines. */
  async #plan(wanted: number): Promise<(TailStart & { path: string })[]> {
    const plan: (TailStart & { path: string })[] = []
    let left = wanted
    for (const path of [...this.#files].reverse()) {
      const from = await withFile(path, { offset: 0, lines: 0 }, (file) => tailStart(file, left))
      left -= from.lines
      plan.unshift({ ...from, path })
    }
    return plan
  }

  /** What was written since. */
  async *more(): AsyncGenerator<string> {
    const rotated = await this.#rotatedInode()
    // Null in the moment in which the old files move up; only the new one tells that the rotation is done.
    if (rotated !== null && rotated !== this.#rotated) {
      const before = this.#files.at(-2)
      if (before !== undefined) yield* this.#read(before, this.#offset)
      this.#rotated = rotated
      this.#offset = 0
    }
    if (this.#files.length === 1) await this.#noticeTruncation()
    yield* this.#read(this.#current, this.#offset)
  }

  /** Without old files a shorter file is all that tells. */
  async #noticeTruncation(): Promise<void> {
    const size = await withFile(this.#current, 0, async (file) => (await file.stat()).size)
    if (size < this.#offset) this.#offset = 0
  }

  rest(): string[] {
    return this.#cutter.end()
  }

  async *#read(path: string, offset: number): AsyncGenerator<string> {
    this.#offset = offset
    const file = await openIfThere(path)
    if (file === null) return
    try {
      for await (const chunk of readFrom(file, offset)) {
        this.#offset += chunk.length
        yield* this.#cutter.push(chunk)
      }
    } finally {
      await file.close()
    }
  }

  async #rotatedInode(): Promise<number | null> {
    const before = this.#files.at(-2)
    return before === undefined ? null : withFile(before, null, async (file) => (await file.stat()).ino)
  }
}

async function withFile<T>(path: string, absent: T, work: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await openIfThere(path)
  if (file === null) return absent
  try {
    return await work(file)
  } finally {
    await file.close()
  }
}
