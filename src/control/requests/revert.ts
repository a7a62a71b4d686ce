import { GitError } from '../../git/git-backend.ts'
import type { Digest } from '../../model/ids.ts'
import type { AppRecord, RevisionRecord } from '../../model/records.ts'
import type { WorkloadVersion } from '../../model/version.ts'
import type { Source } from '../source/source.ts'
import { RequestError } from './control-plane.ts'

export interface RevertInput {
  readonly app: AppRecord
  readonly target: RevisionRecord
  readonly versions: ReadonlyMap<Digest, WorkloadVersion>
  readonly source: Source
  readonly actor: string
  readonly signal: AbortSignal
}

/** Writes to the branch what the rollback did to the cluster: the app's path and the folders it ships, as they were. */
export async function revertInGit(input: RevertInput): Promise<string> {
  const { app, target, actor, signal } = input
  const folders = [...input.versions.values()].flatMap((version) => Object.keys(version.trees))
  const message = `Revert ${app.name} to ${target.commit.slice(0, 12)}\n\nThis brings ${app.source.path} back to "${target.subject}".\nRolled back with Drover by ${actor}.\n`
  try {
    const repo = await input.source.repository()
    const paths = [...new Set([app.source.path, ...folders])]
    return await repo.revert(
      { branch: app.source.ref, target: target.commit, paths, message, author: { name: 'Drover', email: 'drover@localhost' } },
      signal,
    )
  } catch (error) {
    if (error instanceof GitError) throw new RequestError('Conflict', `rolled back, but the revert was not committed: ${error.message}`)
    throw error
  }
}
