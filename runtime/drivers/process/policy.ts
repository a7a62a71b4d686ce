import { TerminalError } from '../../../src/lib/errors.ts'
import { must } from '../../../src/lib/must.ts'
import type { Isolation } from '../../../src/model/process.ts'
import type { ProcessPolicy } from '../../../src/model/process-policy.ts'
import type { TaskSpec, UnitSpec } from '../../../src/model/task-spec.ts'
import type { Facts } from './facts.ts'
import { type Account, resolveUser } from './users.ts'

/** The one unit; the manifest's schema holds a task to one until several are run. */
export function unitOf(spec: TaskSpec): UnitSpec {
  if (spec.units.length !== 1) throw new TerminalError('UnsupportedSpec', 'a process task has exactly one process')
  const unit = must(spec.units[0], 'a task has a unit')
  if (unit.mounts.length > 0) throw new TerminalError('UnsupportedSpec', 'a process cannot have volumes mounted')
  return unit
}

/** By number: distributions name it alike, but not its group. A sandbox of root's could still read what root owns. */
const NOBODY = '65534'

interface Runner {
  readonly unit: UnitSpec
  readonly isolation: Isolation
}

/** Null: the agent's own user. @throws TerminalError `UserNotAllowed` */
function userFor({ unit, isolation }: Runner, { users, defaultUser }: ProcessPolicy, facts: Facts): string | null {
  if (unit.user !== undefined && users !== undefined && !users.includes(unit.user))
    throw new TerminalError('UserNotAllowed', `the agent does not let tasks run as ${unit.user}`)
  const named = unit.user ?? defaultUser
  if (named !== undefined) return named
  if (isolation === 'sandbox' && facts.uid === 0) return NOBODY
  if (users !== undefined) throw new TerminalError('UserNotAllowed', `the agent wants a task to name its user: ${users.join(', ')}`)
  return null
}

/**
 * Who the task is to run as; null: as the agent itself does.
 * @throws TerminalError `UserNotAllowed`, `UserNotFound`, `RootNotAllowed`.
 */
export async function accountFor(runner: Runner, policy: ProcessPolicy, facts: Facts): Promise<Account | null> {
  const named = userFor(runner, policy, facts)
  const account = named === null ? null : await resolveUser(named)
  if (policy.runAsNonRoot && (account?.uid ?? facts.uid) === 0) {
    throw new TerminalError('RootNotAllowed', 'the agent does not let tasks run as root: name another user')
  }
  if (account === null || (account.uid === facts.uid && account.gid === facts.gid)) return null
  if (facts.uid !== 0) throw new TerminalError('UserNotAllowed', `an agent that is not root cannot run a task as ${named}`)
  if (facts.setpriv === null) throw new TerminalError('UserNotAllowed', 'running a task as another user needs setpriv (util-linux)')
  return account
}
