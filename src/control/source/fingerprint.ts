import type { SyncInput, SyncPlan } from '../../core/sync.ts'
import { digestOf } from '../../lib/canonical.ts'
import { RequestError } from '../requests/control-plane.ts'

/** A plan that a person saw: the revision it is of, and what it was made from. */
export interface PlannedSync {
  readonly revision: string
  readonly fingerprint: string
}

/** Of everything a sync starts from and would do; holds are told by time too, which is no part of it. */
export function fingerprintOf({ app, revision, owned, quarantines, policy }: SyncInput, plan: SyncPlan): string {
  return digestOf({
    app,
    revision,
    policy,
    live: owned.map(({ key, inputsDigest, generation }) => [key, inputsDigest, generation]).sort(),
    quarantined: quarantines.map(({ workload, bad }) => [workload, bad]).sort(),
    apply: plan.apply.map(({ key, inputsDigest }) => [key, inputsDigest]),
    remove: plan.remove,
    lift: plan.lift,
    holds: plan.holds.map(({ gate, message }) => [gate, message]),
  })
}

/** @throws RequestError `Conflict` when git or the cluster is not what the plan was made from. */
export function assertUnmoved(planned: PlannedSync, input: SyncInput, plan: SyncPlan): void {
  if (planned.revision !== input.revision)
    throw new RequestError('Conflict', `the plan is of ${planned.revision}, and git is at ${input.revision} by now`)
  if (planned.fingerprint !== fingerprintOf(input, plan))
    throw new RequestError('Conflict', `what ${input.app} runs has changed since this plan of ${input.revision} was made`)
}
