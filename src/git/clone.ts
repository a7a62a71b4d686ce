import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Oid } from '../model/ids.ts'
import type { GitCaps } from './caps.ts'
import { isomorphicGit } from './isomorphic.ts'
import { absent, openObjects } from './objects/object-store.ts'
import { guardedFs } from './pack-guard.ts'
import { type RemoteAccess, type Tip, withRemote } from './remote-access.ts'
import { displayUrl } from './repo-address.ts'
import { makeReader, type Reader } from './walk.ts'

interface NegotiationCache {
  value: object
  uses: number
}

/** A bare copy of part of a remote. Clones are numbered; the highest is the present one, whole by construction. */
export interface Clone {
  readonly gitdir: string
  readonly number: number
  readonly reader: Reader
  /** isomorphic-git's own cache of pack indexes, for its negotiation; replaced now and then, as it only grows. */
  readonly cache: NegotiationCache
}

const CLONE = /^clone-(?<number>\d{1,9})$/
const SOURCE_FILE = 'drover-source'
const CACHE_USES = 20
/** git's own number for "all of it". */
const WHOLE_HISTORY = 0x7fffffff

function at(directory: string, number: number, caps: GitCaps): Clone {
  const gitdir = join(directory, `clone-${number}`)
  return { gitdir, number, reader: makeReader(openObjects(join(gitdir, 'objects')), caps), cache: { value: {}, uses: 0 } }
}

async function numbers(directory: string): Promise<number[]> {
  const names = (await readdir(directory).catch(absent)) ?? []
  const found = names.flatMap((name) => CLONE.exec(name)?.groups?.number ?? [])
  return found.map(Number).sort((a, b) => b - a)
}

/** The clone of an earlier run, if it is of this very repository: a re-pointed address must not see old content. */
export async function findClone(directory: string, access: RemoteAccess): Promise<Clone | null> {
  const [newest] = await numbers(directory)
  if (newest === undefined) return null
  const clone = at(directory, newest, access.caps)
  const source = await readFile(join(clone.gitdir, SOURCE_FILE), 'utf8').catch(absent)
  return source === displayUrl(access.address) ? clone : null
}

function cacheFor({ cache }: Pick<Clone, 'cache'>): object {
  if (cache.uses % CACHE_USES === 0) cache.value = {}
  cache.uses += 1
  return cache.value
}

const tipRef = (ref: string): string => `refs/drover/tips/${createHash('sha256').update(ref).digest('hex').slice(0, 32)}`

export interface FetchOptions {
  readonly access: RemoteAccess
  readonly signal: AbortSignal
  /** `recent` asks for a few commits of history: only for what a clone has none of, as it always comes as a whole. */
  readonly history: 'increment' | 'recent' | 'whole'
}

type Target = Pick<Clone, 'gitdir' | 'cache'>

/** Brings one ref (or, with `whole`, all branches) into a clone. @returns what the remote said the ref is. @throws GitError. */
export async function fetchTip(clone: Target, tip: Tip, options: FetchOptions): Promise<Oid | null> {
  const { access, history, signal } = options
  const depth = { increment: {}, recent: { depth: access.caps.cloneDepth }, whole: { depth: WHOLE_HISTORY } }[history]
  const git = await isomorphicGit()
  const common = { fs: guardedFs(access.caps), gitdir: clone.gitdir, remote: 'origin', tags: false, cache: cacheFor(clone), ...depth }
  const wanted = history === 'whole' ? { remoteRef: 'HEAD', singleBranch: false } : { remoteRef: tip.ref, singleBranch: true }
  const fetched = await withRemote(access, { name: 'fetch', signal }, ({ http, url }) =>
    git.fetch({ ...common, ...wanted, http, url, ref: tipRef(tip.ref) }),
  )
  return history === 'whole' ? null : (fetched.fetchHead as Oid | null)
}

/** Remembers what the clone has of a ref, so that the next fetch can offer it. */
export async function recordTip(gitdir: string, tip: Tip): Promise<void> {
  const file = join(gitdir, tipRef(tip.ref))
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `${tip.oid}\n`)
}

export interface NewClone {
  readonly directory: string
  readonly access: RemoteAccess
  /** Returns [0, 1); names the temporary folder. */
  readonly random: () => number
  /** Fetches what the clone is for; it becomes visible only when this has succeeded. */
  readonly fill: (clone: Target) => Promise<void>
}

/** Makes a clone aside, then puts it in place by one rename. Nothing else touches the present one. */
export async function makeClone({ directory, access, random, fill }: NewClone): Promise<Clone> {
  const gitdir = join(directory, `new-${Math.floor(random() * 2 ** 48).toString(36)}`)
  const git = await isomorphicGit()
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await removeLeftovers(directory)
  try {
    await git.init({ fs, bare: true, gitdir })
    await git.addRemote({ fs, gitdir, remote: 'origin', url: displayUrl(access.address) })
    await fill({ gitdir, cache: { value: {}, uses: 0 } })
    await writeFile(join(gitdir, SOURCE_FILE), displayUrl(access.address))
    const next = at(directory, ((await numbers(directory))[0] ?? 0) + 1, access.caps)
    await rename(gitdir, next.gitdir)
    return next
  } catch (error) {
    await rm(gitdir, { recursive: true, force: true })
    throw error
  }
}

async function removeLeftovers(directory: string): Promise<void> {
  const stale = (await readdir(directory)).filter((name) => name.startsWith('new-'))
  await Promise.all(stale.map((name) => rm(join(directory, name), { recursive: true, force: true })))
}

/** Removes all clones but the given one. Files that are open stay readable to whoever reads them. */
export async function removeOthers(directory: string, keep: Clone): Promise<void> {
  const stale = (await numbers(directory)).filter((number) => number !== keep.number)
  await Promise.all(stale.map((number) => rm(join(directory, `clone-${number}`), { recursive: true, force: true })))
}
