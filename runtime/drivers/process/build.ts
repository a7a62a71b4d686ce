import { mkdir, rm, writeFile } from 'node:fs/promises'
import { writeDurably } from '../../../src/lib/durable-file.ts'
import { messageOf, RetryableError, TerminalError } from '../../../src/lib/errors.ts'
import type { TaskSpec } from '../../../src/model/task-spec.ts'
import type { AttemptRef, Prepared } from '../../driver.ts'
import type { Intent } from './attempt.ts'
import { createLeaves, type Leaf, leavesOf, removeLeaves } from './cgroup.ts'
import type { Context } from './context.ts'
import type { Facts } from './facts.ts'
import { makeForeignHome, removeForeignHome } from './foreign-home.ts'
import { isolationFor } from './isolation.ts'
import { type AttemptPaths, keyOf, pathsOf } from './names.ts'
import { accountFor, unitOf } from './policy.ts'
import { commandOf, programFor } from './program.ts'
import { EXIT_BLANKS, type ShimPlan, shimScript } from './script.ts'
import { forgetForShim, keepForShim, withVariables } from './secret-env.ts'
import { envFor, livesApart, placeOf, type Setting, settingFor, taskWords } from './setting.ts'
import { furnish } from './work.ts'

interface Build {
  readonly ref: AttemptRef
  readonly setting: Setting
  readonly paths: AttemptPaths
  readonly facts: Facts
  readonly leaves: readonly Leaf[]
}

/** What the shim is to run, and as what. */
async function shimPlan(context: Context, { ref, setting, paths, facts }: Build, prepared: Prepared): Promise<Omit<ShimPlan, 'joins'>> {
  const { unit, seenHome, view, isolation } = setting
  const cwd = await placeOf(setting)
  const [word = '', ...args] = commandOf(unit)
  const command = [await programFor(word, { path: unit.env.PATH, cwd, view }, context.policy), ...args]
  const environment = envFor(context, { ref, unit, secrets: prepared.secrets }, seenHome)
  const { dir, stdout, stderr } = paths
  return {
    ...{ dir, stdout, stderr },
    // A sandbox goes there itself: outside of it the folder may be another, or none.
    cwd: isolation === 'sandbox' ? '/' : cwd,
    wrapper: taskWords(setting, facts, cwd),
    secrets: await keepForShim(context, paths.key, environment),
    command: withVariables(command, environment),
  }
}

async function build(context: Context, plan: Build, prepared: Prepared): Promise<void> {
  const { ref, setting, paths, facts } = plan
  const { unit, account, home, isolation } = setting
  await mkdir(paths.logs, { recursive: true, mode: 0o700 })
  if (livesApart(setting)) await makeForeignHome(context, paths, facts.uid)
  await furnish(home, unit, prepared, account)
  const shim = await shimPlan(context, plan, prepared)
  const joins = await createLeaves(plan.leaves, unit.limits, context.policy.maxPids)
  const own = { mode: 0o600 }
  await Promise.all([
    writeFile(paths.script, shimScript({ ...shim, joins }), own),
    writeFile(paths.exit, EXIT_BLANKS, own),
    writeFile(paths.stdout, '', own),
    writeFile(paths.stderr, '', own),
  ])
  const intent: Intent = {
    task: ref.task,
    attempt: ref.attempt,
    unit: unit.name,
    boot: facts.boot,
    cgroups: joins.length > 0,
    sandboxed: isolation === 'sandbox',
    createdAt: context.clock.now(),
  }
  await writeDurably(paths.intent, JSON.stringify(intent))
}

/** Takes what an interrupted or failed build has made. */
async function clear(context: Context, paths: AttemptPaths, leaves: readonly Leaf[]): Promise<void> {
  await removeLeaves(leaves, context.clock)
  await forgetForShim(context, paths.key)
  await removeForeignHome(context, paths)
  await rm(paths.dir, { recursive: true, force: true })
}

/**
 * Makes everything an attempt needs but its start. The intent is written last: without one no shim was ever asked for,
 * so what an interrupted build left can be thrown away.
 * @throws TerminalError with what is wrong with the spec, RetryableError with what is wrong with the machine; nothing is left then.
 */
export async function buildAttempt(context: Context, ref: AttemptRef, spec: { task: TaskSpec; prepared: Prepared }): Promise<void> {
  const paths = pathsOf(context.layout, ref)
  const unit = unitOf(spec.task)
  const facts = await context.facts()
  const isolation = isolationFor(unit, context.policy, facts)
  const account = await accountFor({ unit, isolation }, context.policy, facts)
  const leaves = isolation === 'none' ? [] : leavesOf(facts.cgroups, keyOf(ref))
  await clear(context, paths, leaves)
  try {
    const setting = await settingFor(context, facts, { unit, isolation, account, paths })
    await build(context, { ref, setting, paths, facts, leaves }, spec.prepared)
  } catch (error) {
    await clear(context, paths, leaves)
    if (error instanceof TerminalError) throw error
    throw new RetryableError(`attempt ${keyOf(ref)} could not be made ready: ${messageOf(error)}`, { cause: error })
  }
}
