import { LRUCache } from 'lru-cache'
import type { Oid } from '../model/ids.ts'
import type { GitCaps } from './caps.ts'
import { type CommitInfo, GitError, type TreeFile } from './git-backend.ts'
import type { ObjectStore } from './objects/object-store.ts'
import type { ObjectType } from './objects/pack-file.ts'
import { isDirectory, parseCommit, parseTree, type TreeEntry, tagTarget } from './objects/parse.ts'

/** Parsed trees kept: an unchanged folder costs no read, and 1,000 folders of 20 entries fit many times. */
const CACHED_ENTRIES = 500_000
const MAX_TAGS = 8

export interface Reader {
  readonly objects: ObjectStore
  readonly caps: GitCaps
  readonly trees: LRUCache<Oid, readonly TreeEntry[]>
}

export const makeReader = (objects: ObjectStore, caps: GitCaps): Reader => ({
  objects,
  caps,
  trees: new LRUCache({ maxSize: CACHED_ENTRIES, sizeCalculation: (entries) => entries.length + 1 }),
})

/** @throws GitError `Corrupt` when a commit or tree refers to an object that is not there or of another type. */
export async function readTyped(reader: Reader, oid: Oid, type: ObjectType): Promise<Buffer> {
  const object = await reader.objects.read(oid, reader.caps.objectBytes)
  if (object === null) throw new GitError('Corrupt', `${type} ${oid} is missing from the repository`)
  if (object.type !== type) throw new GitError('Corrupt', `${oid} is a ${object.type}, not a ${type}`)
  return object.content
}

export async function readTree(reader: Reader, oid: Oid): Promise<readonly TreeEntry[]> {
  const known = reader.trees.get(oid)
  if (known !== undefined) return known
  const entries = parseTree(oid, await readTyped(reader, oid, 'tree'))
  reader.trees.set(oid, entries)
  return entries
}

/** Follows annotated tags. @returns null when the object is not there. @throws GitError `MissingRef` for a tree or blob. */
export async function readCommit(reader: Reader, start: Oid): Promise<CommitInfo | null> {
  let oid = start
  for (let hops = 0; hops < MAX_TAGS; hops++) {
    const object = await reader.objects.read(oid, reader.caps.objectBytes)
    if (object === null) return null
    if (object.type === 'commit') return parseCommit(oid, object.content)
    if (object.type !== 'tag') throw new GitError('MissingRef', `${oid} is a ${object.type}, not a commit`)
    oid = tagTarget(oid, object.content)
  }
  throw new GitError('MissingRef', `${start} is a tag of too many tags`)
}

/** @throws GitError `MissingRef` when this clone does not hold the commit. */
export async function requireCommit(reader: Reader, oid: Oid): Promise<CommitInfo> {
  const commit = await readCommit(reader, oid)
  if (commit === null) throw new GitError('MissingRef', `commit ${oid} is not in the repository; resolve it first`)
  return commit
}

/** Folders from the root; none for the root itself. @throws GitError `MissingPath` for a path that leaves the tree. */
export function pathSegments(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  if (path.startsWith('/') || parts.includes('..') || path.includes('\0')) {
    throw new GitError('MissingPath', `${JSON.stringify(path)} is not a path inside the repository`)
  }
  return parts
}

/** @returns null when nothing has this path; the root has mode `40000`. A symlink or submodule is never entered. */
export async function entryAt(reader: Reader, root: Oid, path: string): Promise<Pick<TreeEntry, 'mode' | 'oid'> | null> {
  let here: Pick<TreeEntry, 'mode' | 'oid'> = { mode: '40000', oid: root }
  for (const segment of pathSegments(path)) {
    if (!isDirectory(here.mode)) return null
    const name = Buffer.from(segment)
    const next = (await readTree(reader, here.oid)).find((entry) => entry.name.equals(name))
    if (next === undefined) return null
    here = next
  }
  return here
}

/** @throws GitError `MissingPath` when the tree has no folder of this path. */
export async function folderAt(reader: Reader, root: Oid, path: string): Promise<Oid> {
  const entry = await entryAt(reader, root, path)
  if (entry === null) throw new GitError('MissingPath', `the commit has no folder ${JSON.stringify(path)}`)
  if (!isDirectory(entry.mode)) throw new GitError('MissingPath', `${JSON.stringify(path)} is not a folder`)
  return entry.oid
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function textOf(name: Buffer): string | null {
  try {
    return utf8.decode(name)
  } catch {
    return null
  }
}

/** Names that could lead out of a folder or into git's own data when the tree is written somewhere. */
const HOSTILE_NAME = /^$|^\.{1,2}$|^\.git$|^git~1$|[/\\\p{Cc}]/iu
/** Letters that some file systems leave out of a name, as in CVE-2014-9390: the rest would be another name. */
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/gu

const isHostile = (name: string): boolean => HOSTILE_NAME.test(name) || HOSTILE_NAME.test(name.replace(INVISIBLE, ''))

interface Walk {
  readonly reader: Reader
  readonly signal: AbortSignal
  readonly files: TreeFile[]
  readonly refused: string[]
  visited: number
}

const FILE_MODES: Readonly<Record<string, TreeFile['mode']>> = { '100644': 'file', '100664': 'file', '100755': 'executable' }

async function visit(walk: Walk, tree: Oid, prefix: string): Promise<void> {
  walk.signal.throwIfAborted()
  const { caps } = walk.reader
  if (prefix.split('/').length > caps.pathDepth + 1) throw new GitError('TooLarge', `folders are nested deeper than ${caps.pathDepth}`)
  const entries = await readTree(walk.reader, tree)
  walk.visited += entries.length
  if (walk.visited > caps.treeEntries) throw new GitError('TooLarge', `the tree has more than ${caps.treeEntries} entries`)
  const names = new Set<string>()
  for (const entry of entries) {
    const name = textOf(entry.name)
    const path = prefix + (name ?? entry.name.toString('latin1'))
    const mode = FILE_MODES[entry.mode]
    const allowed = name !== null && !isHostile(name) && !names.has(name)
    names.add(name ?? path)
    if (allowed && isDirectory(entry.mode)) await visit(walk, entry.oid, `${path}/`)
    else if (allowed && mode !== undefined) walk.files.push({ path, oid: entry.oid, mode, size: null })
    else walk.refused.push(path)
  }
}

const byText = (a: string, b: string): number => (a < b ? -1 : Number(a > b))

/** @throws GitError `TooLarge` beyond the caps, `Corrupt` when part of the tree cannot be read. */
export async function listFiles(reader: Reader, tree: Oid, signal: AbortSignal): Promise<{ files: TreeFile[]; refused: string[] }> {
  const walk: Walk = { reader, signal, files: [], refused: [], visited: 0 }
  await visit(walk, tree, '')
  return { files: walk.files.sort((a, b) => byText(a.path, b.path)), refused: walk.refused.sort(byText) }
}
