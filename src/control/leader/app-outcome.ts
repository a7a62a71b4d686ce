import { worstHealth } from '../../core/health.ts'
import { hasProved, isOpen, provedAtDeadline } from '../../core/returns.ts'
import { ABORTED, isFinished } from '../../core/rollout/step.ts'
import { holdsAfterReturn } from '../../core/sync.ts'
import { digestOf } from '../../lib/canonical.ts'
import { must } from '../../lib/must.ts'
import type { Millis } from '../../model/ids.ts'
import type { Quarantine, RevisionRecord, WorkloadRecord } from '../../model/records.ts'
import type { Health } from '../../model/views.ts'
import { addRevision, deadlineOf, effectiveSet, revisionKey } from './history.ts'
import { newestApplied } from './revisions.ts'
import { returnInput, takeBack } from './take-back.ts'
import type { Term, TurnContext } from './term.ts'

/** The app as a whole: its worst workload; an app that never had one is Missing. */
export function appHealth(app: string, term: Term): Health {
  const healths = term.cluster.workloadsOfApp(app).map((record) => term.healths.get(record.key)?.health ?? 'Unknown')
  return healths.length === 0 && (term.cluster.apps.get(app)?.lastRevisionId ?? 0) === 0 ? 'Missing' : worstHealth(healths)
}

/** Once the workloads of a turn are decided: what failed goes back, and the history says what became of the revision. */
export function settleApp(app: string, context: TurnContext): void {
  const { term, draft, now } = context
  // What went back may take others along, and all of it is one line of the history.
  if (takeBack(app, context, 'FailedOrLate') === 'Some') {
    draft.touched.apps.add(app)
    return
  }
  settleRevision(app, context)
  const deadline = openDeadline(app, term)
  term.appWakes.set(app, deadline !== null && deadline > now ? deadline : null)
}

function openDeadline(app: string, term: Term): Millis | null {
  const newest = newestApplied(app, term.cluster)
  return newest !== undefined && isOpen(newest) ? deadlineOf(newest, term) : null
}

/** Healthy means that all it asked for was live and healthy at once; that stays true of it, whatever happens later. */
function settleRevision(app: string, context: TurnContext): void {
  const { term } = context
  const newest = newestApplied(app, term.cluster)
  if (newest === undefined || newest.outcome === 'Superseded') return
  const failures = [...term.cluster.quarantine.values()].filter((entry) => entry.app === app && entry.revisionId === newest.id)
  if (failures.length > 0) {
    endRolledBack(newest, failures, context)
    return
  }
  if (!isOpen(newest)) return
  const outcome = outcomeOf(app, term)
  if (outcome !== 'Healthy' && closeAtDeadline(newest, context) === 'Closed') return
  if (outcome === newest.outcome) return
  endAs(newest, { outcome, reason: null, finishedAt: outcome === 'Healthy' ? context.now : null }, context)
  if (outcome === 'Healthy') prove(term.cluster.workloadsOfApp(app), context)
}

/** At its deadline an atomic revision is decided, once: what it brought went back, or is good from now on. */
function closeAtDeadline(newest: RevisionRecord, context: TurnContext): 'Open' | 'Closed' {
  const { term, now } = context
  const deadline = deadlineOf(newest, term)
  const input = deadline === null || now < deadline ? null : returnInput(newest.app, context, 'FailedOrLate')
  const proved = input === null ? null : provedAtDeadline(input)
  if (proved === null) return 'Open'
  const staying = term.cluster.workloadsOfApp(newest.app).filter(({ wanted }) => wanted)
  const isHealthy = staying.every(({ key }) => term.healths.get(key)?.health === 'Healthy') && !hasFailed(newest.app, term)
  endAs(newest, { outcome: isHealthy ? 'Healthy' : 'Degraded', reason: null, finishedAt: now }, context)
  prove(proved, context)
  return 'Closed'
}

