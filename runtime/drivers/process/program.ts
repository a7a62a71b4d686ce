import { access, constants, realpath, stat } from 'node:fs/promises'
import { delimiter, isAbsolute, join, resolve } from 'node:path'
import { TerminalError } from '../../../src/lib/errors.ts'
import type { ProcessPolicy } from '../../../src/model/process-policy.ts'
import type { UnitSpec } from '../../../src/model/task-spec.ts'
import { isInside } from './files.ts'
import { machinePath, shows, type View } from './view.ts'

/** Where programs are looked for when the task sets no PATH. */
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export const commandOf = (unit: UnitSpec): readonly string[] => [...unit.command, ...unit.args]

async function runnable(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null)
  if (found === null || !found.isFile()) return false
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}

export interface ProgramSearch {
  /** The task's own PATH. */
  readonly path: string | undefined
  /** As the task sees it. */
  readonly cwd: string
  readonly view: View
}

interface Found {
  /** As the task sees it. */
  readonly path: string
  /** Where it is on the machine. */
  readonly real: string
}

/** The program as a shell of the task would find it; null when there is none. */
async function findProgram(word: string, { path = DEFAULT_PATH, cwd, view }: ProgramSearch): Promise<Found | null> {
  const candidates = word.includes('/') ? [resolve(cwd, word)] : path.split(delimiter).map((dir) => resolve(cwd, dir, word))
  for (const candidate of candidates) {
    const there = machinePath(view, candidate)
    if (there === null || !(await runnable(there))) continue
    const real = await realpath(there)
    if (shows(view, real)) return { path: candidate, real }
  }
  return null
}

/**
 * The program as `env` is to be told it: a name from PATH as an absolute path, a path as it was written.
 * @throws TerminalError `ProgramNotFound`, `ProgramNotAllowed`.
 */
export async function programFor(word: string, search: ProgramSearch, policy: ProcessPolicy): Promise<string> {
  const found = await findProgram(word, search)
  if (found === null) throw new TerminalError('ProgramNotFound', `no program ${JSON.stringify(word)} on this machine${search.view.note}`)
  if (policy.programs !== undefined && !policy.programs.some((folder) => isInside(folder, found.real))) {
    throw new TerminalError('ProgramNotAllowed', `the agent does not let tasks run ${found.real}`)
  }
  const told = word.includes('/') ? word : found.path
  if (told.includes('=')) throw new TerminalError('ProgramNotAllowed', `a path with "=" cannot be run: ${told}`)
  return told
}

/** Absolute working directory as the task sees it. @throws TerminalError `BadWorkingDir`. */
export function workingDirOf(unit: UnitSpec, work: string): string {
  const given = unit.workingDir ?? '.'
  if (isAbsolute(given)) return given
  if (given.split('/').includes('..')) throw new TerminalError('BadWorkingDir', 'a relative working directory must not hold ".."')
  return join(work, given)
}
