import { execFile } from 'node:child_process'
import { chmod, lstat, mkdir } from 'node:fs/promises'
import { promisify } from 'node:util'
import { messageOf, RetryableError, TerminalError } from '../../../src/lib/errors.ts'
import { exists } from './cgroup-tree.ts'
import type { Context } from './context.ts'
import type { AttemptPaths } from './names.ts'

const run = promisify(execFile)

/**
 * Homes of other users lie outside the state directory, which they may not enter. `uid`: of the agent; nobody else may own
 * the place of all homes.
 * @throws TerminalError `WorkDirTaken`
 */
export async function makeForeignHome({ layout }: Context, paths: AttemptPaths, uid: number): Promise<void> {
  await mkdir(layout.foreign, { recursive: true, mode: 0o711 })
  const found = await lstat(layout.foreign)
  if (!found.isDirectory() || found.uid !== uid) {
    throw new TerminalError('WorkDirTaken', `${layout.foreign} belongs to somebody else`)
  }
  await chmod(layout.foreign, 0o711)
  await mkdir(paths.foreignHome, { mode: 0o711 })
  await chmod(paths.foreignHome, 0o711)
}

/**
 * By `rm`, which goes down through folders that it holds open. By their paths, as Node does it, another task of that user
 * could put a link in the place of a folder, and an agent that is root would delete what it leads to.
 * @throws RetryableError when something of it is left.
 */
export async function removeForeignHome({ path }: Context, { foreignHome }: AttemptPaths): Promise<void> {
  if (!(await exists(foreignHome))) return
  await run('rm', ['-rf', '--', foreignHome], { env: { PATH: path } }).catch((cause: unknown) => {
    throw new RetryableError(`${foreignHome} cannot be removed: ${messageOf(cause)}`, { cause })
  })
}
