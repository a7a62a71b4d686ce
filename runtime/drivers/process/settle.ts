import { writeDurably } from '../../../src/lib/durable-file.ts'
import { hasCode, messageOf, TerminalError } from '../../../src/lib/errors.ts'
import type { AttemptRef, Exit } from '../../driver.ts'
import { signalOf } from '../../exit-signal.ts'
import { modifiedAt, type Observation, type Result, readResult } from './attempt.ts'
import { leafUsage, oomKilled, removeLeaves } from './cgroup.ts'
import { type Context, leaves, look, once } from './context.ts'
import { keyOf, pathsOf } from './names.ts'
import { killTree } from './tree.ts'

function reasonOf(exitCode: number, oom: boolean): string {
  if (exitCode === 0) return 'Completed'
  return oom ? 'OOMKilled' : 'Error'
}

/** The terminal record of what was seen to be over. */
async function resultOf(context: Context, ref: AttemptRef, seen: Observation): Promise<Result> {
  const paths = pathsOf(context.layout, ref)
  const groups = seen.intent?.cgroups ? await leaves(context, ref) : []
  const [oom, usage, startedAt] = await Promise.all([oomKilled(groups), leafUsage(groups), modifiedAt(paths.pid)])
  const shared = { startedAt, peakMemoryBytes: usage?.peakMemoryBytes ?? null, cpuMicros: usage?.cpuMicros ?? 0 }
  const { verdict } = seen
  if (verdict.state === 'ended') {
    const { exitCode } = verdict
    const finishedAt = Math.max((await modifiedAt(paths.exit)) ?? context.clock.now(), startedAt ?? 0)
    return { ...shared, exitCode, signal: signalOf(exitCode), reason: reasonOf(exitCode, oom), finishedAt }
  }
  const reason = verdict.state === 'lost' ? verdict.reason : 'LostUnknownExit'
  return { ...shared, exitCode: null, signal: null, reason, finishedAt: Math.max(context.clock.now(), startedAt ?? 0) }
}

/** False on a full disk: the exit code is there all the same, and cgroups that are kept say the rest once more. */
async function isKept(context: Context, ref: AttemptRef, result: Result): Promise<boolean> {
  return writeDurably(pathsOf(context.layout, ref).result, JSON.stringify(result)).then(
    () => true,
    (error: unknown) => {
      if (!hasCode(error, 'ENOSPC', 'EDQUOT')) throw error
      context.log.warn({ attempt: keyOf(ref), error: messageOf(error) }, 'terminal record not kept: disk is full')
      return false
    },
  )
}

/** Kills what is left of the tree, writes the terminal record, and only then gives the cgroups back. */
async function finish(context: Context, ref: AttemptRef, seen: Observation): Promise<Result> {
  await killTree(context, ref, seen)
  const result = await resultOf(context, ref, seen)
  context.silentSince.delete(keyOf(ref))
  if (await isKept(context, ref, result)) await removeLeaves(await leaves(context, ref), context.clock)
  return result
}

async function settleNow(context: Context, ref: AttemptRef): Promise<Result | null> {
  const done = await readResult(pathsOf(context.layout, ref))
  if (done !== null) {
    // An agent may have died between the record and this.
    await removeLeaves(await leaves(context, ref), context.clock)
    return done
  }
  const seen = await look(context, ref)
  switch (seen.verdict.state) {
    case 'ended':
    case 'lost':
      return finish(context, ref, seen)
    case 'never-started':
    case 'unclaimed':
      throw new TerminalError('NeverStarted', `attempt ${keyOf(ref)} was never started`)
    default:
      return null
  }
}

/**
 * The terminal record of an attempt that is over, made if it is not there yet; null while it runs.
 * @throws RetryableError while something of its tree will not die; TerminalError `NeverStarted`.
 */
export const settle = (context: Context, ref: AttemptRef): Promise<Result | null> =>
  once(context.ending, keyOf(ref), () => settleNow(context, ref))

export const exitOf = ({ cpuMicros: _, ...exit }: Result): Exit => exit
