import type { Oid } from '../../model/ids.ts'
import { GitError } from '../git-backend.ts'

/** Where each object of a pack begins. */
export interface PackIndex {
  readonly count: number
  offsetOf(oid: Oid): number | null
}

const MAGIC = 0xff744f63
const FANOUT_AT = 8
const NAMES_AT = FANOUT_AT + 256 * 4
const TRAILER_BYTES = 40
const LARGE = 0x80000000

function checkShape(file: string, bytes: Buffer): number {
  const readable = bytes.length >= NAMES_AT + TRAILER_BYTES && bytes.readUInt32BE(0) === MAGIC && bytes.readUInt32BE(4) === 2
  const count = readable ? bytes.readUInt32BE(NAMES_AT - 4) : 0
  const least = NAMES_AT + count * 28 + TRAILER_BYTES
  if (!readable || bytes.length < least) throw new GitError('Corrupt', `pack index ${file} is truncated or not version 2`)
  return count
}

/** Reads a version 2 pack index (git-scm.com/docs/pack-format). @throws GitError `Corrupt`. */
export function parsePackIndex(file: string, bytes: Buffer): PackIndex {
  const count = checkShape(file, bytes)
  const offsetsAt = NAMES_AT + count * 24
  const fanout = (first: number) => (first < 0 ? 0 : Math.min(count, bytes.readUInt32BE(FANOUT_AT + first * 4)))

  const offsetAt = (position: number): number => {
    const offset = bytes.readUInt32BE(offsetsAt + position * 4)
    if (offset < LARGE) return offset
    const largeAt = offsetsAt + count * 4 + (offset - LARGE) * 8
    if (largeAt + 8 > bytes.length) throw new GitError('Corrupt', `pack index ${file} points outside itself`)
    return Number(bytes.readBigUInt64BE(largeAt))
  }

  return {
    count,
    offsetOf(oid) {
      const wanted = Buffer.from(oid, 'hex')
      const first = wanted[0] ?? 0
      let low = fanout(first - 1)
      let high = fanout(first)
      while (low < high) {
        const middle = (low + high) >>> 1
        const at = NAMES_AT + middle * 20
        const order = bytes.compare(wanted, 0, 20, at, at + 20)
        if (order === 0) return offsetAt(middle)
        if (order < 0) low = middle + 1
        else high = middle
      }
      return null
    },
  }
}
