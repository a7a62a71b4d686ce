import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RepoAsked, RepoFiles } from '../cli/deps.ts'
import { revisionName } from '../control/source/source.ts'
import type { GitRepository } from '../git/git-backend.ts'
import { openRepository } from '../git/open.ts'
import { systemClock } from '../lib/clock.ts'
import { isManifestPath } from '../manifest/parse.ts'

/** Manifest files of a commit, for commands that work without a server. A remote is cloned aside and forgotten. */
export async function readRepo({ repo, ref, path }: RepoAsked): Promise<RepoFiles> {
  const dir = await mkdtemp(join(tmpdir(), 'drover-read-'))
  try {
    const repository = await openRepository({ repo, dir, clock: systemClock, random: Math.random })
    try {
      return await read(repository, { ref: ref ?? 'main', path })
    } finally {
      await repository.close()
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function read(repository: GitRepository, { ref, path }: { ref: string; path: string }): Promise<RepoFiles> {
  const signal = AbortSignal.timeout(120_000)
  const commit = await repository.resolve(ref, signal)
  const { files } = await repository.files(await repository.treeAt(commit.oid, path), signal)
  const texts: { path: string; text: string }[] = []
  for (const file of files.filter((item) => isManifestPath(item.path))) {
    const at = path === '.' ? file.path : `${path}/${file.path}`
    texts.push({ path: at, text: new TextDecoder().decode(await repository.blob(file.oid)) })
  }
  return { revision: revisionName(ref, commit.oid), files: texts }
}
