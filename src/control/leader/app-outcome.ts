import { worstHealth } from '../../core/health.ts'
import type { RevisionRecord } from '../../model/records.ts'
import type { Health } from '../../model/views.ts'
import type { Term, TurnContext } from './term.ts'

/** The app as a whole: its worst workload; an app that never had one is Missing. */
export function appHealth(app: string, term: Term): Health {
  const healths = term.cluster.workloadsOfApp(app).map((record) => term.healths.get(record.key)?.health ?? 'Unknown')
  return healths.length === 0 && (term.cluster.apps.get(app)?.lastRevisionId ?? 0) === 0 ? 'Missing' : worstHealth(healths)
}

/** The newest revision of which anything was applied; one that was refused as a whole changes nothing. */
export function newestApplied(app: string, { cluster }: Pick<Term, 'cluster'>): RevisionRecord | undefined {
  return cluster.revisionsOfApp(app).find((record) => record.outcome !== 'Rejected')
}

/** The outcome of what runs says what is true now: Healthy only when all it asked for is live and healthy. */
export function settleRevision(app: string, { term, draft, now }: TurnContext): void {
  const newest = newestApplied(app, term)
  if (newest === undefined || newest.outcome === 'Superseded') return
  const outcome = outcomeOf(appHealth(app, term))
  if (outcome === newest.outcome) return
  const value: RevisionRecord = { ...newest, outcome, finishedAt: outcome === 'Healthy' ? (newest.finishedAt ?? now) : newest.finishedAt }
  draft.write({ table: 'revisions', id: revisionKey(value), value })
  if (outcome === 'Progressing') return
  draft.event(
    {
      object: `app/${app}`,
      app,
      reason: outcome,
      message: `${newest.revision} is ${outcome}`,
      level: outcome === 'Healthy' ? 'Normal' : 'Warning',
      actor: 'drover',
    },
    now,
  )
}

function outcomeOf(health: Health): RevisionRecord['outcome'] {
  if (health === 'Healthy' || health === 'Suspended') return 'Healthy'
  return health === 'Degraded' ? 'Degraded' : 'Progressing'
}

export function revisionKey(record: Pick<RevisionRecord, 'app' | 'id'>): string {
  return `${record.app}/${String(record.id).padStart(8, '0')}`
}
