import { access, constants, realpath, stat } from 'node:fs/promises'
import { delimiter, isAbsolute, join, resolve, sep } from 'node:path'
import { TerminalError } from '../../../src/lib/errors.ts'
import { must } from '../../../src/lib/must.ts'
import type { TaskSpec, UnitSpec } from '../../../src/model/task-spec.ts'
import type { Facts } from './facts.ts'
import { type Account, resolveUser } from './users.ts'

/** What the operator of this machine allows; nothing in git can widen it. */
export interface ProcessPolicy {
  readonly allowed: boolean
  /** Refuse tasks that would run as root. */
  readonly denyRoot: boolean
  /** User of tasks that name none, `user` or `user:group`; null: the agent's own. */
  readonly defaultUser: string | null
  /** Users a manifest may name; null: any. */
  readonly users: readonly string[] | null
  /** Folders, one of which must hold the program; null: any. */
  readonly programs: readonly string[] | null
  /** Most processes and threads of one task, where a pids cgroup can hold it to that. */
  readonly maxPids: number
}

export const DEFAULT_POLICY: ProcessPolicy = {
  allowed: false,
  denyRoot: false,
  defaultUser: null,
  users: null,
  programs: null,
  maxPids: 4096,
}

/** Where programs are looked for when the task sets no PATH. */
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The one unit; the manifest's schema holds a task to one until several are run. */
export function unitOf(spec: TaskSpec): UnitSpec {
  if (spec.units.length !== 1) throw new TerminalError('UnsupportedSpec', 'a process task has exactly one process')
  const unit = must(spec.units[0], 'a task has a unit')
  if (unit.mounts.length > 0) throw new TerminalError('UnsupportedSpec', 'a process cannot have volumes mounted')
  return unit
}

/**
 * Who the task is to run as; null: as the agent itself does.
 * @throws TerminalError `UserNotAllowed`, `UserNotFound`, `RootNotAllowed`.
 */
export async function accountFor(unit: UnitSpec, policy: ProcessPolicy, facts: Facts): Promise<Account | null> {
  const named = unit.user ?? policy.defaultUser
  if (unit.user !== undefined && policy.users !== null && !policy.users.includes(unit.user)) {
    throw new TerminalError('UserNotAllowed', `the agent does not let tasks run as ${unit.user}`)
  }
  const account = named === null ? null : await resolveUser(named)
  if (policy.denyRoot && (account?.uid ?? facts.uid) === 0) {
    throw new TerminalError('RootNotAllowed', 'the agent does not let tasks run as root: name another user')
  }
  if (account === null || (account.uid === facts.uid && account.gid === facts.gid)) return null
  if (facts.uid !== 0) throw new TerminalError('UserNotAllowed', `an agent that is not root cannot run a task as ${named}`)
  if (facts.setpriv === null) throw new TerminalError('UserNotAllowed', 'running a task as another user needs setpriv (util-linux)')
  return account
}

/** @throws TerminalError `NoCgroup` when the manifest insists on limits this machine cannot hold. */
export function checkIsolation(unit: UnitSpec, facts: Facts): void {
  if (unit.isolation !== 'cgroup') return
  const wanted = ['pids', ...(unit.limits.memoryBytes ? ['memory'] : []), ...(unit.limits.cpuMillis ? ['cpu'] : [])]
  const missing = wanted.filter((ability) => !facts.cgroups.some((hierarchy) => [...hierarchy.abilities].some((has) => has === ability)))
  if (missing.length === 0) return
  const why = facts.refusals.length === 0 ? 'no such cgroup is mounted' : facts.refusals.join('; ')
  throw new TerminalError('NoCgroup', `this machine cannot limit ${missing.join(', ')}: ${why}`)
}

export const commandOf = (unit: UnitSpec): readonly string[] => [...unit.command, ...unit.args]

async function runnable(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null)
  if (found === null || !found.isFile()) return false
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}

/** Absolute path of a program, as a shell would find it; null when there is none. */
async function findProgram(word: string, path: string, cwd: string): Promise<string | null> {
  const candidates = word.includes('/') ? [resolve(cwd, word)] : path.split(delimiter).map((dir) => resolve(cwd, dir, word))
  for (const candidate of candidates) if (await runnable(candidate)) return candidate
  return null
}

const isInside = (folder: string, path: string): boolean => path.startsWith(folder.endsWith(sep) ? folder : folder + sep)

export interface ProgramSearch {
  /** The task's own PATH. */
  readonly path: string | undefined
  readonly cwd: string
}

/**
 * The program as `env` is to be told it: a name from PATH as an absolute path, a path as it was written.
 * @throws TerminalError `ProgramNotFound`, `ProgramNotAllowed`.
 */
export async function programFor(word: string, search: ProgramSearch, policy: ProcessPolicy): Promise<string> {
  const found = await findProgram(word, search.path ?? DEFAULT_PATH, search.cwd)
  if (found === null) throw new TerminalError('ProgramNotFound', `no program ${JSON.stringify(word)} on this machine`)
  const real = await realpath(found)
  if (policy.programs !== null && !policy.programs.some((folder) => isInside(folder, real))) {
    throw new TerminalError('ProgramNotAllowed', `the agent does not let tasks run ${real}`)
  }
  const told = word.includes('/') ? word : found
  if (told.includes('=')) throw new TerminalError('ProgramNotAllowed', `a path with "=" cannot be run: ${told}`)
  return told
}

/** True when the program cannot come with the task's own files, so that it can be looked for early. */
export const isOfTheMachine = (word: string): boolean => isAbsolute(word) || !word.includes('/')

/** Absolute working directory of the task. @throws TerminalError `BadWorkingDir`. */
export function workingDirOf(unit: UnitSpec, work: string): string {
  const given = unit.workingDir ?? '.'
  if (isAbsolute(given)) return given
  if (given.split('/').includes('..')) throw new TerminalError('BadWorkingDir', 'a relative working directory must not hold ".."')
  return join(work, given)
}
