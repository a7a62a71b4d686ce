import { createHash } from 'node:crypto'
import type { Millis } from '../../src/model/ids.ts'

/** Lines kept for a failure's report. */
const TAIL = 60

/** What happened, in order: all of it in a hash, the telling part as lines. */
export class Trace {
  readonly #hash = createHash('sha1')
  readonly #print: ((line: string) => void) | null
  readonly lines: string[] = []

  constructor(print: ((line: string) => void) | null) {
    this.#print = print
  }

  event(at: Millis, seq: number, label: string): void {
    this.#hash.update(`${at}:${seq}:${label};`)
  }

  /** Something worth reading: an operation, a fault, a commit, an action of a machine. */
  note(at: Millis, text: string): void {
    this.#hash.update(`${at}:${text};`)
    const line = `${(at / 1000).toFixed(3).padStart(9)} ${text}`
    this.lines.push(line)
    if (this.lines.length > 4 * TAIL) this.lines.splice(0, this.lines.length - TAIL)
    this.#print?.(line)
  }

  tail(): string[] {
    return this.lines.slice(-TAIL)
  }

  /** SHA-1 in hex of everything so far; to be called once. */
  digest(): string {
    return this.#hash.digest('hex')
  }
}
