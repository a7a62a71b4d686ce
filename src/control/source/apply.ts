import { planSync, type SyncInput, type SyncPlan } from '../../core/sync.ts'
import type { CommitInfo } from '../../git/git-backend.ts'
import { digestOf } from '../../lib/canonical.ts'
import { must } from '../../lib/must.ts'
import type { Millis, WorkloadKey } from '../../model/ids.ts'
import { SyncPolicy } from '../../model/manifest.ts'
import type { AppRecord, Hold, WorkloadRecord } from '../../model/records.ts'
import { concludeRevision } from '../leader/app-outcome.ts'
import type { Cluster } from '../leader/cluster.ts'
import { addRevision, effectiveSet, lastGood } from '../leader/history.ts'
import { newestApplied } from '../leader/revisions.ts'
import type { TurnContext } from '../leader/term.ts'
import { assertUnmoved, type PlannedSync } from './fingerprint.ts'
import type { RenderedApp } from './render.ts'

export interface RevisionInput {
  readonly app: string
  readonly revision: string
  readonly commit: CommitInfo
  readonly rendered: RenderedApp
  readonly allowDelete: 'WithinBudget' | 'Any'
  readonly retry: 'No' | 'Quarantined'
  /** What a person saw and agreed to; null: whatever it comes to. */
  readonly plan: PlannedSync | null
  readonly cause: string
}

/** Takes a rendered revision into the cluster as far as the gates let it; the rest is said on the app. @throws RequestError when the plan is of another world. */
export function applyRevision(input: RevisionInput, context: TurnContext): void {
  const { term, draft, now } = context
  const app = must(term.cluster.apps.get(input.app), `app ${input.app}`)
  const policy = policyOf(input.rendered, app)
  const candidate = syncInput(input, { ...app, policy }, { cluster: term.cluster, now })
  const plan = planSync(candidate)
  if (input.plan !== null) assertUnmoved(input.plan, candidate, plan)
  term.read.add(app.name)
  if (plan.apply.length + plan.remove.length > 0) concludeRevision(app.name, context)
  const applied = new Set(plan.apply)
  for (const { wanted, version } of input.rendered.workloads) if (applied.has(wanted)) draft.version(wanted.inputsDigest, version)
  writeWorkloads(input, plan, context)
  for (const key of plan.lift) draft.write({ table: 'quarantine', id: key, value: null })
  draft.write({ table: 'apps', id: app.name, value: { ...app, policy } })
  const recorded = recordRevision(input, context)
  draft.write({ table: 'apps', id: app.name, value: appAfter(input, { ...app, policy, lastRevisionId: recorded }, plan, now) })
}

/** The policy a revision brings; without one the defaults hold, and a broken one leaves the last. */
export function policyOf(rendered: RenderedApp, app: AppRecord): SyncPolicy {
  return rendered.policy ?? (rendered.policyBroken ? app.policy : SyncPolicy.parse({}))
}

type Candidate = Pick<RevisionInput, 'app' | 'revision' | 'rendered' | 'allowDelete' | 'retry'>

export function syncInput(input: Candidate, app: AppRecord, { cluster, now }: { cluster: Cluster; now: Millis }): SyncInput {
  const wanted = input.rendered.workloads.map((workload) => workload.wanted)
  const foreign = wanted.flatMap(({ key }): [WorkloadKey, string][] => {
    const owner = cluster.workloads.get(key)?.app
    return owner === undefined || owner === input.app ? [] : [[key, owner]]
  })
  return {
    app: input.app,
    revision: input.revision,
    policy: app.policy,
    wanted,
    broken: input.rendered.broken,
    problems: input.rendered.problems.length,
    owned: cluster.workloadsOfApp(input.app).filter((record) => record.wanted),
    foreign: new Map(foreign),
    quarantines: [...cluster.quarantine.values()].filter((entry) => entry.app === input.app),
    allowDelete: input.allowDelete,
    retry: input.retry,
    now,
  }
}

function writeWorkloads(input: RevisionInput, plan: SyncPlan, { term, draft, now }: TurnContext): void {
  for (const { key, inputsDigest, templateDigest, file } of plan.apply) {
    const before = term.cluster.workloads.get(key)
    const value: WorkloadRecord = {
      ...{ key, inputsDigest, templateDigest, file },
      app: input.app,
      revision: input.revision,
      wanted: true,
      intent: 'Update',
      cause: input.cause,
      good: before === undefined ? null : lastGood(before, term.cluster),
      generation: (before?.generation ?? 0) + 1,
      createdAt: before?.createdAt ?? now,
      updatedAt: now,
    }
    draft.write({ table: 'workloads', id: key, value })
  }
  for (const key of plan.remove) {
    const before = must(term.cluster.workloads.get(key), `workload ${key}`)
    draft.write({ table: 'workloads', id: key, value: { ...before, wanted: false, generation: before.generation + 1, updatedAt: now } })
  }
}

/**
 * Adds a line to the history when what runs is to change, or when the revision is refused as a whole.
 * Returns the newest revision's id.
 */
