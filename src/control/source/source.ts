import type { CommitInfo, GitRepository } from '../../git/git-backend.ts'
import { GitError } from '../../git/git-backend.ts'
import { pollDelay } from '../../git/poll.ts'
import type { Clock } from '../../lib/clock.ts'
import { messageOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { Mailbox } from '../../lib/mailbox.ts'
import { firstOf, pause } from '../../lib/waits.ts'
import type { Millis, Oid } from '../../model/ids.ts'
import type { AppRecord, AppSource } from '../../model/records.ts'
import type { LeadingTerm } from '../leader/lead.ts'
import type { TurnContext } from '../leader/term.ts'
import { RequestError } from '../requests/control-plane.ts'
import { applyRevision, clearSourceError, noteHeldRevision, noteSourceError, policyOf } from './apply.ts'
import type { PlannedSync } from './fingerprint.ts'
import type { RenderedApp, Renderer } from './render.ts'
import type { TreeStore } from './tree-store.ts'

export interface SourceDeps {
  readonly openRepository: (source: AppSource) => Promise<GitRepository>
  readonly packTree: (repo: GitRepository, tree: Oid, signal: AbortSignal) => AsyncIterable<Uint8Array>
  readonly renderer: Renderer
  readonly trees: TreeStore
  readonly clock: Clock
  readonly random: () => number
  readonly pollMs: Millis
  readonly log: Logger
}

/** A person asks for a sync now, and waits for what it wrote. */
interface Ask {
  readonly allowDelete: 'WithinBudget' | 'Any'
  readonly retry: 'No' | 'Quarantined'
  readonly plan: PlannedSync | null
  readonly actor: string
  readonly done: () => void
  readonly failed: (error: unknown) => void
}

const eachOrNone = (asks: readonly Ask[]): (readonly Ask[])[] => (asks.length === 0 ? [[]] : asks.map((ask) => [ask]))

const NOBODY_ASKS = { allowDelete: 'WithinBudget', retry: 'No', plan: null } as const

/** Follows one app's ref for one term: polls, renders what is new, and hands it to the leader's turn. */
export class Source {
  readonly #deps: SourceDeps
  readonly #leading: LeadingTerm
  readonly #app: string
  readonly #asks = new Mailbox<Ask>()
  #repo: Promise<GitRepository> | null = null
  /** Why it follows nothing any more; null while its term lasts. */
  #over: unknown = null

  constructor(app: string, leading: LeadingTerm, deps: SourceDeps) {
    this.#app = app
    this.#leading = leading
    this.#deps = deps
  }

  /** Resolves when a sync that began after this call is committed. @throws what git or the turn said. */
  sync(ask: Pick<Ask, 'allowDelete' | 'retry' | 'plan' | 'actor'>): Promise<void> {
    if (this.#over !== null) return Promise.reject(this.#over)
    return new Promise((resolve, reject) => this.#asks.put({ ...ask, done: resolve, failed: reject }))
  }

  /** Nobody is left waiting for a sync, now or later. */
  end(reason: unknown): void {
    this.#over ??= reason
    for (const ask of this.#asks.takeAll()) ask.failed(reason)
  }

  /** The repository, opened once a term; a failure to open is tried again at the next call. */
  async repository(): Promise<GitRepository> {
    this.#repo ??= this.#deps.openRepository(this.#record().source)
    try {
      return await this.#repo
    } catch (error) {
      this.#repo = null
      throw error
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#follow(signal)
    } finally {
      await this.#close()
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { clock, random, pollMs } = this.#deps
    let failures = 0
    let seen: Oid | null = null
    while (!signal.aborted) {
      // Each by itself: one may bring a plan, another ask for more than that plan says.
      for (const asks of eachOrNone(this.#asks.takeAll())) {
        const answer = await this.#poll(seen, asks, signal)
        failures = answer === 'silent' ? failures + 1 : 0
        if (answer !== 'silent' && answer !== 'refused') seen = answer
      }
      await firstOf(signal, [
        (either) => this.#asks.waitForItem(either),
        (either) => pause(clock, pollDelay({ intervalMs: pollMs, failures, random }), either),
      ])
    }
  }

  /** The commit seen; `silent` when git could not say, `refused` when it could and who asked was turned away. */
  async #poll(seen: Oid | null, asks: readonly Ask[], signal: AbortSignal): Promise<Oid | 'silent' | 'refused'> {
    try {
      const repo = await this.repository()
      const { ref } = this.#record().source
      const commit = await repo.resolve(ref, signal)
      if (commit.oid === seen && asks.length === 0) await this.#inTurn((turn) => clearSourceError(this.#app, turn), 'IfSourceError')
      else await this.#take(repo, commit, { asks, signal })
      for (const ask of asks) ask.done()
      return commit.oid
    } catch (error) {
      for (const ask of asks) ask.failed(error)
      if (error instanceof RequestError) return 'refused'
      if (!signal.aborted) await this.#tellError(error)
      return 'silent'
    }
  }

  async #take(repo: GitRepository, commit: CommitInfo, context: { asks: readonly Ask[]; signal: AbortSignal }): Promise<void> {
    const app = this.#record()
    const { source } = app
    const revision = revisionName(source.ref, commit.oid)
    const [ask] = context.asks
    const held = () => this.#inTurn((turn) => noteHeldRevision(this.#app, revision, turn), 'Always')
    if (app.policy.mode === 'Manual' && ask === undefined) return held()
    const rendered = await this.#deps.renderer.render(repo, { commit: commit.oid, path: source.path }, context.signal)
    // An app that never was synced has no policy yet but the one that comes with the revision.
    if (app.lastAttemptedRevision === null && ask === undefined && policyOf(rendered, app).mode === 'Manual') return held()
    await this.#keepTrees(repo, rendered, context.signal)
    const cause = ask === undefined ? 'poll' : `sync by ${ask.actor}`
    const { allowDelete, retry, plan } = ask ?? NOBODY_ASKS
    const input = { app: this.#app, revision, commit, rendered, allowDelete, retry, plan, cause }
    await this.#inTurn((turn) => applyRevision(input, turn), 'Always')
    this.#deps.log.info(
      { app: this.#app, revision, workloads: rendered.workloads.length, problems: rendered.problems.length },
      'revision taken in',
    )
  }

  /** Before the revision is applied, so that from then on nothing it ships needs git. */
  async #keepTrees(repo: GitRepository, rendered: RenderedApp, signal: AbortSignal): Promise<void> {
    for (const tree of rendered.trees) {
      if ((await this.#deps.trees.has(tree)) === 'No') await this.#deps.trees.put(tree, this.#deps.packTree(repo, tree, signal))
    }
  }

  async #tellError(error: unknown): Promise<void> {
    const code = error instanceof GitError ? error.code : 'Failed'
    this.#deps.log.warn({ app: this.#app, code, error: messageOf(error) }, 'source did not answer')
    await this.#inTurn((turn) => noteSourceError(this.#app, { code, message: messageOf(error) }, turn), 'Always')
  }

  async #inTurn(perform: (turn: TurnContext) => void, when: 'Always' | 'IfSourceError'): Promise<void> {
    if (when === 'IfSourceError' && !this.#record().holds.some((hold) => hold.gate === 'SourceError')) return
    await inTurn(this.#leading, perform)
  }

  #record(): AppRecord {
    const record = this.#leading.term.cluster.apps.get(this.#app)
    if (record === undefined) throw new GitError('MissingRef', `app ${this.#app} is gone`)
    return record
  }

  async #close(): Promise<void> {
    const repo = await this.#repo?.catch(() => null)
    this.#repo = null
    await repo?.close()
  }
}

/** Runs `perform` in the leader's next turn; resolves when what it wrote is committed. */
export function inTurn(leading: LeadingTerm, perform: (turn: TurnContext) => void): Promise<void> {
  return new Promise((resolve, reject) => leading.post({ type: 'request', perform, done: resolve, failed: reject }))
}

/** `main@sha1:<40 hex>`, Flux's way of naming a revision. */
export function revisionName(ref: string, commit: Oid): string {
  return `${ref}@sha1:${commit}`
}
