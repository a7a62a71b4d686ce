import { mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { join as pathOf } from 'node:path'
import { orAbandon } from '../src/lib/abandon.ts'
import { hasCode } from '../src/lib/errors.ts'
import type { FolderLimits } from '../src/lib/folder-writer.ts'
import { unpackTree } from '../src/lib/tree-pack.ts'
import { Oid } from '../src/model/ids.ts'
import type { EnsureOptions, TreeCache } from './trees.ts'

/** Trees that nothing uses now but a rollback may; beyond that the least recently used go. */
const SPARE_TREES = 10
const LIMITS: FolderLimits = { maxBytes: 2 ** 30, maxFiles: 100_000 }

interface Fetching {
  readonly done: Promise<string>
  waiting: number
  readonly abandon: AbortController
}

/**
 * One folder a tree under `directory`, named by its oid, so equal content is there once and needs no check.
 * A folder appears by renaming only when it is whole; what a crash left in `tmp/` goes at the next start.
 */
export function createFileTreeCache(directory: string): TreeCache {
  const drafts = pathOf(directory, 'tmp')
  const folderOf = (tree: Oid): string => pathOf(directory, tree)
  const ready = createOpening({ directory, drafts })
  const share = createSharing((tree, options) => fetchInto({ draft: pathOf(drafts, tree), folder: folderOf(tree) }, tree, options))
  let removing: Promise<void> = Promise.resolve()

  const removeSpare = async (used: ReadonlySet<Oid>): Promise<void> => {
    await ready()
    const spare = (await readdir(directory)).filter((name) => Oid.safeParse(name).success && !used.has(name as Oid))
    const aged = await Promise.all(spare.map(async (name) => ({ name, at: (await stat(pathOf(directory, name))).mtimeMs })))
    const surplus = aged.sort((a, b) => b.at - a.at).slice(SPARE_TREES)
    for (const { name } of surplus) await discard(pathOf(directory, name), pathOf(drafts, `${name}.old`))
  }

  return {
    async ensure(tree, options) {
      await ready()
      return (await touched(folderOf(tree))) ? folderOf(tree) : await share(tree, options)
    },
    async retain(trees) {
      const mine = removing.then(() => removeSpare(trees))
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

type Fetch = (tree: Oid, options: EnsureOptions) => Promise<string>

/** Who asks for the same tree at the same time shares one fetch, which ends early only when all of them have gone. */
function createSharing(fetchTree: Fetch): Fetch {
  const underWay = new Map<Oid, Fetching>()

  const begin = (tree: Oid, fetch: EnsureOptions['fetch']): Fetching => {
    const before = underWay.get(tree)?.done.then(nothing, nothing) ?? Promise.resolve()
    const abandon = new AbortController()
    const done = before.then(() => fetchTree(tree, { fetch, signal: abandon.signal }))
    const mine: Fetching = { done, waiting: 0, abandon }
    const leave = (): void => {
      if (underWay.get(tree) === mine) underWay.delete(tree)
    }
    done.then(leave, leave)
    underWay.set(tree, mine)
    return mine
  }

  return async (tree, { fetch, signal }) => {
    const running = underWay.get(tree)
    const shared = running === undefined || running.abandon.signal.aborted ? begin(tree, fetch) : running
    shared.waiting += 1
    try {
      return await orAbandon(shared.done, signal)
    } finally {
      shared.waiting -= 1
      if (shared.waiting === 0) shared.abandon.abort()
    }
  }
}

async function fetchInto(to: { draft: string; folder: string }, tree: Oid, { fetch, signal }: EnsureOptions): Promise<string> {
  await rm(to.draft, { recursive: true, force: true })
  try {
    await unpackTree(await fetch(tree, signal), to.draft, LIMITS)
    await syncTree(to.draft)
    await rename(to.draft, to.folder)
    return to.folder
  } finally {
    await rm(to.draft, { recursive: true, force: true })
  }
}

const nothing = (): void => undefined

/** A folder that outlives a power cut with empty files in it would be taken for the tree for ever. */
async function syncTree(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true })
  for (const path of [folder, ...entries.map((entry) => pathOf(folder, entry))]) {
    const file = await open(path, 'r')
    try {
      await file.sync()
    } finally {
      await file.close()
    }
  }
}

/** The time of its last use is the folder's own; false when it is not there. */
async function touched(folder: string): Promise<boolean> {
  try {
    const { atime } = await stat(folder)
    await utimes(folder, atime, new Date())
    return true
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}

/** Out of the way first, so that nobody finds half of it. */
async function discard(folder: string, aside: string): Promise<void> {
  await rename(folder, aside)
  await rm(aside, { recursive: true, force: true })
}
