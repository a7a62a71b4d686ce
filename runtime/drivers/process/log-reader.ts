import { StringDecoder } from 'node:string_decoder'

/** A longer line is given in pieces, so that a task that never ends one cannot fill our memory; characters. */
const LONGEST_LINE = 64 * 1024
export const NEWLINE = 0x0a

export interface Line {
  /** Of its first byte in the stream. */
  readonly position: number
  readonly text: string
}

/** Cuts a stream of bytes into lines, whole characters only. */
export class LineCutter {
  readonly #decoder = new StringDecoder('utf8')
  #text = ''
  #begin: number
  #next: number

  constructor(position: number) {
    this.#begin = position
    this.#next = position
  }

  /** Position of the first byte of the line that has no end yet. */
  get begin(): number {
    return this.#begin
  }

  push(bytes: Buffer): Line[] {
    const lines: Line[] = []
    let from = 0
    for (let newline = bytes.indexOf(NEWLINE); newline !== -1; newline = bytes.indexOf(NEWLINE, from)) {
      this.#text += this.#decoder.write(bytes.subarray(from, newline + 1))
      lines.push(this.#taken(this.#text.slice(0, -1), newline + 1 - from))
      from = newline + 1
    }
    this.#text += this.#decoder.write(bytes.subarray(from))
    this.#next += bytes.length - from
    if (this.#text.length >= LONGEST_LINE) lines.push(this.#taken(this.#text, 0))
    return lines
  }

  /** What has no newline yet; nothing follows it. */
  end(): Line[] {
    const last = this.#text + this.#decoder.end()
    return last === '' ? [] : [this.#taken(last, 0)]
  }

  #taken(text: string, bytes: number): Line {
    const line = { position: this.#begin, text }
    this.#next += bytes
    this.#begin = this.#next
    this.#text = ''
    return line
  }
}
