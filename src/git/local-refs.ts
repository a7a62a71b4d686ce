import { appendFile, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Oid } from '../model/ids.ts'
import { GitError } from './git-backend.ts'
import type { LocalLayout } from './local-layout.ts'
import { absent } from './objects/object-store.ts'

const OID = /^[0-9a-f]{40}$/
const SYMBOLIC = /^ref: (?<target>refs\/[^\n]+)/
const MAX_LINKS = 5

/** What the file of a ref says: a commit or tag id, the name of another ref, or null where there is no such file. */
async function readLooseRef(layout: LocalLayout, ref: string): Promise<string | null> {
  const text = await readFile(join(layout.commonDir, ref), 'utf8').catch(absent)
  return text === null ? null : text.trim()
}

async function readPackedRef(layout: LocalLayout, ref: string): Promise<Oid | null> {
  const text = (await readFile(join(layout.commonDir, 'packed-refs'), 'utf8').catch(absent)) ?? ''
  const line = text.split('\n').find((entry) => entry.slice(41) === ref && OID.test(entry.slice(0, 40)))
  return line === undefined ? null : (line.slice(0, 40) as Oid)
}

/** @returns null when there is no such ref. @throws GitError `Corrupt` when its file holds something else. */
export async function readRef(layout: LocalLayout, ref: string): Promise<Oid | null> {
  let name = ref
  for (let links = 0; links < MAX_LINKS; links++) {
    const text = (await readLooseRef(layout, name)) ?? (await readPackedRef(layout, name))
    if (text === null) return null
    if (OID.test(text)) return text as Oid
    const target = SYMBOLIC.exec(text)?.groups?.target
    if (target === undefined || target.includes('..')) throw new GitError('Corrupt', `${name} does not hold a commit id`)
    name = target
  }
  throw new GitError('Corrupt', `${ref} is a chain of too many symbolic refs`)
}

async function headOf(gitdir: string): Promise<string | null> {
  const text = (await readFile(join(gitdir, 'HEAD'), 'utf8').catch(absent)) ?? ''
  return SYMBOLIC.exec(text)?.groups?.target ?? null
}

/** True when the work tree of this very repository shows the branch. */
export const isCheckedOut = async (layout: LocalLayout, ref: string): Promise<boolean> =>
  layout.workTree !== null && (await headOf(layout.gitdir)) === ref

/** Other work trees (`git worktree`) of the repository that show the branch. */
export async function otherCheckouts(layout: LocalLayout, ref: string): Promise<string[]> {
  const linked = join(layout.commonDir, 'worktrees')
  const names = (await readdir(linked).catch(absent)) ?? []
  // The HEAD of a bare repository names the default branch but shows it to nobody; only a work tree has an index.
  const mainHasFiles = (await stat(join(layout.commonDir, 'index')).catch(absent)) !== null
  const others = [...names.map((name) => join(linked, name)), ...(mainHasFiles ? [layout.commonDir] : [])]
  const heads = await Promise.all(others.filter((gitdir) => gitdir !== layout.gitdir).map(headOf))
  return heads.filter((head) => head === ref).map(() => ref)
}

export interface RefUpdate {
  readonly ref: string
  readonly from: Oid
  readonly to: Oid
  /** For the reflog: `Name <email> seconds +0000`. */
  readonly who: string
  readonly why: string
}

/** What has to move along with a branch: index and files of a work tree. */
export interface Follower {
  step(): Promise<void>
  undo(): Promise<void>
}

async function takeLock(lock: string, ref: string): Promise<Awaited<ReturnType<typeof open>>> {
  await mkdir(dirname(lock), { recursive: true })
  try {
    return await open(lock, 'wx', 0o644)
  } catch (cause) {
    const taken = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST'
    throw taken ? new GitError('Rejected', `another process is writing ${ref} (${lock} exists)`, { cause }) : cause
  }
}

/** Only where the repository keeps a reflog already, as git decides by configuration. */
async function appendReflog(gitdir: string, name: string, update: RefUpdate): Promise<void> {
  const file = join(gitdir, 'logs', name)
  if ((await stat(file).catch(absent)) === null) return
  await appendFile(file, `${update.from} ${update.to} ${update.who}\t${update.why.replace(/\s+/g, ' ')}\n`)
}

/**
 * Moves a branch by compare-and-swap under git's own lock file, so it is safe beside any git process.
 * The follower's step runs when the branch is known to be at `from` and cannot move; if it fails, the branch stays.
 * @throws GitError `Rejected` when the branch is elsewhere or locked.
 */
export async function moveBranch(layout: LocalLayout, update: RefUpdate, follower: Follower): Promise<void> {
  const file = join(layout.commonDir, update.ref)
  const lock = `${file}.lock`
  const handle = await takeLock(lock, update.ref)
  try {
    const text = await readLooseRef(layout, update.ref)
    if (text?.startsWith('ref:')) throw new GitError('Unsupported', `${update.ref} is a symbolic ref`)
    const now = await readRef(layout, update.ref)
    if (now !== update.from) throw new GitError('Rejected', `${update.ref} has moved meanwhile (it is at ${now ?? 'nothing'})`)
    await handle.writeFile(`${update.to}\n`)
    await handle.sync()
    await follower.step()
    await rename(lock, file).catch(async (error: unknown) => {
      await follower.undo()
      throw error
    })
  } catch (error) {
    await rm(lock, { force: true })
    throw error
  } finally {
    await handle.close()
  }
  await appendReflog(layout.commonDir, update.ref, update)
  if (await isCheckedOut(layout, update.ref)) await appendReflog(layout.gitdir, 'HEAD', update)
}
