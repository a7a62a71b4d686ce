import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Oid } from '../../src/model/ids.ts'

/** A file's content, or null to remove it. */
export type Changes = Readonly<Record<string, string | Buffer | null>>

export interface FixtureRepo {
  /** Work tree, or the repository itself when it is bare. */
  readonly path: string
  /** Runs git there and returns what it says, trimmed. */
  git(...args: readonly string[]): string
  /** Like `git`, with bytes on its standard input. */
  feed(input: Buffer | string, ...args: readonly string[]): string
  head(ref?: string): Oid
}

const ENV = {
  PATH: process.env.PATH,
  HOME: '/nonexistent',
  LC_ALL: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.com',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.com',
}

export function gitRepoAt(path: string): FixtureRepo {
  const feed = (input: Buffer | string, ...args: readonly string[]) =>
    execFileSync('git', ['-C', path, '-c', 'protocol.file.allow=always', ...args], { env: ENV, input, stdio: 'pipe', maxBuffer: 1 << 28 })
      .toString()
      .trim()
  const git = (...args: readonly string[]) => feed('', ...args)
  return { path, git, feed, head: (ref = 'HEAD') => git('rev-parse', ref) as Oid }
}

export interface Scratch {
  readonly path: string
  remove(): void
}

export function scratchFolder(): Scratch {
  const path = mkdtempSync(join(tmpdir(), 'drover-git-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** A repository with a work tree and the branch `main`, without commits. */
export function makeRepo(path: string): FixtureRepo {
  mkdirSync(path, { recursive: true })
  const repo = gitRepoAt(path)
  repo.git('init', '-q', '-b', 'main')
  return repo
}

/** A bare repository that allows pushes over http. */
export function makeBareRepo(path: string): FixtureRepo {
  mkdirSync(path, { recursive: true })
  const repo = gitRepoAt(path)
  repo.git('init', '-q', '--bare', '-b', 'main')
  repo.git('config', 'http.receivepack', 'true')
  return repo
}

/** Writes files in the work tree, without a commit. */
export function writeFiles(repo: FixtureRepo, changes: Changes): void {
  for (const [path, content] of Object.entries(changes)) {
    const file = join(repo.path, path)
    if (content === null) {
      rmSync(file)
      continue
    }
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
    if (path.endsWith('.sh')) chmodSync(file, 0o755)
  }
}

/** Commits files in the work tree; names that end with `.sh` become executable. */
export function commitFiles(repo: FixtureRepo, changes: Changes, message = 'change'): Oid {
  writeFiles(repo, changes)
  repo.git('add', '-A')
  repo.git('commit', '-q', '--allow-empty', '-m', message)
  return repo.head()
}

/** The mirror image of a commit as a new one, as `git revert` makes it. */
export function revertCommit(repo: FixtureRepo, commit: Oid): Oid {
  repo.git('revert', '--no-edit', commit)
  return repo.head()
}

/** Replaces the history of the branch by another that shares nothing after `base`. */
export function rewriteHistory(repo: FixtureRepo, base: Oid, changes: Changes): Oid {
  repo.git('reset', '-q', '--hard', base)
  return commitFiles(repo, changes, 'rewritten')
}

/** Pushes all branches and tags as they are, removing what is gone. */
export function publish(from: FixtureRepo, to: FixtureRepo): void {
  from.git('push', '-q', '--mirror', '--force', to.path)
}
