import { lstat } from 'node:fs/promises'
import { TerminalError } from '../../../src/lib/errors.ts'
import type { Isolation } from '../../../src/model/process.ts'
import type { UnitSpec } from '../../../src/model/task-spec.ts'
import type { AttemptRef } from '../../driver.ts'
import { type OpenedSecrets, plainAll } from '../../secrets.ts'
import type { Context } from './context.ts'
import type { Facts } from './facts.ts'
import { type AttemptPaths, MARK_VARIABLE, markOf } from './names.ts'
import { DEFAULT_PATH, workingDirOf } from './program.ts'
import { SANDBOX_HOME, sandboxWords, sharedView, withHome } from './sandbox.ts'
import { enterWords } from './sandbox-tree.ts'
import type { Environment } from './secret-env.ts'
import { ulimitWords } from './ulimits.ts'
import type { Account } from './users.ts'
import { machinePath, type View, WHOLE_MACHINE } from './view.ts'
import { type Home, homeIn } from './work.ts'

/** As whom, where, how far apart and with which environment the programs of an attempt run: its task, and the commands of its probes. */
export interface Setting {
  readonly unit: UnitSpec
  readonly account: Account | null
  readonly isolation: Isolation
  /** On the machine. */
  readonly home: Home
  /** As its programs see it. */
  readonly seenHome: Home
  readonly view: View
}

type Asked = Pick<Setting, 'unit' | 'account' | 'isolation'> & { readonly paths: AttemptPaths }

/** True for who runs as another user, who may not look into the state directory, and in no sandbox, which shows only what is its own. */
export const livesApart = ({ account, isolation }: Pick<Setting, 'account' | 'isolation'>): boolean =>
  account !== null && isolation !== 'sandbox'

/** @throws TerminalError `HostPathNotAllowed`, `HostPathMissing` */
export async function settingFor(context: Context, facts: Facts, { paths, ...asked }: Asked): Promise<Setting> {
  const home = homeIn(livesApart(asked) ? paths.foreignHome : paths.dir)
  if (asked.isolation !== 'sandbox') return { ...asked, home, seenHome: home, view: WHOLE_MACHINE }
  const shared = await sharedView(asked.unit, { ...context, system: facts.system })
  return { ...asked, home, seenHome: SANDBOX_HOME, view: withHome(shared, home) }
}

/** Working directory as its programs see it. @throws TerminalError `BadWorkingDir` when it is not there */
export async function placeOf({ unit, seenHome, view }: Setting): Promise<string> {
  const cwd = workingDirOf(unit, seenHome.work)
  const there = machinePath(view, cwd)
  if (there === null || !(await lstat(there).catch(() => null))) throw new TerminalError('BadWorkingDir', `no directory ${cwd}${view.note}`)
  return cwd
}

/**
 * `setpriv` and its options: never more rights than at the start, and none of root's for who is another user or in a
 * sandbox. What runs as the root that the agent is, outside of one, keeps them: without them it would still own every
 * file of the system, so that much would break and nothing be safe.
 */
function userWords({ account, isolation }: Setting, { setpriv, uid }: Facts): readonly string[] {
  if (setpriv === null) return []
  const keepsRights = account === null && isolation !== 'sandbox' && uid === 0
  // Only root may lower the bounds, and only root needs to: others have nothing that a program could get out of them.
  const rights = keepsRights ? [] : ['--inh-caps=-all', '--ambient-caps=-all', ...(uid === 0 ? ['--bounding-set=-all'] : [])]
  return [setpriv, ...(account === null ? [] : identityWords(account)), ...rights, '--no-new-privs']
}

function identityWords({ uid, gid, groups }: Account): readonly string[] {
  return [`--reuid=${uid}`, `--regid=${gid}`, groups.length === 0 ? '--clear-groups' : `--groups=${groups.join(',')}`]
}

const networkOf = ({ sandbox }: UnitSpec) => sandbox?.network ?? 'Host'

/** Goes there with the rights of the task: its folder is closed to a root without rights, too. */
const goTo = (cwd: string): readonly string[] => ['env', `--chdir=${cwd}`]

/** What stands before the command of the task, from the outside in: limits, sandbox, user, and its folder in a sandbox. */
export function taskWords(setting: Setting, facts: Facts, cwd: string): readonly string[] {
  const { unit, isolation, view } = setting
  const outer = [...ulimitWords(unit), ...(isolation === 'sandbox' ? sandboxWords({ view, network: networkOf(unit), uid: facts.uid }) : [])]
  return [...outer, ...userWords(setting, facts), ...(isolation === 'sandbox' ? goTo(cwd) : [])]
}

/** The same before the command of a probe, which joins the sandbox that is there; null: none is. */
export function probeWords(
  setting: Setting,
  facts: Facts,
  inside: { readonly init: number; readonly cwd: string } | null,
): readonly string[] {
  const { unit } = setting
  if (inside === null) return [...ulimitWords(unit), ...userWords(setting, facts)]
  const enter = enterWords(inside.init, { network: networkOf(unit), uid: facts.uid })
  return [...ulimitWords(unit), ...enter, ...userWords(setting, facts), ...goTo(inside.cwd)]
}

interface Attempt {
  readonly ref: AttemptRef
  readonly unit: UnitSpec
  readonly secrets: OpenedSecrets
}

/** `home` is as its programs see it. Drover's own names come last, so nothing of a manifest stands for them. */
export function envFor(context: Context, { ref, unit, secrets }: Attempt, home: Home): Environment {
  const own = { DROVER_TASK: ref.task, DROVER_ATTEMPT: String(ref.attempt), [MARK_VARIABLE]: markOf(context.layout, ref) }
  const machine = { PATH: DEFAULT_PATH, LANG: 'C.UTF-8', ...context.env, HOME: home.work, TMPDIR: home.tmp }
  const secret = plainAll(unit.secretEnv, secrets)
  return { variables: { ...machine, ...unit.env, ...secret, ...own }, secrecy: Object.keys(secret).length === 0 ? 'open' : 'secret' }
}
