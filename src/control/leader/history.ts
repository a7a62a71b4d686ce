import { isOpen } from '../../core/returns.ts'
import { goodNow } from '../../core/rollout/follow.ts'
import type { Millis } from '../../model/ids.ts'
import type { Rendered, RevisionRecord, WorkloadRecord } from '../../model/records.ts'
import type { Target } from '../../model/rollout.ts'
import type { Cluster } from './cluster.ts'
import { isUnderWay, newestApplied } from './revisions.ts'
import type { Term, TurnContext } from './term.ts'

/** Until when an atomic revision must be healthy: a leader that comes later gives it as long again, for nobody looked before. Null: it has no deadline. */
export function deadlineOf({ app, deadlineAt }: RevisionRecord, { cluster, ledSince }: Pick<Term, 'cluster' | 'ledSince'>): Millis | null {
  const seconds = cluster.apps.get(app)?.policy.deadlineSeconds ?? 0
  return deadlineAt === null ? null : Math.max(deadlineAt, ledSince + seconds * 1000)
}

/** What a later failure of this workload would return to; of an atomic revision no part proves itself alone. */
export function lastGood(record: WorkloadRecord, cluster: Cluster): Target | null {
  return isUnderWay(record.app, cluster) ? record.good : goodNow(record, cluster.rolloutsOfWorkload(record.key))
}

export function revisionKey(record: Pick<RevisionRecord, 'app' | 'id'>): string {
  return `${record.app}/${String(record.id).padStart(8, '0')}`
}

/** What runs once this revision is applied: held and broken workloads stay as they are. */
export function effectiveSet(app: string, cluster: Cluster): Rendered {
  const wanted = cluster.workloadsOfApp(app).filter((record) => record.wanted)
  return { workloads: Object.fromEntries(wanted.map((record) => [record.key, record.inputsDigest])) }
}

/** Characters; git sets no limit to the first line of a message, the store does to a record. */
const SUBJECT_MAX = 300

/** `rendered: null` says that nothing of it could be applied. */
type NewRevision = Pick<RevisionRecord, 'app' | 'revision' | 'commit' | 'subject' | 'cause' | 'rendered' | 'deadlineAt'>

/** Adds a line to the history; an unfinished one before it was superseded. Returns its id. */
export function addRevision(revision: NewRevision, { term, draft, now }: Pick<TurnContext, 'term' | 'draft' | 'now'>): number {
  const all = term.cluster.revisionsOfApp(revision.app)
  const rejected = revision.rendered === null
  const applied = newestApplied(revision.app, term.cluster)
  if (applied !== undefined && !rejected && isOpen(applied)) {
    draft.write({ table: 'revisions', id: revisionKey(applied), value: { ...applied, outcome: 'Superseded', finishedAt: now } })
  }
  const id = (all[0]?.id ?? 0) + 1
  const value: RevisionRecord = {
    ...revision,
    subject: revision.subject.slice(0, SUBJECT_MAX),
    id,
    outcome: rejected ? 'Rejected' : 'Progressing',
    reason: null,
    startedAt: now,
    finishedAt: rejected ? now : null,
  }
  draft.write({ table: 'revisions', id: revisionKey(value), value })
  draft.touched.apps.add(revision.app)
  draft.event(
    {
      object: `app/${revision.app}`,
      app: revision.app,
      reason: rejected ? 'Rejected' : 'Applied',
      message: `${revision.revision} ${revision.subject}`,
      level: rejected ? 'Warning' : 'Normal',
      actor: revision.cause,
    },
    now,
  )
  return id
}
