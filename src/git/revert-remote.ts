import fs from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Clock } from '../lib/clock.ts'
import type { Oid } from '../model/ids.ts'
import type { Clone } from './clone.ts'
import type { CommitInfo, RevertOptions } from './git-backend.ts'
import { GitError } from './git-backend.ts'
import { isomorphicGit } from './isomorphic.ts'
import { branchRef } from './ref-name.ts'
import { type RemoteAccess, withRemote } from './remote-access.ts'
import { writeRevertCommit } from './revert-tree.ts'

export interface PushRevert {
  readonly access: RemoteAccess
  readonly clock: Clock
  readonly random: () => number
  readonly clone: Clone
  readonly tip: CommitInfo
  readonly target: CommitInfo
  readonly options: RevertOptions
  readonly signal: AbortSignal
}

async function push(revert: PushRevert, ref: { local: string; remote: string }): Promise<void> {
  const { access, clone, signal, tip } = revert
  const git = await isomorphicGit()
  await withRemote(access, { name: 'push', signal }, async ({ http, url }) => {
    const asked = { fs, http, url, gitdir: clone.gitdir, remote: 'origin', ref: ref.local, remoteRef: ref.remote }
    // Our own check is the stricter one: the branch must be exactly what the commit was built on, and the server
    // compares once more when it writes. `force` only spares isomorphic-git a walk that a shallow clone cannot answer.
    const onPrePush = ({ remoteRef }: { remoteRef: { oid: string } }) => remoteRef.oid === tip.oid
    try {
      await git.push({ ...asked, force: true, onPrePush })
    } catch (error) {
      const moved = error instanceof Error && 'code' in error && error.code === 'UserCanceledError'
      throw moved ? new GitError('Rejected', `${ref.remote} has moved meanwhile`, { cause: error }) : error
    }
  })
}

/** Builds the commit in the clone and pushes it. @throws GitError `Rejected` when the branch moved or the remote refuses. */
export async function pushRevert(revert: PushRevert): Promise<Oid> {
  const { clone, clock, random, tip, target, options } = revert
  const writer = { directory: join(clone.gitdir, 'objects'), random }
  const commit = await writeRevertCommit({ reader: clone.reader, writer, clock, tip, target, options })
  if (commit === tip.oid) return commit
  const local = `refs/drover/push/${commit}`
  const file = join(clone.gitdir, local)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `${commit}\n`)
  try {
    await push(revert, { local, remote: branchRef(options.branch) })
  } finally {
    await rm(file, { force: true })
  }
  return commit
}
