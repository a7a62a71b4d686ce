import { lstat, mkdir, rm, rmdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { hasCode, messageOf, nullOn, TerminalError } from '../src/lib/errors.ts'

/** Of `statfs(2)`: a file system that is only memory. */
const TMPFS_MAGIC = 0x01021994
/** Where a Linux machine has one; the first that this user may write to. */
const PLACES: readonly string[] = ['/run', '/dev/shm']

/**
 * A folder of that name that never reaches a disk, for this user alone; made.
 * @throws TerminalError `NoMemoryFolder` on a machine without a place for one
 */
export async function memoryFolder(name: string, places = PLACES): Promise<string> {
  const refused: string[] = []
  for (const place of places) {
    const why = await make(place, name)
    if (why === null) return join(place, name)
    refused.push(why)
  }
  throw new TerminalError('NoMemoryFolder', `secrets are not put on a disk, and there is no place in memory: ${refused.join('; ')}`)
}

/** Null once it is there; else why it cannot be. */
async function make(place: string, name: string): Promise<string | null> {
  try {
    if ((await statfs(place)).type !== TMPFS_MAGIC) return `${place} is no tmpfs`
    await mkdir(join(place, name), { recursive: true, mode: 0o700 })
    return (await isOwn(join(place, name))) ? null : `${join(place, name)} is not of this user alone`
  } catch (error) {
    return messageOf(error)
  }
}

async function isOwn(folder: string): Promise<boolean> {
  const found = await lstat(folder).catch(nullOn('ENOENT', 'ENOTDIR', 'EACCES'))
  return found?.isDirectory() === true && found.uid === process.getuid?.() && (found.mode & 0o077) === 0
}

/** What a folder of that name may hold below; already gone is success, and what is somebody else's is left alone. */
export async function removeFromMemory(name: string, entry: string, places = PLACES): Promise<void> {
  for (const place of places) if (await isOwn(join(place, name))) await rm(join(place, name, entry), { recursive: true, force: true })
}

/** Removes the folder where nothing is left in it. */
export async function giveBackMemory(name: string, places = PLACES): Promise<void> {
  for (const place of places) if (await isOwn(join(place, name))) await rmdir(join(place, name)).catch(unlessInUse)
}

function unlessInUse(error: unknown): void {
  if (!hasCode(error, 'ENOENT', 'ENOTEMPTY', 'EROFS')) throw error
}
