import type { Exec, ExecInspectInfo } from 'dockerode'
import type { Clock } from '../../../src/lib/clock.ts'
import { messageOf, nullOn } from '../../../src/lib/errors.ts'
import type { Logger } from '../../../src/lib/log.ts'
import type { Millis } from '../../../src/model/ids.ts'
import type { ProbeResult } from '../../driver.ts'
import { createFirstLine, execResult } from '../../probes/exec.ts'
import { failed, TIMED_OUT } from '../../probes/result.ts'
import { frames } from './demux.ts'
import type { Engine } from './engine.ts'
import { engineError, whenStatus } from './errors.ts'
import { isInContainer } from './residents.ts'

export interface ExecTools {
  readonly engine: Engine
  readonly clock: Clock
  readonly log: Logger
  readonly unended: UnendedProbes
}

/**
 * Commands that ran out of patience and could not be killed from here, by container and command: an agent that is not
 * root may not, and one in a container does not see them. Another beside each would fill the container in time.
 */
export type UnendedProbes = Map<string, Exec>

const keyOf = ({ id, command }: ExecOrder): string => JSON.stringify([id, ...command])

export interface ExecOrder {
  readonly id: string
  readonly command: readonly string[]
}

/** How long the daemon may take to know the end of a command whose output has ended, or that was killed. */
const PATIENCE: Millis = 2_000
const LOOK_EVERY: Millis = 20

export const NOT_RUNNING = failed('the container does not run')
const STILL_RUNS = failed('timed out before, and its command still runs')

/**
 * Runs a command in a container, as the container's user, in its working directory and with its environment.
 * Abort kills the command. @throws RetryableError when the engine does not answer
 */
export async function execProbe(tools: ExecTools, order: ExecOrder, signal: AbortSignal): Promise<ProbeResult> {
  if (await earlierRuns(tools, order)) return STILL_RUNS
  const exec = await create(tools.engine, order, signal)
  if (exec === null) return NOT_RUNNING
  const output = await outputOf(tools.engine, exec, signal).catch(async (error: unknown) => {
    if (!signal.aborted) throw engineError(error, `run a probe in ${order.id}`)
    await end(tools, exec, order)
    return TIMED_OUT
  })
  if (signal.aborted) return failed(TIMED_OUT)
  if (output === null) return NOT_RUNNING
  const { ExitCode } = await lookUntilOver(tools, exec)
  return ExitCode === null ? failed('its exit code is not known') : execResult({ exitCode: ExitCode, signal: null }, output)
}

async function earlierRuns({ engine, unended }: ExecTools, order: ExecOrder): Promise<boolean> {
  const earlier = unended.get(keyOf(order))
  if (earlier === undefined) return false
  const info = await look(engine, earlier).catch(whenStatus([404], null))
  const runs = info !== null && !isOver(info)
  if (!runs) unended.delete(keyOf(order))
  return runs
}

/** Null: the container does not run, or is paused. */
function create(engine: Engine, { id, command }: ExecOrder, signal: AbortSignal): Promise<Exec | null> {
  const options = { Cmd: [...command], AttachStdout: true, AttachStderr: true }
  return engine
    .call(`make a probe in ${id}`, (abortSignal) => engine.docker.getContainer(id).exec({ ...options, abortSignal }), { signal })
    .catch(whenStatus([404, 409], null))
}

/** First line of the output, once all of it has come; null when the container has ended meanwhile. */
async function outputOf(engine: Engine, { id }: Exec, signal: AbortSignal): Promise<string | null> {
  const start = (abortSignal: AbortSignal) => engine.streams.getExec(id).start({ abortSignal })
  const stream = await engine.stream(`run probe ${id}`, start, signal).catch(whenStatus([404, 409], null))
  if (stream === null) return null
  const line = createFirstLine()
  for await (const { text } of frames(stream)) line.add(text)
  signal.throwIfAborted()
  return line.text
}

const look = (engine: Engine, exec: Exec): Promise<ExecInspectInfo> =>
  engine.call(`inspect probe ${exec.id}`, (abortSignal) => exec.inspect({ abortSignal }), { deadline: 'ping' })

/** The daemon notes the exit code a moment after the output has ended. */
async function lookUntilOver({ engine, clock }: ExecTools, exec: Exec): Promise<ExecInspectInfo> {
  const deadline = clock.monotonic() + PATIENCE
  for (;;) {
    const info = await look(engine, exec)
    if (isOver(info) || clock.monotonic() >= deadline) return info
    await clock.sleep(LOOK_EVERY)
  }
}

/** One that was made but is yet to start has no exit code either. */
const isOver = ({ Running, ExitCode }: ExecInspectInfo): boolean => !Running && ExitCode !== null

/** Kills a command that nobody waits for any more; what cannot be reached from here ends with its container. */
async function end({ engine, clock, log, unended }: ExecTools, exec: Exec, order: ExecOrder): Promise<void> {
  unended.set(keyOf(order), exec)
  try {
    for (const deadline = clock.monotonic() + PATIENCE; clock.monotonic() < deadline; await clock.sleep(LOOK_EVERY)) {
      const info = await look(engine, exec)
      if (isOver(info)) {
        unended.delete(keyOf(order))
        return
      }
      // It leads a process group of its own; the check keeps a number that has changed hands from being hit.
      if (await isInContainer(info.Pid, order.id)) kill(-info.Pid)
    }
    log.warn({ container: order.id }, 'a probe that timed out cannot be ended')
  } catch (error) {
    log.warn({ container: order.id, error: messageOf(error) }, 'a probe that timed out cannot be ended')
  }
}

/** Already gone is success. */
function kill(target: number): void {
  try {
    process.kill(target, 'SIGKILL')
  } catch (error) {
    nullOn('ESRCH')(error)
  }
}
