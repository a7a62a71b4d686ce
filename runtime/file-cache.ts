import { lstat, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { join as pathOf } from 'node:path'
import { hasCode } from '../src/lib/errors.ts'
import { createShared } from './shared.ts'

/** What nothing uses now but a rollback may; beyond that the least recently used go. */
const SPARE = 10

/** Makes a file or folder at `draft`, where there is nothing. */
type Fill = (draft: string, signal: AbortSignal) => Promise<void>

interface CacheEntry {
  /** Says what is in it: equal names are equal content, wherever it comes from. */
  readonly name: string
  /** Only who asks for the same name from the same origin shares one fetch, and its failure. */
  readonly origin: string
  readonly fill: Fill
}

/** Files and folders that are whole and never change, by name: read-only, shared by tasks. */
export interface FileCache {
  /** Its path; filled if it is not there, at once for all who ask at the same time. @throws what `fill` throws */
  ensure(entry: CacheEntry, signal: AbortSignal): Promise<string>
  /** These are in use; of the others only the most recently used few are kept. */
  retain(names: ReadonlySet<string>): Promise<void>
}

/**
 * Entries lie under `directory` by their names; `isName` tells them from what else lies there.
 * One appears by renaming only when it is whole; what a crash left in `tmp/` goes at the next start.
 */
export function createFileCache(directory: string, isName: (name: string) => boolean): FileCache {
  const drafts = pathOf(directory, 'tmp')
  const ready = createOpening({ directory, drafts })
  const fillings = createShared<string>()
  let begun = 0
  let removing: Promise<void> = Promise.resolve()

  const removeSpare = async (used: ReadonlySet<string>): Promise<void> => {
    await ready()
    const spare = (await readdir(directory)).filter((name) => isName(name) && !used.has(name))
    const aged = await Promise.all(spare.map(async (name) => ({ name, at: (await stat(pathOf(directory, name))).mtimeMs })))
    const surplus = aged.sort((a, b) => b.at - a.at).slice(SPARE)
    for (const { name } of surplus) await discard(pathOf(directory, name), pathOf(drafts, `${name}.old`))
  }

  return {
    async ensure({ name, origin, fill }, signal) {
      await ready()
      const path = pathOf(directory, name)
      if (await touched(path)) return path
      begun += 1
      const draft = pathOf(drafts, `${name}.${begun}`)
      return await fillings.run(`${name} ${origin}`, (until) => fillInto({ draft, path }, fill, until), signal)
    },
    async retain(names) {
      const mine = removing.then(() => removeSpare(names))
      removing = mine.catch(nothing)
      await mine
    },
  }
}

/** Makes the folders once, at the first use; a failure is tried again at the next. */
function createOpening({ directory, drafts }: { directory: string; drafts: string }): () => Promise<void> {
  let opened: Promise<void> | null = null
  const make = async (): Promise<void> => {
    try {
      await rm(drafts, { recursive: true, force: true })
      for (const folder of [directory, drafts]) await mkdir(folder, { recursive: true, mode: 0o711 })
    } catch (error) {
      opened = null
      throw error
    }
  }
  return () => {
    opened ??= make()
    return opened
  }
}

async function fillInto({ draft, path }: { draft: string; path: string }, fill: Fill, signal: AbortSignal): Promise<string> {
  try {
    await fill(draft, signal)
    await syncAll(draft)
    await renameUnlessThere(draft, path)
    return path
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

/** The same from another origin may have come first. */
async function renameUnlessThere(draft: string, path: string): Promise<void> {
  try {
    await rename(draft, path)
  } catch (error) {
    if (!hasCode(error, 'ENOTEMPTY', 'EEXIST')) throw error
  }
}

const nothing = (): void => undefined

/** What outlives a power cut with empty files in it would be taken for whole for ever. */
async function syncAll(path: string): Promise<void> {
  const found = await lstat(path)
  const entries = found.isDirectory() ? await readdir(path, { recursive: true, withFileTypes: true }) : []
  const inside = entries.filter((entry) => !entry.isSymbolicLink()).map((entry) => pathOf(entry.parentPath, entry.name))
  for (const one of [path, ...inside]) {
    const file = await open(one, 'r')
    try {
      await file.sync()
    } finally {
      await file.close()
    }
  }
}

/** The time of its last use is its own; false when it is not there. */
async function touched(path: string): Promise<boolean> {
  try {
    const { atime } = await stat(path)
    await utimes(path, atime, new Date())
    return true
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}

/** Out of the way first, so that nobody finds half of it. */
async function discard(path: string, aside: string): Promise<void> {
  await rename(path, aside)
  await rm(aside, { recursive: true, force: true })
}
