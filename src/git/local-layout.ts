import { readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { GitError } from './git-backend.ts'
import { absent } from './objects/object-store.ts'

/** Where the parts of a repository on this machine lie. */
export interface LocalLayout {
  /** Holds HEAD and, for a work tree, the index. */
  readonly gitdir: string
  /** Holds refs and objects: the same, but for a linked work tree. */
  readonly commonDir: string
  /** Null for a bare repository. */
  readonly workTree: string | null
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    (error: unknown) => absent(error) !== null,
  )

async function gitdirOf(path: string): Promise<{ gitdir: string; workTree: string | null }> {
  const dotGit = join(path, '.git')
  if (await isFolder(dotGit)) return { gitdir: dotGit, workTree: path }
  const link = /^gitdir: (?<target>[^\n]+)/.exec((await readFile(dotGit, 'utf8').catch(absent)) ?? '')?.groups?.target
  if (link !== undefined) return { gitdir: resolve(path, link), workTree: path }
  return { gitdir: path, workTree: null }
}

/** Repository formats that this reader does not know must not look like empty ones. */
function checkFormat(config: string): void {
  if (/^\s*objectformat\s*=\s*sha256/im.test(config))
    throw new GitError('Unsupported', 'repositories with SHA-256 object ids are not supported')
  if (/^\s*refstorage\s*=\s*reftable/im.test(config)) throw new GitError('Unsupported', 'repositories with reftable refs are not supported')
}

/** @throws GitError `Unreachable` when there is no repository, `Unsupported` for a format that cannot be read. */
export async function findLayout(path: string): Promise<LocalLayout> {
  const { gitdir, workTree } = await gitdirOf(path)
  const common = await readFile(join(gitdir, 'commondir'), 'utf8').catch(absent)
  const commonDir = common === null ? gitdir : resolve(gitdir, common.trim())
  const looksRight = (await isFolder(join(commonDir, 'objects'))) && (await stat(join(gitdir, 'HEAD')).catch(absent)) !== null
  if (!looksRight) throw new GitError('Unreachable', `${path} is not a git repository`)
  checkFormat((await readFile(join(commonDir, 'config'), 'utf8').catch(absent)) ?? '')
  return { gitdir, commonDir, workTree }
}
