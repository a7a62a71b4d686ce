import { StuckError } from '../../../src/lib/errors.ts'
import type { AttemptRef } from '../../driver.ts'
import type { Observation } from './attempt.ts'
import { killLeaves } from './cgroup.ts'
import { type Context, leaves } from './context.ts'
import { keyOf, markOf } from './names.ts'
import { livingGroup, numberOf, scan, signalMembers, signalPid, type Wanted } from './proc.ts'
import { signalSandbox } from './sandbox-tree.ts'

/** How often a dying tree is looked at, and how long until what stays counts as stuck; milliseconds. */
const POLL_MS = 20
const STUCK_MS = 10_000

const wantedOf = async (context: Context, ref: AttemptRef, { session, task }: Observation): Promise<Wanted> => ({
  mark: markOf(context.layout, ref),
  session: session === null ? null : await numberOf(session),
  since: Number(task?.startTime ?? 0),
})

/** Sends TERM to the task and its group, after a last look that it is still that task. False while there is nobody yet to get it. */
export async function terminate(context: Context, seen: Observation): Promise<boolean> {
  if (seen.task === null) return false
  const { boot } = await context.facts()
  const group = await livingGroup(seen.task, boot)
  if (group === null) return false
  if (seen.intent?.sandboxed) return signalSandbox(seen.task.pid, ['SIGTERM', 'SIGCONT'])
  // Its own group or the shim's; a task that joined some other group is signalled alone.
  const target = group === seen.session?.shim.pid || group === seen.task.pid ? -group : seen.task.pid
  signalPid(target, 'SIGTERM')
  signalPid(target, 'SIGCONT')
  return true
}

/** Without cgroups: by session and by the mark in the environment, until two looks find nobody. */
async function killScanned(context: Context, wanted: Wanted): Promise<void> {
  const deadline = context.clock.monotonic() + STUCK_MS
  for (let pids = await scan(wanted); pids.length > 0; pids = await scan(wanted)) {
    await signalMembers(pids, wanted, 'SIGKILL')
    if (context.clock.monotonic() > deadline) throw new StuckError(`processes ${pids.join(', ')} cannot be killed`)
    await context.clock.sleep(POLL_MS)
  }
}

/**
 * Kills every process of the attempt but its shim, and returns when none is left.
 * @throws StuckError when something will not die (state D).
 */
export async function killTree(context: Context, ref: AttemptRef, seen: Observation): Promise<void> {
  if (seen.intent?.cgroups) await killLeaves(await leaves(context, ref), context.clock)
  else if (seen.sameBoot) await killScanned(context, await wantedOf(context, ref, seen))
  context.log.debug({ attempt: keyOf(ref) }, 'no process of the attempt is left')
}
