import type { LRUCache as Lru } from 'lru-cache'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../lib/clock.ts'
import { messageOf } from '../lib/errors.ts'
import { createSemaphore } from '../lib/semaphore.ts'
import type { Oid } from '../model/ids.ts'
import { type Clone, type FetchOptions, fetchTip, findClone, makeClone, recordTip, removeOthers } from './clone.ts'
import { type CommitInfo, GitError, type GitRepository, type RevertOptions } from './git-backend.ts'
import { branchRef, parseRef } from './ref-name.ts'
import { findTip, type RemoteAccess, type Tip } from './remote-access.ts'
import { pushRevert } from './revert-remote.ts'
import { folderAt, listFiles, type Reader, readCommit, readTyped, requireCommit } from './walk.ts'

export interface RemoteOptions {
  readonly access: RemoteAccess
  readonly directory: string
  readonly clock: Clock
  readonly random: () => number
}

/** A read that fails triggers at most one new clone in this time, so that a bad object id cannot keep us cloning. */
const MIN_REPAIR_INTERVAL_MS = 60_000
/** Refs and pinned commits that a new clone brings along. */
const KNOWN_TIPS = 16

const isCode = (error: unknown, ...codes: readonly GitError['code'][]): boolean => error instanceof GitError && codes.includes(error.code)

/** A remote, read through a bare clone that repairs itself by being made anew. */
class RemoteRepository implements GitRepository {
  readonly #options: RemoteOptions
  readonly #known: Lru<string, Tip> = new LRUCache({ max: KNOWN_TIPS })
  readonly #turn = createSemaphore(1)
  readonly #closing = new AbortController()
  #clone: Clone | null
  #repairedAt = Number.NEGATIVE_INFINITY

  constructor(options: RemoteOptions, clone: Clone | null) {
    this.#options = options
    this.#clone = clone
  }

