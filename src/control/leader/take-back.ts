import { gaveWay, TAKEN_BACK } from '../../core/batch/run-record.ts'
import { type Member, planReturns, type Return, type ReturnInput } from '../../core/returns.ts'
import { ABORTED, advance } from '../../core/rollout/step.ts'
import { currentRollout, type WorkloadState } from '../../core/workload.ts'
import type { RevisionRecord } from '../../model/records.ts'
import type { Failure } from '../../model/rollout.ts'
import { deadlineOf } from './history.ts'
import { writeMove, writeQuarantine } from './moves.ts'
import { objectOf } from './object-name.ts'
import { isUnderWay, newestApplied } from './revisions.ts'
import type { Term, TurnContext } from './term.ts'
import { workloadState } from './workload-state.ts'

/** Who is late is known once all were looked at; that something failed is known before. */
type Asked = 'Failed' | 'FailedOrLate'

/** Workloads of an app that failed go back to what was good, and git is kept from bringing the same again. */
export function takeBack(app: string, context: TurnContext, asked: Asked): 'None' | 'Some' {
  const input = returnInput(app, context, asked)
  if (input === null) return 'None'
  const returns = planReturns(input)
  for (const item of returns) goBack(item, input.revision, context)
  return returns.length === 0 ? 'None' : 'Some'
}

/** What is known of an app's newest revision and those it brought; null before there is one. */
export function returnInput(app: string, context: TurnContext, asked: Asked): ReturnInput | null {
  const { term, now } = context
  const revision = newestApplied(app, term.cluster)
  const record = term.cluster.apps.get(app)
  if (revision === undefined || record === undefined) return null
  const deadline = deadlineOf(revision, term)
  const deadlineAt = deadline !== null && asked === 'Failed' ? Number.POSITIVE_INFINITY : deadline
  return { policy: record.policy, revision: { ...revision, deadlineAt }, members: membersOf(app, context), now }
}

/** Of an atomic revision all of it; else only those that a failed rollout makes a question of. */
function membersOf(app: string, { term, now }: TurnContext): Member[] {
  const { cluster } = term
  const keys = isUnderWay(app, cluster)
    ? cluster.workloadsOfApp(app).map(({ key }) => key)
    : [...cluster.failing].filter((key) => cluster.workloads.get(key)?.app === app)
  return keys.flatMap((key) => {
    const state = workloadState(key, { term, now })
    return state === null ? [] : [memberOf(state, term)]
  })
}

function memberOf(state: WorkloadState, { healths }: Term): Member {
  const { record, version, run } = state
  return { record, version, run, health: healths.get(record.key)?.health ?? 'Unknown', rollout: currentRollout(state) }
}

function goBack({ record, to, failure }: Return, revision: Pick<RevisionRecord, 'id'>, context: TurnContext): void {
  const { draft, now } = context
  const { key, app } = record
  const reason = `${failure.code}: ${failure.message}`
  const cause = failure.code === ABORTED ? `rollback: ${failure.message}` : `automatic rollback: ${failure.code}`
  const move = { key, app, from: record, to, good: null, cause }
  const { because, evidence } = failure
  writeQuarantine(move, { reason, actor: 'drover', because, evidence, revisionId: revision.id }, context)
  writeMove(move, context)
  // After the move: of a turn that is cut in between, a rollout that still counts as failed is no harm.
  tellRollout(record, failure, context)
  tellRun(record, context)
  draft.event({ object: objectOf(key), app, reason: 'RolledBack', message: reason, level: 'Warning', actor: 'drover' }, now)
}

/** A run that failed with what went back is no verdict on its template: it may be tried again with what mends the rest. */
function tellRun({ key, templateDigest }: Return['record'], { term, draft }: TurnContext): void {
  const failed = term.cluster.runsOfWorkload(key).filter((run) => run.phase === 'Failed' && run.templateDigest === templateDigest)
  for (const run of failed) if (!gaveWay(run)) draft.write({ table: 'runs', id: run.id, value: { ...run, reason: TAKEN_BACK } })
}

function tellRollout({ key, generation }: Return['record'], failure: Failure, { term, draft, now }: TurnContext): void {
  const [newest] = term.cluster.rolloutsOfWorkload(key)
  if (newest === undefined || newest.generation !== generation) return
  draft.write({ table: 'rollouts', id: newest.id, value: advance(newest, { type: 'returned', failure }, now) })
}
