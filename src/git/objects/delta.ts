import { GitError } from '../git-backend.ts'

interface Cursor {
  readonly bytes: Buffer
  at: number
}

function byte(cursor: Cursor): number {
  const value = cursor.bytes[cursor.at++]
  if (value === undefined) throw new GitError('Corrupt', 'a delta ends too early')
  return value
}

/** Little-endian base-128 number; multiplied, not shifted, so that it cannot wrap below zero. */
function size(cursor: Cursor): number {
  let value = 0
  let scale = 1
  for (let digits = 0; digits < 7; digits++) {
    const next = byte(cursor)
    value += (next & 0x7f) * scale
    if ((next & 0x80) === 0) return value
    scale *= 128
  }
  throw new GitError('Corrupt', 'a delta states an impossible size')
}

/** Bytes that the delta says it makes, known before anything is allocated for it. */
export function deltaResultSize(delta: Buffer): number {
  const cursor = { bytes: delta, at: 0 }
  size(cursor)
  return size(cursor)
}

function operand(cursor: Cursor, flags: number, count: number): number {
  let value = 0
  for (let index = 0; index < count; index++) if (flags & (1 << index)) value += byte(cursor) * 256 ** index
  return value
}

function copyRange(cursor: Cursor, instruction: number): readonly [from: number, length: number] {
  const from = operand(cursor, instruction & 0x0f, 4)
  const length = operand(cursor, (instruction >> 4) & 0x07, 3)
  return [from, length === 0 ? 0x10000 : length]
}

/** Rebuilds an object from its base. @throws GitError `Corrupt` when the delta does not fit the base. */
export function applyDelta(base: Buffer, delta: Buffer): Buffer {
  const cursor = { bytes: delta, at: 0 }
  if (size(cursor) !== base.length) throw new GitError('Corrupt', 'a delta does not fit its base')
  const result = Buffer.allocUnsafe(size(cursor))
  let filled = 0
  while (cursor.at < delta.length) {
    const instruction = byte(cursor)
    const copies = (instruction & 0x80) !== 0
    const [from, length] = copies ? copyRange(cursor, instruction) : ([cursor.at, instruction] as const)
    const source = copies ? base : delta
    const fits = length > 0 && from + length <= source.length && filled + length <= result.length
    if (!fits) throw new GitError('Corrupt', 'a delta reaches outside its base')
    source.copy(result, filled, from, from + length)
    filled += length
    if (!copies) cursor.at += length
  }
  if (filled !== result.length) throw new GitError('Corrupt', 'a delta ends too early')
  return result
}