function recordRevision(input: RevisionInput, { term, draft, now }: TurnContext): number {
  const newest = term.cluster.revisionsOfApp(input.app)[0]
  const applied = newestApplied(input.app, term.cluster)
  const rendered = effectiveSet(input.app, term.cluster)
  const digest = digestOf(rendered)
  const { revision, app, cause, commit } = input
  const line = { app, revision, cause, commit: commit.oid, subject: commit.subject, deadlineAt: deadlineOf(app, { term, now }) }
  if (isRefused(input, term.cluster.apps.get(app)?.policy)) {
    return newest?.revision === revision ? newest.id : addRevision({ ...line, rendered: null }, { term, draft, now })
  }
  if (newest !== undefined && applied?.rendered === digest) return newest.id
  draft.rendered(digest, rendered)
  return addRevision({ ...line, rendered: digest }, { term, draft, now })
}

/** Until when an atomic revision must be healthy. */
function deadlineOf(app: string, { term, now }: Pick<TurnContext, 'term' | 'now'>): Millis | null {
  const policy = term.cluster.apps.get(app)?.policy
  return policy?.atomic === true ? now + policy.deadlineSeconds * 1000 : null
}

/** With a mistake nothing of an atomic app is applied, and of another what is sound; there may be nothing sound. */
function isRefused({ rendered }: RevisionInput, policy: SyncPolicy | undefined): boolean {
  return rendered.problems.length > 0 && (rendered.workloads.length === 0 || policy?.atomic === true)
}

function appAfter(input: RevisionInput, app: AppRecord, plan: SyncPlan, now: number): AppRecord {
  const problems = [...input.rendered.problems]
  const holds =
    problems.length === 0 ? [...plan.holds] : [invalid(input, app, now), ...plan.holds.filter((hold) => hold.gate !== 'InvalidManifests')]
  return {
    ...app,
    observedRevision: input.revision,
    lastAttemptedRevision: input.revision,
    lastAppliedRevision: holds.length === 0 ? input.revision : app.lastAppliedRevision,
    problems,
    holds: keepSince(holds, app.holds),
  }
}

function invalid(input: RevisionInput, { policy }: AppRecord, now: number): Hold {
  const count = input.rendered.problems.length
  const applied = policy.atomic ? 'nothing of it was applied, for the app is atomic' : 'what is sound was applied, nothing was removed'
  return {
    gate: 'InvalidManifests',
    message: `${input.revision} holds ${count} mistake${count === 1 ? '' : 's'}; ${applied}`,
    since: now,
    unblockBy: 'mend the manifests and push',
  }
}

/** A hold that goes on keeps the time it began. */
function keepSince(holds: readonly Hold[], before: readonly Hold[]): Hold[] {
  return holds.map((hold) => ({
    ...hold,
    since: before.find((old) => old.gate === hold.gate && old.message === hold.message)?.since ?? hold.since,
  }))
}

/** Git could not say: nothing changes but what people are told. */
export function noteSourceError(name: string, error: { code: string; message: string }, { term, draft, now }: TurnContext): void {
  const app = must(term.cluster.apps.get(name), `app ${name}`)
  const hold: Hold = {
    gate: 'SourceError',
    message: `${error.code}: ${error.message}`,
    since: now,
    unblockBy: 'nothing stops meanwhile; it is tried again by itself',
  }
  const holds = keepSince([hold, ...app.holds.filter((old) => old.gate !== 'SourceError')], app.holds)
  if (JSON.stringify(holds) === JSON.stringify(app.holds)) return
  draft.write({ table: 'apps', id: name, value: { ...app, holds } })
  draft.event({ object: `app/${name}`, app: name, reason: 'SourceError', message: hold.message, level: 'Warning', actor: 'drover' }, now)
}

/** The source answers again and has nothing new. */
export function clearSourceError(name: string, { term, draft }: TurnContext): void {
  const app = term.cluster.apps.get(name)
  if (app === undefined || !app.holds.some((hold) => hold.gate === 'SourceError')) return
  draft.write({ table: 'apps', id: name, value: { ...app, holds: app.holds.filter((hold) => hold.gate !== 'SourceError') } })
}

/** A newer commit is there, and the app's policy wants a person to say so. */
export function noteHeldRevision(name: string, revision: string, { term, draft, now }: TurnContext): void {
  const app = must(term.cluster.apps.get(name), `app ${name}`)
  term.read.add(name)
  const message = `${revision} waits for a manual sync`
  const held =
    app.lastAttemptedRevision === revision ? [] : [{ gate: 'Manual' as const, message, since: now, unblockBy: `drover sync ${name}` }]
  const holds = keepSince([...held, ...app.holds.filter((hold) => hold.gate !== 'Manual' && hold.gate !== 'SourceError')], app.holds)
  const value: AppRecord = { ...app, observedRevision: revision, holds }
  if (JSON.stringify(value) !== JSON.stringify(app)) draft.write({ table: 'apps', id: name, value })
}
