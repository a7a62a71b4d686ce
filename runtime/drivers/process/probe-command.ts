import { type ChildProcess, type IOType, spawn } from 'node:child_process'
import { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf, RetryableError } from '../../../src/lib/errors.ts'
import { must } from '../../../src/lib/must.ts'
import type { ProbeResult } from '../../driver.ts'
import { TASK_OOM_SCORE_ADJ } from '../../oom.ts'
import { type CommandEnd, createFirstLine, execResult, type FirstLine } from '../../probes/exec.ts'
import { failed, TIMED_OUT } from '../../probes/result.ts'
import { signalPid } from './proc.ts'
import { assignments, type Environment, withVariables } from './secret-env.ts'

export interface ProbeCommand {
  /** `cgroup.procs` files it writes itself into. */
  readonly joins: readonly string[]
  readonly cwd: string
  /** Words before the command: its limits, the way into its sandbox, its user. */
  readonly wrapper: readonly string[]
  readonly environment: Environment
  readonly command: readonly string[]
  /** Environment until it has the task's, which must not reach a program that still has the agent's rights. */
  readonly ownEnv: Readonly<Record<string, string>>
}

/** Everything comes as arguments, so nothing of a manifest is read by the shell. One pipe for both outputs keeps their order. */
const SCRIPT = `exec 2>&1
n=$1; shift
while [ "$n" -gt 0 ]; do echo 0 > "$1" || exit 126; shift; n=$((n-1)); done
echo ${TASK_OOM_SCORE_ADJ} 2> /dev/null > /proc/self/oom_score_adj
cd "$1" || exit 126; shift
umask 022
exec "$@"`

/** Output may come a moment after the end; what a child that stays behind says is not waited for. Milliseconds. */
const LAST_WORDS_MS = 50

/** Runs it in a process group of its own, which abort kills. @throws RetryableError when it cannot be started at all */
export async function runProbe(command: ProbeCommand, signal: AbortSignal): Promise<ProbeResult> {
  const child = start(command)
  const output = createFirstLine()
  const closed = listen(child, output)
  const kill = (): void => killGroup(child)
  signal.addEventListener('abort', kill, { once: true })
  if (signal.aborted) kill()
  try {
    const end = await endOf(child)
    if (signal.aborted) return failed(TIMED_OUT)
    await Promise.race([closed, sleep(LAST_WORDS_MS)])
    return execResult(end, output.text)
  } finally {
    signal.removeEventListener('abort', kill)
    outputOf(child).destroy()
  }
}

const THIRD = 3

function start({ joins, cwd, wrapper, environment, command, ownEnv }: ProbeCommand): ChildProcess {
  const { variables, secrecy } = environment
  const words = [String(joins.length), ...joins, cwd, ...wrapper, ...withVariables(command, environment)]
  const stdio: IOType[] = ['ignore', 'pipe', 'ignore', ...(secrecy === 'open' ? [] : (['pipe'] as const))]
  const child = spawn('sh', ['-c', SCRIPT, 'sh', ...words], { cwd: '/', detached: true, env: ownEnv, stdio })
  const third = child.stdio[THIRD]
  // What ended before it read them needs none; its exit tells.
  if (third instanceof Writable) third.on('error', () => undefined).end(assignments(variables))
  return child
}

const outputOf = ({ stdout }: ChildProcess) => must(stdout, 'a pipe was asked for')

/** Resolves when no process holds its output any more. */
function listen(child: ChildProcess, output: FirstLine): Promise<void> {
  outputOf(child)
    .setEncoding('utf8')
    .on('data', (text: string) => output.add(text))
  return new Promise((resolve) => child.once('close', () => resolve()))
}

function endOf(child: ChildProcess): Promise<CommandEnd> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new RetryableError(`a probe cannot be started: ${messageOf(error)}`, { cause: error })))
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }))
  })
}

/** Only before its end was seen: until then the number is its own. */
function killGroup({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid !== undefined && exitCode === null && signalCode === null) signalPid(-pid, 'SIGKILL')
}
