import type { Checker, MakeChecker } from '../checker.ts'
import { desiredChecker } from './desired.ts'
import { failureChecker } from './failure.ts'
import { jobsChecker } from './jobs.ts'
import { leadershipChecker, turnsChecker } from './leadership.ts'
import { machinesChecker } from './machines.ts'
import { ordersChecker } from './orders.ts'
import { recordsChecker } from './records.ts'
import { revisionsChecker } from './revisions.ts'
import { rolloutChecker } from './rollout.ts'
import { rolloutsChecker } from './rollouts.ts'
import { silenceChecker } from './silence.ts'

export const CHECKERS: readonly MakeChecker[] = [
  leadershipChecker,
  turnsChecker,
  silenceChecker,
  failureChecker,
  revisionsChecker,
  recordsChecker,
  machinesChecker,
  rolloutChecker,
  rolloutsChecker,
  desiredChecker,
  jobsChecker,
  ordersChecker,
]

/** Every checker as one. */
export function together(checkers: readonly Checker[]): Required<Checker> {
  const each = (tell: (one: Checker) => void) => {
    for (const one of checkers) tell(one)
  }
  return {
    committed: (commit) => each((one) => one.committed?.(commit)),
    leads: (by, leadership) => each((one) => one.leads?.(by, leadership)),
    told: (by, txn, result) => each((one) => one.told?.(by, txn, result)),
    resolved: (by, oid) => each((one) => one.resolved?.(by, oid)),
    started: (agent, record) => each((one) => one.started?.(agent, record)),
    stopped: (agent, record) => each((one) => one.stopped?.(agent, record)),
    removed: (agent, ref) => each((one) => one.removed?.(agent, ref)),
    delivered: (delivery) => each((one) => one.delivered?.(delivery)),
  }
}
