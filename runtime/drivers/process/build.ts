import { chmod, lstat, mkdir, rm, writeFile } from 'node:fs/promises'
import { writeDurably } from '../../../src/lib/durable-file.ts'
import { messageOf, RetryableError, TerminalError } from '../../../src/lib/errors.ts'
import type { TaskSpec, UnitSpec } from '../../../src/model/task-spec.ts'
import type { AttemptRef, Prepared } from '../../driver.ts'
import type { Intent } from './attempt.ts'
import { createLeaves, type Leaf, leavesOf, removeLeaves } from './cgroup.ts'
import type { Context } from './context.ts'
import type { Facts } from './facts.ts'
import { type AttemptPaths, keyOf, pathsOf } from './names.ts'
import { accountFor, commandOf, programFor, unitOf, workingDirOf } from './policy.ts'
import { EXIT_BLANKS, shimScript } from './script.ts'
import { forgetForShim, keepForShim, withVariables } from './secret-env.ts'
import { envFor, homeOf, wrapperFor } from './setting.ts'
import type { Account } from './users.ts'
import { furnish } from './work.ts'

interface Build {
  readonly ref: AttemptRef
  readonly unit: UnitSpec
  readonly paths: AttemptPaths
  readonly facts: Facts
  readonly account: Account | null
  readonly leaves: readonly Leaf[]
}

/** Homes of other users lie outside the state directory, which they may not enter; nobody else may own that place. */
async function makeForeignHome(context: Context, paths: AttemptPaths, uid: number): Promise<void> {
  await mkdir(context.layout.foreign, { recursive: true, mode: 0o711 })
  const found = await lstat(context.layout.foreign)
  if (!found.isDirectory() || found.uid !== uid) {
    throw new TerminalError('WorkDirTaken', `${context.layout.foreign} belongs to somebody else`)
  }
  await chmod(context.layout.foreign, 0o711)
  await mkdir(paths.foreignHome, { mode: 0o711 })
  await chmod(paths.foreignHome, 0o711)
}

async function build(context: Context, plan: Build, prepared: Prepared): Promise<void> {
  const { ref, unit, paths, facts, account } = plan
  await mkdir(paths.logs, { recursive: true, mode: 0o700 })
  if (account !== null) await makeForeignHome(context, paths, facts.uid)
  const home = homeOf(paths, account)
  await furnish(home, unit, prepared, account)
  const cwd = workingDirOf(unit, home.work)
  if (!(await lstat(cwd).catch(() => null))) throw new TerminalError('BadWorkingDir', `no directory ${cwd}`)
  const [word = '', ...args] = commandOf(unit)
  const command = [await programFor(word, { path: unit.env.PATH, cwd }, context.policy), ...args]
  const joins = await createLeaves(plan.leaves, unit.limits, context.policy.maxPids)
  const environment = envFor(context, { ref, unit, secrets: prepared.secrets }, home)
  const secrets = await keepForShim(context, paths.key, environment)
  const { dir, stdout, stderr } = paths
  const shape = { dir, stdout, stderr, cwd, joins, secrets, command: withVariables(command, environment) }
  const script = shimScript({ ...shape, wrapper: wrapperFor(account, facts) })
  const own = { mode: 0o600 }
  await Promise.all([
    writeFile(paths.script, script, own),
    writeFile(paths.exit, EXIT_BLANKS, own),
    writeFile(stdout, '', own),
    writeFile(stderr, '', own),
  ])
  const intent: Intent = {
    task: ref.task,
    attempt: ref.attempt,
    unit: unit.name,
    boot: facts.boot,
    cgroups: joins.length > 0,
    createdAt: context.clock.now(),
  }
  await writeDurably(paths.intent, JSON.stringify(intent))
}

/** Takes what an interrupted or failed build has made. */
async function clear(context: Context, paths: AttemptPaths, leaves: readonly Leaf[]): Promise<void> {
  await removeLeaves(leaves, context.clock)
  await forgetForShim(context, paths.key)
  await rm(paths.foreignHome, { recursive: true, force: true })
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
  const account = await accountFor(unit, context.policy, facts)
  const leaves = unit.isolation === 'none' ? [] : leavesOf(facts.cgroups, keyOf(ref))
  await clear(context, paths, leaves)
  try {
    await build(context, { ref, unit, paths, facts, account, leaves }, spec.prepared)
  } catch (error) {
    await clear(context, paths, leaves)
    if (error instanceof TerminalError) throw error
    throw new RetryableError(`attempt ${keyOf(ref)} could not be made ready: ${messageOf(error)}`, { cause: error })
  }
}
