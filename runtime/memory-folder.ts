import { lstat, mkdir, rm, rmdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { hasCode, nullOn, TerminalError } from '../src/lib/errors.ts'

/** Of `statfs(2)`: a file system that is only memory. */
const TMPFS_MAGIC = 0x01021994
/** Where a Linux machine has one. */
const PLACES = ['/run', '/dev/shm'] as const

/**
 * A folder of that name that never reaches a disk, for this user alone; made.
 * @throws TerminalError `NoMemoryFolder` on a machine without one, or when somebody else has taken the name
 */
export async function memoryFolder(name: string): Promise<string> {
  const place = await firstInMemory()
  if (place === null)
    throw new TerminalError('NoMemoryFolder', `neither ${PLACES.join(' nor ')} is a tmpfs, and secrets are not put on a disk`)
  const folder = join(place, name)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const found = await lstat(folder)
  if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o077) !== 0)
    throw new TerminalError('NoMemoryFolder', `${folder} is not a folder of this user alone`)
  return folder
}

/** What `memoryFolder` may have been given to keep; already gone is success. */
export async function removeFromMemory(path: string): Promise<void> {
  for (const place of PLACES) await rm(join(place, path), { recursive: true, force: true })
}

/** Removes the folder where nothing is left in it. */
export async function giveBackMemory(name: string): Promise<void> {
  for (const place of PLACES) await rmdir(join(place, name)).catch(nullOn('ENOENT', 'ENOTEMPTY'))
}

async function firstInMemory(): Promise<string | null> {
  for (const place of PLACES) if (await isInMemory(place)) return place
  return null
}

async function isInMemory(place: string): Promise<boolean> {
  try {
    return (await statfs(place)).type === TMPFS_MAGIC
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EACCES')) return false
    throw error
  }
}
