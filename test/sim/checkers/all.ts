import type { Checker, MakeChecker } from '../checker.ts'
import { desiredChecker } from './desired.ts'
import { jobsChecker } from './jobs.ts'
import { leadershipChecker } from './leadership.ts'
import { machinesChecker } from './machines.ts'
import { ordersChecker } from './orders.ts'
import { recordsChecker } from './records.ts'
import { rolloutChecker } from './rollout.ts'
import { rolloutsChecker } from './rollouts.ts'

export const CHECKERS: readonly MakeChecker[] = [
  leadershipChecker,
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
    started: (agent, record) => each((one) => one.started?.(agent, record)),
    stopped: (agent, record) => each((one) => one.stopped?.(agent, record)),
    removed: (agent, ref) => each((one) => one.removed?.(agent, ref)),
    delivered: (direction, frame, agent) => each((one) => one.delivered?.(direction, frame, agent)),
  }
}
