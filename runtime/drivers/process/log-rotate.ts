import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeFileSync } from 'node:fs'
import { copyFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { messageOf, nullOn } from '../../../src/lib/errors.ts'
import type { Context, LogLimits } from './context.ts'
import { copyOf, type Piece, withBase, withPieces } from './log-files.ts'
import { type StreamTimes, timesOf } from './log-times.ts'
import type { AttemptPaths } from './names.ts'

export const DEFAULT_LOG_LIMITS: LogLimits = { maxBytes: 10 * 1024 * 1024, files: 3 }

/** The notes of when lines were written may have a tenth of the room of the lines; a stream of short ones is rotated for them. */
const TIMES_SHARE = 10

/** Rotates the streams that have grown too large. On a full disk the old lines go, for the task must go on. */
export async function rotateIfLarge(context: Context, paths: AttemptPaths): Promise<void> {
  const { maxBytes } = context.logLimits
  for (const times of timesOf(context, paths)) {
    const size = (await stat(times.current).catch(nullOn('ENOENT')))?.size ?? 0
    if (size <= maxBytes && times.bytes <= maxBytes / TIMES_SHARE) continue
    await withPieces(context, times.current, (pieces) => rotate(context, times, pieces))
    await withPieces(context, times.current, (pieces) => forgetOld(context, times, pieces))
  }
}

/** Copy and truncate: the task keeps its open file (O_APPEND), so it notices nothing. */
async function rotate({ log }: Context, times: StreamTimes, pieces: readonly Piece[]): Promise<void> {
  const newest = pieces.at(-1)
  if (newest === undefined) return
  await times.look(pieces)
  await times.save(newest)
  try {
    await copyFile(newest.path, copyOf(newest.path))
    cutOff(newest.path)
  } catch (error) {
    log.warn({ stream: newest.path, error: messageOf(error) }, 'log lines dropped: rotation failed')
    await drop(newest)
    return
  }
  await rename(copyOf(newest.path), withBase(newest.path, newest.base))
}

/** Copies what came meanwhile, and truncates, in one go: only what is written between the last two calls is lost. */
function cutOff(current: string): void {
  const [source, copy] = [openSync(current, 'r+'), openSync(copyOf(current), 'a')]
  try {
    const from = fstatSync(copy).size
    const rest = Buffer.allocUnsafe(Math.max(0, fstatSync(source).size - from))
    const length = readSync(source, rest, 0, rest.length, from)
    writeFileSync(copy, rest.subarray(0, length))
    ftruncateSync(source)
  } finally {
    closeSync(source)
    closeSync(copy)
  }
}

/** An empty piece takes the place of the lines, so that the positions of those that follow go on. */
async function drop({ path, end }: Piece): Promise<void> {
  await rm(copyOf(path), { force: true })
  await truncate(path)
  await writeFile(withBase(path, end), '', { mode: 0o600 })
}

async function forgetOld({ logLimits }: Context, times: StreamTimes, pieces: readonly Piece[]): Promise<void> {
  await times.look(pieces)
  for (const piece of pieces.slice(0, -logLimits.files)) {
    await rm(times.fileOf(piece), { force: true })
    await rm(piece.path)
  }
}
