import { createHash } from 'node:crypto'
import { type CommitInfo, GitError, type GitRepository, type TreeFile } from '../../src/git/git-backend.ts'
import type { Millis, Oid } from '../../src/model/ids.ts'
import type { Incarnation } from './incarnation.ts'
import { EMPTY_REPO, filesOf, type RepoModel } from './manifests.ts'

export interface SimCommit {
  readonly info: CommitInfo
  readonly model: RepoModel
}

/** Set and cleared by the nemesis. */
export interface GitFaults {
  down: boolean
  /** Longest time one call takes. */
  slowMs: Millis
  /** Chance that a single call fails. */
  failing: number
}

interface Tree {
  readonly files: ReadonlyMap<string, string>
}

/** A remote repository in memory: any commit ever made can be read, the branch points at one of them. */
export class SimGit {
  readonly faults: GitFaults = { down: false, slowMs: 20, failing: 0 }
  /** Told of every answer to who asks for the head. */
  onResolved: (by: Incarnation, oid: Oid) => void = () => undefined
  readonly commits = new Map<Oid, SimCommit>()
  readonly #trees = new Map<Oid, Tree>()
  readonly #blobs = new Map<Oid, string>()
  /** The branch as it stands: the last is its head. A force-push takes some away. */
  #branch: SimCommit[] = []

  get head(): SimCommit {
    const head = this.#branch.at(-1)
    if (head === undefined) throw new Error('the repository has no commit yet')
    return head
  }

  get branch(): readonly SimCommit[] {
    return this.#branch
  }

  commit(model: RepoModel, subject: string, at: Millis): SimCommit {
    const parent = this.#branch.at(-1)?.info.oid
    const tree = this.#treeOf(filesOf(model))
    const oid = oidOf(`commit ${tree} ${parent ?? ''} ${subject} ${at}`)
    const info: CommitInfo = { oid, tree, parents: parent === undefined ? [] : [parent], subject, author: 'sim', committedAt: at }
    const commit: SimCommit = { info, model }
    this.commits.set(oid, commit)
    this.#branch.push(commit)
    return commit
  }

  /** Drops the newest `count` commits from the branch, never the first. */
  forceBack(count: number): void {
    this.#branch = this.#branch.slice(0, Math.max(1, this.#branch.length - count))
  }

  get model(): RepoModel {
    return this.#branch.at(-1)?.model ?? EMPTY_REPO
  }

  /** One control plane's clone, which fetches whenever it is asked. */
  open(by: Incarnation): GitRepository {
    const ask = <T>(what: string, answer: () => T): Promise<T> =>
      by.io(
        `git ${what}`,
        () => {
          if (this.faults.down) throw new GitError('Unreachable', 'the remote is down')
          if (by.rng.chance(this.faults.failing)) throw new GitError('Timeout', 'the remote did not answer in time')
          return answer()
        },
        () => by.rng.int(1, this.faults.slowMs),
      )
    return {
      resolve: (_ref, signal) =>
        orAborted(
          ask('resolve', () => this.head.info).then((info) => {
            this.onResolved(by, info.oid)
            return info
          }),
          signal,
        ),
      treeAt: (commit, path) => ask('treeAt', () => this.#subtree(commit, path)),
      files: (tree, signal) =>
        orAborted(
          ask('files', () => this.#files(tree)),
          signal,
        ),
      blob: (oid) => ask('blob', () => new TextEncoder().encode(this.#blobs.get(oid) ?? '')),
      revert: () => Promise.reject(new GitError('Unsupported', 'not simulated')),
      close: async () => undefined,
    }
  }

  #subtree(commit: Oid, path: string): Oid {
    const found = this.commits.get(commit)
    if (found === undefined) throw new GitError('MissingRef', `no commit ${commit}`)
    const below = [...(this.#trees.get(found.info.tree)?.files ?? [])].filter(([file]) => file.startsWith(`${path}/`))
    if (below.length === 0) throw new GitError('MissingPath', `${path} is not in ${commit}`)
    return this.#treeOf(new Map(below.map(([file, text]) => [file.slice(path.length + 1), text])))
  }

  #files(tree: Oid): { files: TreeFile[]; refused: string[] } {
    const found = this.#trees.get(tree)
    if (found === undefined) throw new GitError('Corrupt', `no tree ${tree}`)
    const paths = [...found.files].sort(([a], [b]) => (a < b ? -1 : 1))
    return { files: paths.map(([path, text]) => ({ path, oid: oidOf(`blob ${text}`), mode: 'file', size: text.length })), refused: [] }
  }

  #treeOf(files: ReadonlyMap<string, string>): Oid {
    for (const text of files.values()) this.#blobs.set(oidOf(`blob ${text}`), text)
    const oid = oidOf(JSON.stringify([...files].sort(([a], [b]) => (a < b ? -1 : 1))))
    this.#trees.set(oid, { files })
    return oid
  }
}

const oidOf = (text: string): Oid => createHash('sha1').update(text).digest('hex') as Oid

async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const result = await work
  signal.throwIfAborted()
  return result
}
