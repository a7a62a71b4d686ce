import { hasProved } from '../../core/returns.ts'
import { holdsAfterReturn } from '../../core/sync.ts'
import { must } from '../../lib/must.ts'
import type { Digest, WorkloadKey } from '../../model/ids.ts'
import type { AppRecord, Hold, Rendered, RevisionRecord } from '../../model/records.ts'
import type { Target } from '../../model/rollout.ts'
import type { WorkloadVersion } from '../../model/version.ts'
import { addRevision } from '../leader/history.ts'
import { type Move, writeMove, writeQuarantine } from '../leader/moves.ts'
import type { TurnContext } from '../leader/term.ts'
import { templateDigestOf } from '../source/render.ts'
import { RequestError } from './control-plane.ts'

/** A history id, a commit of at least four digits, or a whole `ref@sha1:...`; newest match first. */
export function findRevision(revisions: readonly RevisionRecord[], to: string): RevisionRecord {
  const commit = to.includes('@sha1:') ? to.slice(to.indexOf('@sha1:') + 6) : to
  const found =
    revisions.find((record) => String(record.id) === to) ??
    revisions.find((record) => commit.length >= 4 && record.commit.startsWith(commit))
  if (found === undefined)
    throw new RequestError('NotFound', `no revision ${to} in the history; see \`drover history ${revisions[0]?.app ?? 'APP'}\``)
  if (found.rendered === null) throw new RequestError('Conflict', `revision ${found.id} was refused, nothing of it ever ran`)
  return found
}

export interface RollbackInput {
  readonly app: string
  readonly target: RevisionRecord
  readonly rendered: Rendered
  readonly versions: ReadonlyMap<Digest, WorkloadVersion>
  readonly actor: string
}

/**
 * Brings an app back to what a revision ran, from the store alone. What git wants instead is quarantined, so
 * automatic sync stays on and does not fight it; the next commit that changes those inputs lifts that.
 */
export function rollBack(input: RollbackInput, context: TurnContext): void {
  const { term, draft, now } = context
  const moves = movesOf(input, context)
  if (moves.length === 0) throw new RequestError('Conflict', `${input.app} already runs what revision ${input.target.id} ran`)
  for (const { key } of moves) assertOwn(key, input, context)
  for (const [digest, version] of input.versions) draft.version(digest, version)
  draft.rendered(must(input.target.rendered, 'a revision that ran has a rendered set'), input.rendered)
  // A turn may be cut between two transactions: what is quarantined and not yet moved is rolled back by the next try.
  const verdict = { reason: `rolled back by ${input.actor}`, actor: input.actor, because: null, revisionId: null, evidence: [] }
  for (const move of moves) writeQuarantine(move, verdict, context)
  for (const move of moves) writeMove(move, context)
  const { revision, commit, subject, rendered } = input.target
  const id = addRevision(
    { app: input.app, revision, commit, subject, rendered, deadlineAt: null, cause: `rollback to ${input.target.id} by ${input.actor}` },
    context,
  )
  const app = must(term.cluster.apps.get(input.app), `app ${input.app}`)
  const quarantines = [...term.cluster.quarantine.values()].filter((entry) => entry.app === input.app)
  const holds = holdsAfterReturn(app.holds, quarantines, now)
  draft.write({
    table: 'apps',
    id: app.name,
    value: {
      ...app,
      lastRevisionId: id,
      lastAttemptedRevision: revision,
      lastAppliedRevision: appliedAfter(app, { revision, holds }),
      holds,
    },
  })
}

/** Without a quarantine left all runs as git says, although it was a rollback that brought it there. */
function appliedAfter(app: AppRecord, { revision, holds }: { revision: string; holds: readonly Hold[] }): string {
  return holds.length === 0 ? (app.observedRevision ?? revision) : revision
}

function movesOf(input: RollbackInput, { term }: TurnContext): Move[] {
  const live = new Map(term.cluster.workloadsOfApp(input.app).map((record) => [record.key, record]))
  const target = new Map(Object.entries(input.rendered.workloads) as [WorkloadKey, Digest][])
  const cause = `rollback to ${input.target.id} by ${input.actor}`
  return [...new Set([...live.keys(), ...target.keys()])].flatMap((key): Move[] => {
    const record = live.get(key)
    const from = record?.wanted === true ? record : null
    const digest = target.get(key) ?? null
    if ((from?.inputsDigest ?? null) === digest) return []
    const to = digest === null ? null : versionAt(digest, input)
    // Whoever left a version does not want a later failure to bring it back.
    return [{ key, app: input.app, from, to, good: hasProved(input.target) ? to : null, cause }]
  })
}

function versionAt(inputsDigest: Digest, { versions, target }: RollbackInput): Target {
  const version = must(versions.get(inputsDigest), `version ${inputsDigest} was read`)
  return { inputsDigest, templateDigest: templateDigestOf(version), revision: target.revision }
}

/** Asked of all before the first write, for a rollback is done as a whole or not at all. */
function assertOwn(key: WorkloadKey, { app }: RollbackInput, { term }: TurnContext): void {
  const owner = term.cluster.workloads.get(key)?.app ?? app
  if (owner !== app) throw new RequestError('Conflict', `${key} belongs to app ${owner} by now`)
}
