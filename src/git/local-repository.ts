import { join } from 'node:path'
import type { Clock } from '../lib/clock.ts'
import type { Oid } from '../model/ids.ts'
import type { GitCaps } from './caps.ts'
import { type CommitInfo, GitError, type GitRepository, type RevertOptions } from './git-backend.ts'
import { findLayout, type LocalLayout } from './local-layout.ts'
import { isCheckedOut, moveBranch, otherCheckouts, readRef } from './local-refs.ts'
import { openObjects } from './objects/object-store.ts'
import { branchRef, onlyOne, parseRef } from './ref-name.ts'
import { writeRevertCommit } from './revert-tree.ts'
import { folderAt, listFiles, makeReader, type Reader, readCommit, readTyped, requireCommit } from './walk.ts'
import { moveWorkTree, restoreWorkTree } from './work-tree.ts'

export interface LocalOptions {
  readonly path: string
  readonly caps: GitCaps
  readonly clock: Clock
  readonly random: () => number
}

interface Local extends LocalOptions {
  readonly layout: LocalLayout
  readonly reader: Reader
}

async function namedTip(local: Local, name: string, candidates: readonly string[]): Promise<Oid> {
  const tips = await Promise.all(candidates.map((ref) => readRef(local.layout, ref)))
  return onlyOne(
    name,
    tips.filter((tip) => tip !== null),
  )
}

async function resolveLocal(local: Local, ref: string, signal: AbortSignal): Promise<CommitInfo> {
  signal.throwIfAborted()
  const request = parseRef(ref)
  const oid = request.kind === 'commit' ? request.oid : await namedTip(local, ref, request.candidates)
  const commit = await readCommit(local.reader, oid)
  if (commit !== null) return commit
  if (request.kind === 'commit') throw new GitError('MissingRef', `the repository has no commit ${oid}`)
  throw new GitError('Corrupt', `${ref} points at ${oid}, which is missing from the repository`)
}

interface BranchMove {
  readonly ref: string
  readonly from: Oid
  readonly to: Oid
  readonly options: RevertOptions
  readonly signal: AbortSignal
}

const NOTHING_FOLLOWS = { step: () => Promise.resolve(), undo: () => Promise.resolve() }

async function applyMove(local: Local, move: BranchMove): Promise<void> {
  const { layout, clock } = local
  const { author, message } = move.options
  const { workTree, gitdir } = layout
  const who = `${author.name.replace(/[<>\n]/g, '')} <${author.email.replace(/[<>\n]/g, '')}> ${Math.floor(clock.now() / 1000)} +0000`
  const update = { ref: move.ref, from: move.from, to: move.to, who, why: `drover: ${message.split('\n', 1)[0] ?? ''}` }
  const follows = workTree !== null && (await isCheckedOut(layout, move.ref))
  const files = follows ? { gitdir, workTree, from: move.from, to: move.to, signal: move.signal } : null
  await moveBranch(
    layout,
    update,
    files === null ? NOTHING_FOLLOWS : { step: () => moveWorkTree(files), undo: () => restoreWorkTree(files) },
  )
}

async function revertLocal(local: Local, options: RevertOptions, signal: AbortSignal): Promise<Oid> {
  const ref = branchRef(options.branch)
  const tip = await resolveLocal(local, ref, signal)
  const target = await resolveLocal(local, options.target, signal)
  if ((await otherCheckouts(local.layout, ref)).length > 0) {
    throw new GitError('Rejected', `${ref} is checked out in another work tree of the repository, which would not follow`)
  }
  const writer = { directory: join(local.layout.commonDir, 'objects'), random: local.random }
  const commit = await writeRevertCommit({ reader: local.reader, writer, clock: local.clock, tip, target, options })
  if (commit !== tip.oid) await applyMove(local, { ref, from: tip.oid, to: commit, options, signal })
  return commit
}

/** Reads a repository of this machine in place; only `revert` ever writes. @throws GitError `Unreachable` when there is none. */
export async function openLocal(options: LocalOptions): Promise<GitRepository> {
  const layout = await findLayout(options.path)
  const reader = makeReader(openObjects(join(layout.commonDir, 'objects')), options.caps)
  const local: Local = { ...options, layout, reader }
  return {
    resolve: (ref, signal) => resolveLocal(local, ref, signal),
    treeAt: async (commit, path) => folderAt(reader, (await requireCommit(reader, commit)).tree, path),
    files: (tree, signal) => listFiles(reader, tree, signal),
    blob: (oid) => readTyped(reader, oid, 'blob'),
    revert: (revert, signal) => revertLocal(local, revert, signal),
    close: () => reader.objects.close(),
  }
}