  async resolve(ref: string, signal: AbortSignal): Promise<CommitInfo> {
    const request = parseRef(ref)
    const both = AbortSignal.any([signal, this.#closing.signal])
    const { access } = this.#options
    const tip =
      request.kind === 'commit'
        ? { ref: request.oid, oid: request.oid }
        : await findTip(access, { name: ref, candidates: request.candidates }, both)
    return (await this.#present(tip)) ?? (await this.#turn.run(() => this.#bring(tip, both), both))
  }

  treeAt(commit: Oid, path: string): Promise<Oid> {
    return this.#read(async (reader) => folderAt(reader, (await requireCommit(reader, commit)).tree, path))
  }

  files(tree: Oid, signal: AbortSignal): ReturnType<GitRepository['files']> {
    return this.#read((reader) => listFiles(reader, tree, signal))
  }

  blob(oid: Oid): Promise<Uint8Array> {
    return this.#read((reader) => readTyped(reader, oid, 'blob'))
  }

  async revert(options: RevertOptions, signal: AbortSignal): Promise<Oid> {
    const tip = await this.resolve(branchRef(options.branch), signal)
    const target = await this.resolve(options.target, signal)
    const both = AbortSignal.any([signal, this.#closing.signal])
    const { access, clock, random } = this.#options
    return this.#read((_, clone) => pushRevert({ access, clock, random, clone, tip, target, options, signal: both }))
  }

  async close(): Promise<void> {
    this.#closing.abort(new GitError('Unreachable', 'the repository is closed'))
    await this.#clone?.reader.objects.close()
    await this.#options.access.close()
  }

  /** The commit, if the clone has it and it can be read. */
  async #present(tip: Tip): Promise<CommitInfo | null> {
    const clone = this.#clone
    if (clone === null) return null
    try {
      const commit = await readCommit(clone.reader, tip.oid)
      if (commit !== null) this.#known.set(tip.ref, tip)
      return commit
    } catch (error) {
      if (isCode(error, 'Corrupt')) return null
      throw error
    }
  }

  /** Fetches the commit, or makes the clone anew where that does not help; a smaller step is always tried first. */
  async #bring(tip: Tip, signal: AbortSignal): Promise<CommitInfo> {
    const already = await this.#present(tip)
    if (already !== null) return already
    const clone = this.#clone
    const full = clone === null || (await clone.reader.objects.packs()) >= this.#options.access.caps.packs
    const fetched = full ? null : await this.#fetch(clone, tip, signal)
    return fetched ?? (await this.#replace(tip, signal))
  }

  async #fetch(clone: Clone, tip: Tip, signal: AbortSignal): Promise<CommitInfo | null> {
    try {
      const now = await fetchWanted(clone, tip, { access: this.#options.access, signal })
      const commit = await this.#present(now)
      if (commit !== null) await recordTip(clone.gitdir, now)
      return commit
    } catch (error) {
      // A rewritten history may need more than the limit beside the old one, and a broken clone cannot take anything.
      if (isCode(error, 'Corrupt', 'TooLarge')) return null
      throw error
    }
  }

  async #replace(tip: Tip, signal: AbortSignal): Promise<CommitInfo> {
    const { access, directory, random } = this.#options
    const others = [...this.#known.values()].filter((known) => known.ref !== tip.ref)
    let wanted = tip
    const fill = async (target: Pick<Clone, 'gitdir' | 'cache'>) => {
      wanted = await fetchWanted(target, tip, { access, signal, fresh: true })
      await recordTip(target.gitdir, wanted)
      for (const other of others) await this.#bringAlong(target, other, signal)
    }
    const next = await makeClone({ directory, access, random, fill })
    const before = this.#clone
    this.#clone = next
    await before?.reader.objects.close()
    await removeOthers(directory, next)
    const commit = await readCommit(next.reader, wanted.oid)
    if (commit === null) throw new GitError('MissingRef', `the remote has no commit ${wanted.oid}`)
    this.#known.set(wanted.ref, wanted)
    return commit
  }

  /** What others still use; a ref that has vanished meanwhile is for its own next `resolve` to report. */
  async #bringAlong(target: Pick<Clone, 'gitdir' | 'cache'>, tip: Tip, signal: AbortSignal): Promise<void> {
    try {
      await recordTip(target.gitdir, await fetchWanted(target, tip, { access: this.#options.access, signal, fresh: true }))
    } catch (error) {
      if (!isCode(error, 'MissingRef')) throw error
      this.#known.delete(tip.ref)
    }
  }

  async #read<T>(work: (reader: Reader, clone: Clone) => Promise<T>): Promise<T> {
    const clone = this.#require()
    try {
      return await work(clone.reader, clone)
    } catch (error) {
      // A replaced clone has its files closed under the reader: the same question goes to the new one.
      if (this.#clone === clone && !(await this.#repaired(clone, error))) throw error
    }
    const again = this.#require()
    return work(again.reader, again)
  }

  #require(): Clone {
    if (this.#clone === null) throw new GitError('MissingRef', 'nothing has been fetched yet; resolve a ref first')
    return this.#clone
  }

  /** @returns false when nothing could be done about the error. */
  async #repaired(broken: Clone, error: unknown): Promise<boolean> {
    const [tip] = this.#known.values()
    const now = this.#options.clock.monotonic()
    if (!isCode(error, 'Corrupt') || tip === undefined || now - this.#repairedAt < MIN_REPAIR_INTERVAL_MS) return false
    this.#repairedAt = now
    const { signal } = this.#closing
    try {
      await this.#turn.run(async () => (this.#clone === broken ? this.#replace(tip, signal) : null), signal)
      return true
    } catch (cause) {
      throw new GitError('Corrupt', `${messageOf(error)}; a new clone failed: ${messageOf(cause)}`, { cause })
    }
  }
}

interface WantedOptions extends Omit<FetchOptions, 'history'> {
  /** The clone has nothing yet. */
  readonly fresh?: true
}

const isPinned = (tip: Tip): boolean => tip.ref === tip.oid

/**
 * Fetches a tip and says what it was by then: it may have moved since it was asked for. Servers may refuse to give
 * out a commit by its id; then all branches are fetched with their history.
 */
async function fetchWanted(target: Pick<Clone, 'gitdir' | 'cache'>, tip: Tip, options: WantedOptions): Promise<Tip> {
  const history = options.fresh === true || isPinned(tip) ? 'recent' : 'increment'
  try {
    return { ref: tip.ref, oid: (await fetchTip(target, tip, { ...options, history })) ?? tip.oid }
  } catch (error) {
    if (!isPinned(tip) || !isCode(error, 'MissingRef')) throw error
    await fetchTip(target, tip, { ...options, history: 'whole' })
    return tip
  }
}

/** Opens a remote; an earlier clone in `directory` is used again. Nothing is contacted before the first `resolve`. */
export async function openRemote(options: RemoteOptions): Promise<GitRepository> {
  return new RemoteRepository(options, await findClone(options.directory, options.access))
}
