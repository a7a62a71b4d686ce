import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { nullOn } from '../../../src/lib/errors.ts'
import type { Millis } from '../../../src/model/ids.ts'
import type { Serial } from '../../serial.ts'

/**
 * All that a stream ever said is one text, and a position in it counts bytes from its beginning. It lies in pieces:
 * the file that the task writes to, and older ones whose names tell the position of their first byte.
 */
export interface Piece {
  readonly path: string
  readonly base: number
  /** Position after its last byte. */
  readonly end: number
  /** When it was last written; wall clock, as the kernel has it. */
  readonly writtenAt: Millis
}

/** Enough for 999 TB. */
const DIGITS = 15
const CHUNK_BYTES = 64 * 1024

export const withBase = (path: string, base: number): string => `${path}.${String(base).padStart(DIGITS, '0')}`

/** Positions in the names of the files that `withBase` made of `path`, lowest first. */
export async function basesOf(path: string): Promise<number[]> {
  const names = (await readdir(dirname(path)).catch(nullOn('ENOENT', 'ENOTDIR'))) ?? []
  const prefix = `${basename(path)}.`
  const bases = names.filter((name) => name.startsWith(prefix) && /^\d{15}$/.test(name.slice(prefix.length)))
  return bases.map((name) => Number(name.slice(prefix.length))).sort((a, b) => a - b)
}

/** Pieces that are kept, oldest first; the last one is the file that the task writes to. None of an attempt that is gone. */
async function piecesOf(current: string): Promise<Piece[]> {
  const pieces: Piece[] = []
  for (const base of await basesOf(current)) pieces.push(...(await pieceOf(withBase(current, base), base)))
  return [...pieces, ...(await pieceOf(current, pieces.at(-1)?.end ?? 0))]
}

async function pieceOf(path: string, base: number): Promise<Piece[]> {
  const found = await stat(path).catch(nullOn('ENOENT', 'ENOTDIR'))
  return found === null ? [] : [{ path, base, end: base + found.size, writtenAt: Math.floor(found.mtimeMs) }]
}

/** Where a rotation puts the lines that it cuts off, until they have their own name. */
export const copyOf = (current: string): string => `${current}.copy`

/**
 * Works with the pieces of a stream while nobody rotates it. What a rotation that was killed has left is put right
 * before: a copy of what the file still holds goes; the only copy becomes the piece that it was to be.
 */
export function withPieces<T>(
  { logTurns }: { readonly logTurns: Serial },
  current: string,
  work: (pieces: readonly Piece[]) => Promise<T>,
): Promise<T> {
  return logTurns(current, async () => {
    const copy = await open(copyOf(current), 'r').catch(nullOn('ENOENT', 'ENOTDIR'))
    if (copy !== null) await endRotation(current, copy)
    return await work(await piecesOf(current))
  })
}

async function endRotation(current: string, copy: FileHandle): Promise<void> {
  const stillThere = await beginsWith(current, copy).finally(() => copy.close())
  const base = (await piecesOf(current)).at(-1)?.base ?? 0
  if (stillThere) await rm(copyOf(current))
  else await rename(copyOf(current), withBase(current, base))
}

async function beginsWith(path: string, beginning: FileHandle): Promise<boolean> {
  const file = await open(path, 'r')
  try {
    for (let at = 0; ; at += CHUNK_BYTES) {
      const [wanted, found] = await Promise.all([bytesAt(beginning, at, CHUNK_BYTES), bytesAt(file, at, CHUNK_BYTES)])
      if (wanted.length === 0) return true
      if (!wanted.equals(found.subarray(0, wanted.length))) return false
    }
  } finally {
    await file.close()
  }
}

async function bytesAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(length), 0, length, offset)
  return buffer.subarray(0, bytesRead)
}

/** Bytes of one piece, from a position on: at most 64 KB, and none beyond its end. */
export async function readPiece(piece: Piece, from: number, to: number): Promise<Buffer> {
  const file = await open(piece.path, 'r')
  try {
    return await bytesAt(file, from - piece.base, Math.min(CHUNK_BYTES, to - from))
  } finally {
    await file.close()
  }
}

/** Where a block of 64 KB that ends at `position` begins. */
export const blockStart = (position: number): number => position - CHUNK_BYTES
