import { readFile, readlink } from 'node:fs/promises'
import type { Clock } from '../../../src/lib/clock.ts'
import type { Millis } from '../../../src/model/ids.ts'
import { WHOLE_LOG } from '../../driver.ts'
import type { Containers } from './containers.ts'
import type { Engine } from './engine.ts'
import { containerLogs } from './logs.ts'

export interface ProgramCheckTools {
  readonly engine: Engine
  readonly containers: Pick<Containers, 'inspect'>
  readonly clock: Clock
}

/** Docker's init takes a few milliseconds to its program; longer means that it cannot be seen from here. */
const PATIENCE: Millis = 1_000
const LOOK_EVERY: Millis = 5
/** How a shell, and Docker's init, say that a program cannot be run or is not there. */
const NOT_RUN: ReadonlySet<number> = new Set([126, 127])
const COMPLAINT = /^\[FATAL tini \(\d+\)\] (exec .* failed: .*)$/

/**
 * Waits until init has become the task's program. With an init in front Docker calls every start a success,
 * also that of a program that does not exist.
 * @returns why the program could not be run; null when it runs, has run, or nobody can tell
 */
export async function programFailure(tools: ProgramCheckTools, id: string): Promise<string | null> {
  const { containers, clock } = tools
  for (const deadline = clock.monotonic() + PATIENCE; clock.monotonic() < deadline; await clock.sleep(LOOK_EVERY)) {
    const info = await containers.inspect(id)
    if (info === null) return null
    if (!info.State.Running) return await initComplaint(tools.engine, id, info.State.ExitCode)
    if (await hasBecomeProgram(info.State.Pid)) return null
  }
  return null
}

/** What init said when it could not run the program of an ended container; null when that is not how it ended. */
export async function initComplaint(engine: Engine, id: string, exitCode: number): Promise<string | null> {
  if (!NOT_RUN.has(exitCode)) return null
  const query = { ...WHOLE_LOG, tail: 1, signal: new AbortController().signal }
  for await (const { text } of containerLogs(engine, id, query)) return COMPLAINT.exec(text)?.[1] ?? null
  return null
}

/** Init's child is still init until it is replaced. What this user may not see counts as done. */
async function hasBecomeProgram(init: number): Promise<boolean> {
  try {
    const [child] = (await readFile(`/proc/${init}/task/${init}/children`, 'utf8')).trim().split(' ')
    if (child === undefined || child === '') return false
    return (await readlink(`/proc/${child}/exe`)) !== (await readlink(`/proc/${init}/exe`))
  } catch (error) {
    // The child was replaced or has ended just now: look again.
    return !(error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
  }
}