function outcomeOf(app: string, term: Term): RevisionRecord['outcome'] {
  const health = appHealth(app, term)
  if (health === 'Healthy' && !isRolling(app, term)) return hasFailed(app, term) ? 'Degraded' : 'Healthy'
  return health === 'Degraded' ? 'Degraded' : 'Progressing'
}

/** What failed and was held may be well for a moment, between two crashes. */
function hasFailed(app: string, { cluster }: Term): boolean {
  return [...cluster.failing].some((key) => {
    const record = cluster.workloads.get(key)
    const [newest] = cluster.rolloutsOfWorkload(key)
    return record?.app === app && record.wanted && newest?.generation === record.generation && newest.state.phase === 'Failed'
  })
}

/** A rollout that is not over may still go back. */
function isRolling(app: string, { cluster }: Term): boolean {
  return cluster.workloadsOfApp(app).some(({ key }) => cluster.rolloutsOfWorkload(key).some((rollout) => !isFinished(rollout)))
}

type End = Pick<RevisionRecord, 'outcome' | 'reason' | 'finishedAt'>

function endAs(record: RevisionRecord, end: End, { draft, now }: TurnContext): void {
  const { outcome, reason } = end
  draft.write({ table: 'revisions', id: revisionKey(record), value: { ...record, ...end } })
  if (outcome === 'Progressing') return
  const object = `app/${record.app}`
  const message = `${record.revision} is ${outcome}${reason === null ? '' : `: ${reason}`}`
  const level = outcome === 'Healthy' ? 'Normal' : 'Warning'
  draft.event({ object, app: record.app, reason: outcome, message, level, actor: 'drover' }, now)
}

/** What a healthy revision runs is good now: what an atomic app would return to. */
function prove(records: readonly WorkloadRecord[], { draft }: TurnContext): void {
  for (const record of records) {
    const { inputsDigest, templateDigest, revision } = record
    if (!record.wanted || record.good?.inputsDigest === inputsDigest) continue
    draft.write({ table: 'workloads', id: record.key, value: { ...record, good: { inputsDigest, templateDigest, revision } } })
  }
}

/** Before something else takes its place: what is well now was good, although it had not yet shown that it stays so. */
export function concludeRevision(app: string, context: TurnContext): void {
  const newest = newestApplied(app, context.term.cluster)
  if (newest === undefined || !isOpen(newest) || appHealth(app, context.term) !== 'Healthy' || hasFailed(app, context.term)) return
  endAs(newest, { outcome: 'Healthy', reason: null, finishedAt: context.now }, context)
  prove(context.term.cluster.workloadsOfApp(app), context)
}

/** Some or all of it went back, so what runs now is another line of the history. */
function endRolledBack(failed: RevisionRecord, failures: readonly Quarantine[], context: TurnContext): void {
  const { term, draft, now } = context
  const root = failures.find((entry) => entry.because === null) ?? must(failures[0], 'a failure')
  endAs(failed, { outcome: 'RolledBack', reason: `${root.workload}: ${root.reason}`, finishedAt: now }, context)
  const rendered = effectiveSet(failed.app, term.cluster)
  const digest = digestOf(rendered)
  draft.rendered(digest, rendered)
  const good = term.cluster.revisionsOfApp(failed.app).find(hasProved)
  // Where everything went back, what runs now is that very revision; else it is the failed one without what failed.
  const { revision, commit, subject } = good?.rendered === digest ? good : failed
  const who = root.reason.startsWith(`${ABORTED}:`) ? 'rollback' : 'automatic rollback'
  const cause = `${who} of revision ${failed.id}`
  const id = addRevision({ app: failed.app, revision, commit, subject, cause, rendered: digest, deadlineAt: null }, context)
  const app = must(term.cluster.apps.get(failed.app), `app ${failed.app}`)
  const quarantines = [...term.cluster.quarantine.values()].filter((entry) => entry.app === app.name)
  const holds = holdsAfterReturn(app.holds, quarantines, now)
  const lastAppliedRevision = good?.revision ?? app.lastAppliedRevision
  draft.write({ table: 'apps', id: app.name, value: { ...app, lastRevisionId: id, lastAppliedRevision, holds } })
}
