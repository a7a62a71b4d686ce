import { join } from 'node:path'
import { TerminalError } from '../../../src/lib/errors.ts'
import type { Isolation } from '../../../src/model/process.ts'
import type { TaskSpec } from '../../../src/model/task-spec.ts'
import type { Handle, ProbeRequest, ProbeResult } from '../../driver.ts'
import { networkProbe } from '../../probes/network.ts'
import { failed, TIMED_OUT } from '../../probes/result.ts'
import type { OpenedSecrets } from '../../secrets.ts'
import type { Observation } from './attempt.ts'
import { type Context, leaves, look } from './context.ts'
import { MARK_VARIABLE, markOf, pathsOf } from './names.ts'
import { accountFor, unitOf } from './policy.ts'
import { type ProbeCommand, runProbe } from './probe-command.ts'
import { programFor } from './program.ts'
import { sandboxTree } from './sandbox-tree.ts'
import { envFor, placeOf, probeWords, settingFor } from './setting.ts'
import type { Account } from './users.ts'

const LOOPBACK = '127.0.0.1'
const NOT_RUNNING = 'the process does not run'
/** How often a sandbox that is still being made is looked at. Milliseconds. */
const POLL_MS = 10

/** Asks a process once. @throws RetryableError when this machine cannot start the command of a probe */
export async function probeAttempt(context: Context, handle: Handle, request: ProbeRequest, signal: AbortSignal): Promise<ProbeResult> {
  const { check } = request
  const seen = await look(context, handle)
  if (seen.verdict.state !== 'running') return failed(NOT_RUNNING)
  if (check.type !== 'exec') return await networkProbe(check, LOOPBACK, signal)
  const asked: CommandRequest = { ...request, seen, words: check.command, signal }
  const command = await commandFor(context, handle, asked).catch((error: unknown) => whatIsWrong(error, signal))
  return 'passed' in command ? command : await runProbe(command, signal)
}

/** A command that is not there or may not be run is a probe that fails. */
function whatIsWrong(error: unknown, signal: AbortSignal): ProbeResult {
  if (signal.aborted) return failed(TIMED_OUT)
  if (error instanceof TerminalError) return failed(error.message)
  throw error
}

interface CommandRequest {
  readonly spec: TaskSpec
  readonly secrets: OpenedSecrets
  readonly seen: Observation
  readonly words: readonly string[]
  readonly signal: AbortSignal
}

/** As the task itself runs: its user, folder, environment, limits and sandbox. */
async function commandFor(context: Context, handle: Handle, { spec, secrets, seen, words, signal }: CommandRequest): Promise<ProbeCommand> {
  const unit = unitOf(spec)
  const facts = await context.facts()
  const isolation = seen.intent?.sandboxed ? 'sandbox' : seen.intent?.cgroups ? 'cgroup' : 'none'
  const account = await accountOnce(context, spec, isolation)
  const setting = await settingFor(context, facts, { unit, isolation, account, paths: pathsOf(context.layout, handle) })
  const cwd = await placeOf(setting)
  const [word = '', ...args] = words
  const program = await programFor(word, { path: unit.env.PATH, cwd, view: setting.view }, context.policy)
  const groups = seen.intent?.cgroups ? await leaves(context, handle) : []
  const init = isolation === 'sandbox' ? await sandboxOf(context, handle, signal) : null
  return {
    joins: groups.map(({ dir }) => join(dir, 'cgroup.procs')),
    cwd: init === null ? cwd : '/',
    wrapper: probeWords(setting, facts, init === null ? null : { init, cwd }),
    environment: envFor(context, { ref: handle, unit, secrets }, setting.seenHome),
    command: [program, ...args],
    // Also before it has the task's environment, what is left of it is found with the task's tree.
    ownEnv: { PATH: context.path, [MARK_VARIABLE]: markOf(context.layout, handle) },
  }
}

/** The init of its sandbox, once that is complete. @throws TerminalError when it is there no longer */
async function sandboxOf(context: Context, handle: Handle, signal: AbortSignal): Promise<number> {
  for (;;) {
    const { task, group } = await look(context, handle)
    if (task === null || group === null) throw new TerminalError('NoSandbox', NOT_RUNNING)
    const tree = await sandboxTree(task.pid)
    if (tree !== null) return tree.init
    await context.clock.sleep(POLL_MS, signal)
  }
}

/** Looking a user up starts programs, which is too much for every probe. */
function accountOnce(context: Context, spec: TaskSpec, isolation: Isolation): Promise<Account | null> {
  const known = context.accounts.get(spec)
  if (known !== undefined) return known
  const asked = context.facts().then((facts) => accountFor({ unit: unitOf(spec), isolation }, context.policy, facts))
  context.accounts.set(spec, asked)
  asked.catch(() => context.accounts.delete(spec))
  return asked
}
