import type { Digest, WorkloadKey } from '../../model/ids.ts'
import type { Quarantine, WorkloadRecord } from '../../model/records.ts'
import type { Target } from '../../model/rollout.ts'
import type { TurnContext } from './term.ts'

/** A workload that is brought back: from what it runs (null: it is not there) to what ran before (null: it was not there). */
export interface Move {
  readonly key: WorkloadKey
  readonly app: string
  readonly from: WorkloadRecord | null
  readonly to: Target | null
  /** What a later failure returns to from then on; null: as before. */
  readonly good: Target | null
  /** Who or what did it, as rollouts and people are told. */
  readonly cause: string
}

/** What was left is quarantined: nothing may return to it, nor be refilled with it meanwhile. */
const stillGood = (before: WorkloadRecord | undefined, left: WorkloadRecord | null): Target | null =>
  before === undefined || before.good?.inputsDigest === left?.inputsDigest ? null : before.good

/** What the quarantine says beside the two sides. */
export type Verdict = Pick<Quarantine, 'reason' | 'actor' | 'because' | 'revisionId' | 'evidence'>

/** Sets the pointer; what becomes of tasks is decided by the rules of any rollout. */
export function writeMove({ key, app, from, to, good, cause }: Move, { term, draft, now }: TurnContext): void {
  const before = term.cluster.workloads.get(key)
  const generation = (before?.generation ?? 0) + 1
  if (to === null) {
    if (from !== null)
      draft.write({ table: 'workloads', id: key, value: { ...from, wanted: false, good: null, generation, updatedAt: now } })
    return
  }
  const { inputsDigest, templateDigest, revision } = to
  const value: WorkloadRecord = {
    ...{ key, app, revision, inputsDigest, templateDigest, cause, generation },
    file: before?.file ?? '',
    wanted: true,
    intent: 'Restore',
    good: good ?? stillGood(before, from),
    createdAt: before?.createdAt ?? now,
    updatedAt: now,
  }
  draft.write({ table: 'workloads', id: key, value })
}

/** What git wants is the bad side: of an earlier quarantine if there is one, else what ran until now. */
export function writeQuarantine({ key, app, from, to }: Move, verdict: Verdict, { term, draft, now }: TurnContext): void {
  const before = term.cluster.quarantine.get(key)
  const ran: Digest | null = from?.wanted === true ? from.inputsDigest : null
  const bad = before === undefined ? ran : before.bad
  const good = to?.inputsDigest ?? null
  if (bad === good) {
    draft.write({ table: 'quarantine', id: key, value: null })
    return
  }
  const badRevision = before?.badRevision ?? from?.revision ?? term.cluster.apps.get(app)?.observedRevision ?? ''
  const value: Quarantine = { workload: key, app, bad, good, badRevision, goodRevision: to?.revision ?? '', ...verdict, at: now }
  draft.write({ table: 'quarantine', id: key, value })
}
