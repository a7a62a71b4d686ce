import { rm } from 'node:fs/promises'
import type { AttemptRef } from '../../driver.ts'
import { claimForAgent } from './attempt.ts'
import { removeLeaves } from './cgroup.ts'
import { type Context, leaves } from './context.ts'
import { pathsOf } from './names.ts'
import { forgetForShim } from './secret-env.ts'

/**
 * True when no shim has claimed the attempt: then it never starts, and what was made for its start is gone. Its folder
 * stays, for the claim in it tells a late shim.
 */
export async function abandonUnlessClaimed(context: Context, ref: AttemptRef): Promise<boolean> {
  const paths = pathsOf(context.layout, ref)
  if (!(await claimForAgent(paths))) return false
  await removeLeaves(await leaves(context, ref), context.clock)
  await forgetForShim(context, paths.key)
  await rm(paths.script, { force: true })
  return true
}
