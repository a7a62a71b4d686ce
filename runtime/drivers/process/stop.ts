import { randomBytes } from 'node:crypto'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { nullOn, RetryableError } from '../../../src/lib/errors.ts'
import type { AttemptRef } from '../../driver.ts'
import { abandonUnlessClaimed } from './abandon.ts'
import { killLeaves, removeLeaves } from './cgroup.ts'
import { exists } from './cgroup-tree.ts'
import { type Context, leaves, look } from './context.ts'
import { removeForeignHome } from './foreign-home.ts'
import { keyOf, pathsOf } from './names.ts'
import { forgetForShim } from './secret-env.ts'
import { settle } from './settle.ts'
import { killTree, terminate } from './tree.ts'
import { DirectoryWatch } from './watch.ts'

const POLL_MS = 250
/** After KILL only the shim's last words are awaited. */
const KILLED_POLL_MS = 50
/** Longest between KILL and the end of an attempt, its start included; milliseconds. */
const STUCK_MS = 30_000

const never = (): AbortSignal => new AbortController().signal

/** TERM once the task is there to get it, then nothing but time until it ends or the grace does. */
async function endGently(context: Context, ref: AttemptRef, pause: { watch: DirectoryWatch; graceMs: number }): Promise<boolean> {
  const deadline = context.clock.monotonic() + pause.graceMs
  let told = false
  for (;;) {
    if ((await settle(context, ref)) !== null) return true
    const seen = await look(context, ref)
    if (!told) told = await terminate(context, seen)
    const left = deadline - context.clock.monotonic()
    if (left <= 0) return false
    await pause.watch.changed(Math.min(left, POLL_MS), never())
  }
}

async function endByForce(context: Context, ref: AttemptRef, watch: DirectoryWatch): Promise<void> {
  const deadline = context.clock.monotonic() + STUCK_MS
  for (;;) {
    if ((await settle(context, ref)) !== null) return
    await killTree(context, ref, await look(context, ref))
    if ((await settle(context, ref)) !== null) return
    if (context.clock.monotonic() > deadline) throw new RetryableError(`attempt ${keyOf(ref)} does not end`)
    await watch.changed(KILLED_POLL_MS, never())
  }
}

/**
 * Ends an attempt and its whole tree; one that nobody has claimed is claimed, so that it never starts.
 * @throws RetryableError while something will not die.
 */
export async function stopAttempt(context: Context, ref: AttemptRef, graceMs: number): Promise<void> {
  const paths = pathsOf(context.layout, ref)
  if (!(await exists(paths.dir)) || (await abandonUnlessClaimed(context, ref))) return
  const watch = new DirectoryWatch([paths.dir], context.clock)
  try {
    if (!(await endGently(context, ref, { watch, graceMs }))) await endByForce(context, ref, watch)
  } finally {
    watch.close()
  }
}

const TRASH = '.trash'

/** Every trace; the directory leaves its name in one step, so a late shim finds nothing to start. */
export async function removeAttempt(context: Context, ref: AttemptRef): Promise<void> {
  const paths = pathsOf(context.layout, ref)
  await stopAttempt(context, ref, 0)
  const groups = await leaves(context, ref)
  await killLeaves(groups, context.clock)
  await removeLeaves(groups, context.clock)
  await forgetForShim(context, paths.key)
  await removeForeignHome(context, paths)
  const trash = join(context.layout.attempts, TRASH)
  await mkdir(trash, { recursive: true, mode: 0o700 })
  const aside = join(trash, `${paths.key}.${randomBytes(4).toString('hex')}`)
  await rename(paths.dir, aside).catch(nullOn('ENOENT'))
  // A shim may still be writing its last words there.
  await rm(aside, { recursive: true, force: true, maxRetries: 5 })
  context.silentSince.delete(paths.key)
  context.times.delete(paths.key)
}

/** What an agent that died while removing has left. */
export async function emptyTrash(context: Context): Promise<void> {
  const trash = join(context.layout.attempts, TRASH)
  for (const name of (await readdir(trash).catch(nullOn('ENOENT'))) ?? []) await rm(join(trash, name), { recursive: true, force: true })
}
