import { rm } from 'node:fs/promises'
import { TerminalError } from '../../../src/lib/errors.ts'
import type { TaskSpec } from '../../../src/model/task-spec.ts'
import type { AttemptRef, Prepared } from '../../driver.ts'
import { abandonUnlessClaimed } from './abandon.ts'
import { type Observation, readClaim, readIntent } from './attempt.ts'
import { buildAttempt } from './build.ts'
import { type Context, look } from './context.ts'
import { readIfThere } from './files.ts'
import { type AttemptPaths, keyOf, pathsOf } from './names.ts'
import { DirectoryWatch } from './watch.ts'

/** A request may die with the launcher, so it is repeated; the claim makes that harmless. Milliseconds. */
const REPEAT_MS = 2_000
const GIVE_UP_MS = 30_000

const abandoned = (ref: AttemptRef): TerminalError =>
  new TerminalError('AttemptAbandoned', `attempt ${keyOf(ref)} was given up before it started`)

/** What the shim said when it could not come as far as the program. */
async function startFailure(paths: AttemptPaths): Promise<TerminalError> {
  const said = (await readIfThere(paths.stderr))?.trim().slice(-500) ?? ''
  return new TerminalError('StartFailed', said === '' ? 'the task could not be set up' : said)
}

/** True once it has begun. @throws TerminalError when it never will. */
async function hasBegun(ref: AttemptRef, paths: AttemptPaths, seen: Observation): Promise<boolean> {
  switch (seen.verdict.state) {
    case 'never-started':
      throw abandoned(ref)
    case 'ended':
      if (seen.task === null) throw await startFailure(paths)
      return true
    case 'running':
    case 'lost':
      return true
    default:
      return false
  }
}

async function giveUp(context: Context, ref: AttemptRef): Promise<void> {
  if (await abandonUnlessClaimed(context, ref))
    throw new TerminalError('StartTimeout', `attempt ${keyOf(ref)} was not started in ${GIVE_UP_MS} ms`)
}

/** Asks the launcher until the attempt has begun. */
async function launch(context: Context, ref: AttemptRef, watch: DirectoryWatch): Promise<void> {
  const paths = pathsOf(context.layout, ref)
  const began = context.clock.monotonic()
  let asked = Number.NEGATIVE_INFINITY
  for (;;) {
    const seen = await look(context, ref)
    if (await hasBegun(ref, paths, seen)) return
    const now = context.clock.monotonic()
    if (seen.verdict.state === 'unclaimed' && now - asked >= REPEAT_MS) {
      if (now - began >= GIVE_UP_MS) await giveUp(context, ref)
      context.launcher.request(paths.dir)
      asked = now
    }
    await watch.changed(REPEAT_MS / 4, new AbortController().signal)
  }
}

/** At most one start per attempt: the first makes it, a repeat finds it and asks again only while nobody has claimed it. */
export async function startAttempt(context: Context, ref: AttemptRef, spec: { task: TaskSpec; prepared: Prepared }): Promise<void> {
  const paths = pathsOf(context.layout, ref)
  if ((await readClaim(paths)).by === 'agent') throw abandoned(ref)
  if ((await readIntent(paths)) === null) await buildAttempt(context, ref, spec)
  const watch = new DirectoryWatch([paths.dir], context.clock)
  try {
    await launch(context, ref, watch)
  } finally {
    watch.close()
  }
  // It holds the environment, and the shim has read it.
  await rm(paths.script, { force: true })
}
