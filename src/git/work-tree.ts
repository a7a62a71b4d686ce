import type { Oid } from '../model/ids.ts'
import { GitError } from './git-backend.ts'
import { runGit } from './hardened.ts'

export interface WorkTreeMove {
  readonly gitdir: string
  readonly workTree: string
  readonly from: Oid
  readonly to: Oid
  readonly signal: AbortSignal
}

/** An interrupted index update would leave files and index half moved, so it is not cut short. */
const UNINTERRUPTED = new AbortController().signal

async function readTrees(move: Pick<WorkTreeMove, 'gitdir' | 'workTree'>, from: Oid, to: Oid): Promise<void> {
  const { code, stderr } = await runGit({ ...move, args: ['read-tree', '-m', '-u', from, to], signal: UNINTERRUPTED })
  if (code !== 0) throw new GitError('Rejected', `the work tree of this branch has changes in the way: ${stderr}`)
}

/**
 * Takes index and files of a checked out branch along. git's own two-tree merge does it: it touches only what differs
 * between the commits, and does nothing at all where that has changes or untracked files in the way.
 * @throws GitError `Rejected` then; `Unsupported` without the git program.
 */
export async function moveWorkTree(move: WorkTreeMove): Promise<void> {
  // Only refreshes time stamps, so that an untouched file does not count as changed; a changed one is told by the merge.
  await runGit({ ...move, args: ['update-index', '-q', '--refresh'] })
  await readTrees(move, move.from, move.to)
}

/** Undoes `moveWorkTree` when the branch could not be moved after all. */
export const restoreWorkTree = (move: WorkTreeMove): Promise<void> => readTrees(move, move.to, move.from)
