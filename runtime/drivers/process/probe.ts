import { join } from 'node:path'
import { TerminalError } from '../../../src/lib/errors.ts'
import type { TaskSpec } from '../../../src/model/task-spec.ts'
import type { Handle, ProbeRequest, ProbeResult } from '../../driver.ts'
import { networkProbe } from '../../probes/network.ts'
import { failed } from '../../probes/result.ts'
import type { OpenedSecrets } from '../../secrets.ts'
import type { Observation } from './attempt.ts'
import { type Context, leaves, look } from './context.ts'
import { MARK_VARIABLE, markOf, pathsOf } from './names.ts'
import { accountFor, programFor, unitOf, workingDirOf } from './policy.ts'
import { type ProbeCommand, runProbe } from './probe-command.ts'
import { envFor, homeOf, wrapperFor } from './setting.ts'
import type { Account } from './users.ts'

const LOOPBACK = '127.0.0.1'

/** Asks a process once. @throws RetryableError when this machine cannot start the command of a probe */
export async function probeAttempt(context: Context, handle: Handle, request: ProbeRequest, signal: AbortSignal): Promise<ProbeResult> {
  const { check } = request
  const seen = await look(context, handle)
  if (seen.verdict.state !== 'running') return failed('the process does not run')
  if (check.type !== 'exec') return await networkProbe(check, LOOPBACK, signal)
  const command = await commandFor(context, handle, { ...request, seen, words: check.command }).catch(whatIsWrong)
  return 'passed' in command ? command : await runProbe(command, signal)
}

/** A command that is not there or may not be run is a probe that fails. */
function whatIsWrong(error: unknown): ProbeResult {
  if (error instanceof TerminalError) return failed(error.message)
  throw error
}

interface CommandRequest {
  readonly spec: TaskSpec
  readonly secrets: OpenedSecrets
  readonly seen: Observation
  readonly words: readonly string[]
}

/** As the task itself runs: its user, folder, environment and limits. */
async function commandFor(context: Context, handle: Handle, { spec, secrets, seen, words }: CommandRequest): Promise<ProbeCommand> {
  const unit = unitOf(spec)
  const facts = await context.facts()
  const account = await accountOnce(context, spec)
  const home = homeOf(pathsOf(context.layout, handle), account)
  const cwd = workingDirOf(unit, home.work)
  const [word = '', ...args] = words
  const program = await programFor(word, { path: unit.env.PATH, cwd }, context.policy)
  const groups = seen.intent?.cgroups ? await leaves(context, handle) : []
  return {
    joins: groups.map(({ dir }) => join(dir, 'cgroup.procs')),
    cwd,
    wrapper: wrapperFor(account, facts),
    environment: envFor(context, { ref: handle, unit, secrets }, home),
    command: [program, ...args],
    // Also before it has the task's environment, what is left of it is found with the task's tree.
    ownEnv: { PATH: context.path, [MARK_VARIABLE]: markOf(context.layout, handle) },
  }
}

/** Looking a user up starts programs, which is too much for every probe. */
function accountOnce(context: Context, spec: TaskSpec): Promise<Account | null> {
  const known = context.accounts.get(spec)
  if (known !== undefined) return known
  const asked = context.facts().then((facts) => accountFor(unitOf(spec), context.policy, facts))
  context.accounts.set(spec, asked)
  asked.catch(() => context.accounts.delete(spec))
  return asked
}
