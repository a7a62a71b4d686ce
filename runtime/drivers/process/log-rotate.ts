import { copyFile, open, rename, rm, stat, truncate } from 'node:fs/promises'
import { messageOf, nullOn } from '../../../src/lib/errors.ts'
import type { Context, LogLimits } from './context.ts'
import type { AttemptPaths } from './names.ts'

export const DEFAULT_LOG_LIMITS: LogLimits = { maxBytes: 10 * 1024 * 1024, files: 3 }

/** Files of one stream, oldest first; the last is the one the task writes to. */
export function generations(current: string, files: number): string[] {
  const older = Array.from({ length: files - 1 }, (_, i) => `${current}.${files - 1 - i}`)
  return [...older, current]
}

/** What the task wrote while the copy was made; little is lost between this and the truncation. */
async function appendRest(current: string, copy: string, from: number): Promise<void> {
  const [source, target] = [await open(current, 'r'), await open(copy, 'a')]
  try {
    const { size } = await source.stat()
    const rest = Buffer.alloc(Math.max(0, size - from))
    const { bytesRead } = await source.read(rest, 0, rest.length, from)
    await target.write(rest, 0, bytesRead)
  } finally {
    await source.close()
    await target.close()
  }
}

async function shift(older: readonly string[]): Promise<void> {
  for (const [i, path] of older.entries()) {
    if (i === 0) await rm(path, { force: true })
    else await rename(path, older[i - 1] ?? path).catch(nullOn('ENOENT'))
  }
}

/**
 * Copy and truncate: the task keeps its open file (O_APPEND), so it notices nothing.
 * The rename comes last: by the new inode of the newest old file readers know that the current one has begun anew.
 */
async function rotate(current: string, files: number): Promise<void> {
  const older = generations(current, files).slice(0, -1)
  const newest = older.at(-1)
  if (newest === undefined) return truncate(current)
  const aside = `${current}.copy`
  await copyFile(current, aside)
  await appendRest(current, aside, (await stat(aside)).size)
  await truncate(current)
  await shift(older)
  await rename(aside, newest)
}

/** Rotates the streams that have grown too large. On a full disk the old lines go, for the task must go on. */
export async function rotateIfLarge(context: Context, paths: AttemptPaths): Promise<void> {
  const { maxBytes, files } = context.logLimits
  for (const current of [paths.stdout, paths.stderr]) {
    const found = await stat(current).catch(nullOn('ENOENT'))
    if (found === null || found.size <= maxBytes) continue
    await rotate(current, files).catch(async (error: unknown) => {
      context.log.warn({ attempt: paths.key, error: messageOf(error) }, 'log lines dropped: rotation failed')
      await rm(`${current}.copy`, { force: true })
      await truncate(current)
    })
  }
}
