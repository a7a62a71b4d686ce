import type { UnitSpec } from '../../../src/model/task-spec.ts'
import type { AttemptRef } from '../../driver.ts'
import { type OpenedSecrets, plainAll } from '../../secrets.ts'
import type { Context } from './context.ts'
import type { Facts } from './facts.ts'
import { type AttemptPaths, MARK_VARIABLE, markOf } from './names.ts'
import { DEFAULT_PATH } from './policy.ts'
import type { Environment } from './secret-env.ts'
import type { Account } from './users.ts'
import { type Home, homeIn } from './work.ts'

/** As whom, where and with which environment the programs of an attempt run: its task, and the commands of its probes. */

/** `setpriv` and its options: never more rights than at the start, and another user's at most with its groups. */
export function wrapperFor(account: Account | null, { setpriv }: Facts): string[] {
  if (setpriv === null) return []
  if (account === null) return [setpriv, '--no-new-privs']
  const groups = account.listed ? '--init-groups' : '--clear-groups'
  const ids = [`--reuid=${account.uid}`, `--regid=${account.gid}`, groups]
  return [setpriv, ...ids, '--inh-caps=-all', '--bounding-set=-all', '--no-new-privs']
}

/** Where a task that runs as somebody else lives apart from the state directory. */
export const homeOf = (paths: AttemptPaths, account: Account | null): Home => homeIn(account === null ? paths.dir : paths.foreignHome)

interface Attempt {
  readonly ref: AttemptRef
  readonly unit: UnitSpec
  readonly secrets: OpenedSecrets
}

/** Drover's own names come last, so nothing of a manifest stands for them. */
export function envFor(context: Context, { ref, unit, secrets }: Attempt, home: Home): Environment {
  const own = { DROVER_TASK: ref.task, DROVER_ATTEMPT: String(ref.attempt), [MARK_VARIABLE]: markOf(context.layout, ref) }
  const machine = { PATH: DEFAULT_PATH, LANG: 'C.UTF-8', ...context.env, HOME: home.work, TMPDIR: home.tmp }
  const secret = plainAll(unit.secretEnv, secrets)
  return { variables: { ...machine, ...unit.env, ...secret, ...own }, secrecy: Object.keys(secret).length === 0 ? 'open' : 'secret' }
}
