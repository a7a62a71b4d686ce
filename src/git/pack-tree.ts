import { packTree, type TreePackEntry } from '../lib/tree-pack.ts'
import type { Oid } from '../model/ids.ts'
import type { GitRepository, TreeFile } from './git-backend.ts'

/** Blobs read ahead of what is being sent. */
const AHEAD = 8

async function* contents(
  repo: GitRepository,
  files: readonly TreeFile[],
  signal: AbortSignal,
): AsyncGenerator<TreePackEntry, void, undefined> {
  for (let start = 0; start < files.length; start += AHEAD) {
    signal.throwIfAborted()
    const batch = files.slice(start, start + AHEAD)
    const blobs = await Promise.all(batch.map(async (file) => ({ path: file.path, mode: file.mode, content: await repo.blob(file.oid) })))
    yield* blobs
  }
}

/** The regular files of a folder in git as one stream for `unpackTree`; symlinks and submodules stay behind. @throws GitError. */
export async function* packGitTree(repo: GitRepository, tree: Oid, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  const { files } = await repo.files(tree, signal)
  yield* packTree(contents(repo, files, signal))
}
