import { chmod, constants, copyFile, lchown, lstat, mkdir, readdir, readlink, realpath, symlink } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, resolve } from 'node:path'
import { hasCode, nullOn, TerminalError } from '../../../src/lib/errors.ts'
import type { ArtifactSpec, UnitSpec } from '../../../src/model/task-spec.ts'
import { artifactKey } from '../../artifacts/artifacts.ts'
import type { Prepared } from '../../driver.ts'
import type { Account } from './users.ts'

/** Where a task lives: its working directory, which is its HOME, and its own TMPDIR. */
export interface Home {
  readonly work: string
  readonly tmp: string
}

export const homeIn = (dir: string): Home => ({ work: join(dir, 'work'), tmp: join(dir, 'tmp') })

const isOutside = (root: string, path: string): boolean => {
  const way = relative(root, path)
  return way === '..' || way.startsWith('../') || isAbsolute(way)
}

/** One artifact: where on the machine it comes from, the work directory no link may leave, and its owner. */
interface Copy {
  readonly source: string
  readonly root: string
  readonly owner: Account | null
}

const unsafe = (path: string): TerminalError => new TerminalError('UnsafeArtifact', `${path} leads out of the working directory`)

const conflict = (path: string) => (error: unknown) => {
  if (!hasCode(error, 'EEXIST')) throw error
  throw new TerminalError('ArtifactConflict', `two artifacts have ${path}`)
}

/** Makes a folder unless it is there, and gives its real path: an earlier artifact may have put a link in its place. */
async function enterFolder(copy: Copy, path: string): Promise<string> {
  await mkdir(path).catch(nullOn('EEXIST'))
  const real = await realpath(path)
  if (isOutside(copy.root, real)) throw unsafe(path)
  if (copy.owner !== null && real !== copy.root) await lchown(real, copy.owner.uid, copy.owner.gid)
  return real
}

async function copyLink(copy: Copy, from: string, to: string): Promise<void> {
  const target = await readlink(from)
  if (isAbsolute(target) || isOutside(copy.root, resolve(dirname(to), target))) throw unsafe(to)
  await symlink(target, to).catch(conflict(to))
}

async function copyFolder(copy: Copy, from: string, to: string): Promise<void> {
  const real = await enterFolder(copy, to)
  for (const name of await readdir(from)) await copyEntry(copy, join(from, name), join(real, name))
}

async function copyEntry(copy: Copy, from: string, to: string): Promise<void> {
  const found = await lstat(from)
  if (found.isSymbolicLink()) await copyLink(copy, from, to)
  else if (found.isDirectory()) await copyFolder(copy, from, to)
  else if (found.isFile()) await copyFile(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL).catch(conflict(to))
  else throw new TerminalError('UnsafeArtifact', `${from} is no file, folder or link`)
  // The artifacts are read-only and shared; the copy is the task's own.
  if (!found.isSymbolicLink()) await chmod(to, (found.mode & 0o777) | 0o200)
  if (copy.owner !== null) await lchown(to, copy.owner.uid, copy.owner.gid)
}

/** A folder's content goes into the folder of that name, a file becomes the file of that name. */
async function place({ destination }: ArtifactSpec, copy: Copy): Promise<void> {
  if (isAbsolute(destination) || destination.split('/').includes('..') || destination.includes('\0')) throw unsafe(destination)
  const way = destination.split('/').filter((name) => name !== '' && name !== '.')
  const name = (await lstat(copy.source)).isFile() ? way.pop() : null
  if (name === undefined) throw unsafe(destination)
  let folder = copy.root
  for (const part of way) folder = await enterFolder(copy, join(folder, part))
  if (name !== null) return await copyEntry(copy, copy.source, join(folder, name))
  for (const entry of await readdir(copy.source)) await copyEntry(copy, join(copy.source, entry), join(folder, entry))
}

/**
 * Makes the task's own directories (0700, its user's) and copies its artifacts below `work`. They are handed over last: who
 * may enter while the agent, which may be root, still writes there could put a link in its way and lead it elsewhere.
 * @throws TerminalError `UnsafeArtifact` for a path or link that leads out; `ArtifactMissing` for one that nobody fetched.
 */
export async function furnish(
  home: Home,
  unit: UnitSpec,
  { artifacts }: Pick<Prepared, 'artifacts'>,
  owner: Account | null,
): Promise<void> {
  const own = [home.work, home.tmp]
  for (const dir of own) await mkdir(dir, { mode: 0o700 })
  const root = await realpath(home.work)
  for (const artifact of unit.artifacts) {
    const source = artifacts[artifactKey(artifact)]
    if (source === undefined) throw new TerminalError('ArtifactMissing', `artifact ${artifactKey(artifact)} is not on this machine`)
    await place(artifact, { source, root, owner })
  }
  if (owner !== null) for (const dir of own) await lchown(dir, owner.uid, owner.gid)
}
