import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import type { GitErrorCode, GitRepository } from '../../src/git/git-backend.ts'
import { type OpenOptions, openRepository } from '../../src/git/open.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { Oid } from '../../src/model/ids.ts'
import { type GitHttpServer, startGitHttp } from '../support/git-http.ts'
import {
  commitFiles,
  type FixtureRepo,
  gitRepoAt,
  makeBareRepo,
  makeRepo,
  publish,
  type Scratch,
  scratchFolder,
} from '../support/git-repo.ts'

export const signal = new AbortController().signal

export const code = (expected: GitErrorCode, message = '') =>
  expect.objectContaining({ name: 'GitError', code: expected, message: expect.stringContaining(message) })

export interface RemoteFixture {
  scratch: Scratch
  /** Has `app.yaml` and `lib/a` on `main`, published to `origin`. */
  work: FixtureRepo
  origin: FixtureRepo
  /** Ended after the test, last first. */
  readonly toClose: { close(): Promise<void> }[]
  open(repo: string, options?: Partial<OpenOptions>): Promise<GitRepository>
  serve(auth?: string): Promise<GitHttpServer>
}

/** A published repository for every test of the file. */
export function useRemote(): RemoteFixture {
  const toClose: RemoteFixture['toClose'] = []
  const opened = <T extends { close(): Promise<void> }>(one: T): T => {
    toClose.push(one)
    return one
  }
  const fixture: RemoteFixture = {
    scratch: { path: '', remove: () => undefined },
    work: gitRepoAt(''),
    origin: gitRepoAt(''),
    toClose,
    open: async (repo, options) => {
      const common = { dir: join(fixture.scratch.path, 'clones'), clock: systemClock, random: Math.random }
      return opened(await openRepository({ repo, ...common, ...options }))
    },
    serve: async (auth) => opened(await startGitHttp({ root: fixture.scratch.path, ...(auth === undefined ? {} : { auth }) })),
  }
  beforeEach(() => {
    fixture.scratch = scratchFolder()
    fixture.work = makeRepo(join(fixture.scratch.path, 'work'))
    fixture.origin = makeBareRepo(join(fixture.scratch.path, 'origin.git'))
    commitFiles(fixture.work, { 'app.yaml': 'v1', 'lib/a': 'a' })
    publish(fixture.work, fixture.origin)
  })
  afterEach(async () => {
    await Promise.all(toClose.splice(0).map((one) => one.close()))
    fixture.scratch.remove()
  })
  return fixture
}

/** `path=content` of every file of a commit. */
export async function read(repo: GitRepository, commit: Oid): Promise<string[]> {
  const { files } = await repo.files(await repo.treeAt(commit, '.'), signal)
  return Promise.all(files.map(async ({ path, oid }) => `${path}=${Buffer.from(await repo.blob(oid)).toString()}`))
}
