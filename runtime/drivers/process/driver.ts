import { readdir, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Clock } from '../../../src/lib/clock.ts'
import { messageOf, nullOn, TerminalError } from '../../../src/lib/errors.ts'
import type { Logger } from '../../../src/lib/log.ts'
import { DEFAULT_PROCESS_POLICY, type ProcessPolicy } from '../../../src/model/process-policy.ts'
import { PROCESSES_NOT_ALLOWED } from '../../../src/model/reason.ts'
import type { AttemptRef, Capabilities, Driver, Exit, Handle, Usage } from '../../driver.ts'
import { createSerial } from '../../serial.ts'
import { abandonUnlessClaimed } from './abandon.ts'
import { readIntent, readResult } from './attempt.ts'
import { leafUsage } from './cgroup.ts'
import { removeBases } from './cgroup-tree.ts'
import { type Context, type LogLimits, leaves, look, once } from './context.ts'
import { type Facts, probeFacts } from './facts.ts'
import { isolationsOf, sandboxRefusal } from './isolation.ts'
import { Launcher } from './launcher.ts'
import { DEFAULT_LOG_LIMITS, rotateIfLarge } from './log-rotate.ts'
import { keepTimes } from './log-times.ts'
import { readLogs } from './logs.ts'
import { handleOf, keyOf, layoutOf, pathsOf, refOf } from './names.ts'
import { prepareTask } from './prepare.ts'
import { probeAttempt } from './probe.ts'
import { usageOf } from './proc.ts'
import { DEFAULT_PATH } from './program.ts'
import { giveBackFolder } from './secret-env.ts'
import { exitOf, settle } from './settle.ts'
import { startAttempt } from './start.ts'
import { emptyTrash, removeAttempt, stopAttempt } from './stop.ts'
import { DirectoryWatch } from './watch.ts'

export interface ProcessDriverOptions {
  /** Without newlines; this driver's alone, one driver at a time. */
  readonly stateDir: string
  /** Name of the agent; cgroups carry it. */
  readonly agent: string
  readonly clock: Clock
  readonly log: Logger
  /** What tasks may do here; null: nothing, all are refused. */
  readonly policy: ProcessPolicy | null
  /** With state of the agent or the control plane, beside `stateDir`: no sandbox shows them. */
  readonly privateDirs?: readonly string[]
  readonly logLimits?: LogLimits
  /** The agent's own environment, of which a task gets what the policy passes on and nothing else. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** How often a waiting driver looks where no event says so: for a killed shim and for large logs. Milliseconds. */
const WAIT_POLL_MS = 2_000
const SILENT_POLL_MS = 250

/**
 * Runs plain processes: each is started through a shim that outlives the agent and keeps its exit code on disk.
 * Nothing runs without a policy.
 */
export function createProcessDriver(options: ProcessDriverOptions): Driver {
  const context = contextOf(options)
  const { starting } = context
  if (context.processes === 'Allowed') context.launcher.warm()
  return {
    fingerprint: () => fingerprint(context),
    prepare: async (spec) => {
      checkAllowed(context)
      await prepareTask(context, spec)
      return {}
    },
    start: async (ref, spec, prepared) => {
      checkAllowed(context)
      await once(starting, keyOf(ref), () => startAttempt(context, ref, { task: spec, prepared }))
      return handleOf(ref)
    },
    recover: (ref) => recover(context, ref),
    wait: (handle, signal) => wait(context, handle, signal),
    health: async () => 'none',
    probe: async (handle, request, signal) => {
      if (request.check.type === 'exec') checkAllowed(context)
      return await probeAttempt(context, handle, request, signal)
    },
    stop: (handle, graceMs) => stopAttempt(context, handle, graceMs),
    remove: (ref) => removeAttempt(context, ref),
    logs: (handle, query, signal) => readLogs(context, handle, { ...query, signal }),
    stats: (handle) => stats(context, handle),
    owned: () => owned(context),
    close: () => close(context),
  }
}

function contextOf(options: ProcessDriverOptions): Context {
  const { stateDir, agent, clock, log, env = process.env, privateDirs = [] } = options
  if (stateDir.includes('\n')) throw new Error('a state directory cannot have a newline in its path')
  const layout = layoutOf(resolve(stateDir))
  const policy = options.policy ?? DEFAULT_PROCESS_POLICY
  const path = env.PATH ?? DEFAULT_PATH
  const known: { facts: Promise<Facts> | null; found: Facts | null } = { facts: null, found: null }
  return {
    layout,
    clock,
    log,
    processes: options.policy === null ? 'Refused' : 'Allowed',
    policy,
    privateDirs: [stateDir, layout.foreign, ...privateDirs].map((dir) => resolve(dir)),
    logLimits: options.logLimits ?? DEFAULT_LOG_LIMITS,
    env: Object.fromEntries(policy.passEnvironment.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]]))),
    path,
    launcher: new Launcher(log, path),
    probed: () => known.found,
    facts: () => {
      known.facts ??= probeFacts(`drover-${agent}-${layout.mark}`, path).then((found) => {
        known.found = found
        return found
      })
      return known.facts
    },
    accounts: new WeakMap(),
    starting: new Map(),
    ending: new Map(),
    times: new Map(),
    logTurns: createSerial(),
    silentSince: new Map(),
  }
}

function checkAllowed({ processes }: Context): void {
  if (processes === 'Refused')
    throw new TerminalError(PROCESSES_NOT_ALLOWED, 'this agent does not run process tasks: start it with --allow-processes')
}

async function fingerprint(context: Context): Promise<Capabilities> {
  if (context.processes === 'Refused')
    return { available: false, detail: `${PROCESSES_NOT_ALLOWED}: start the agent with --allow-processes` }
  try {
    const facts = await context.facts()
    await emptyTrash(context)
    const isolation = { offered: isolationsOf(facts), minimum: context.policy.minIsolation }
    return { available: true, detail: detailOf(facts), isolation }
  } catch (error) {
    return { available: false, detail: messageOf(error) }
  }
}

function detailOf(facts: Facts): string {
  const { cgroups, setpriv } = facts
  const refusal = sandboxRefusal(facts)
  const abilities = [...new Set(cgroups.flatMap((hierarchy) => [...hierarchy.abilities]))].sort()
  const limits = abilities.length === 0 ? 'no cgroups' : `cgroups: ${abilities.join(' ')}`
  const rights = setpriv === null ? 'no setpriv' : 'no new privileges'
  return `${limits}; ${rights}; ${refusal === null ? 'sandbox' : `no sandbox: ${refusal}`}`
}

async function recover(context: Context, ref: AttemptRef): ReturnType<Driver['recover']> {
  if (await abandonUnlessClaimed(context, ref)) return { state: 'never-started' }
  await rm(pathsOf(context.layout, ref).script, { force: true })
  return { state: 'attached', handle: handleOf(ref) }
}

async function wait(context: Context, handle: Handle, signal: AbortSignal): Promise<Exit> {
  const over = new AbortController()
  const end = (): void => over.abort()
  signal.addEventListener('abort', end, { once: true })
  const noting = keepTimes(context, pathsOf(context.layout, handle), over.signal)
  try {
    return await untilOver(context, handle, signal)
  } finally {
    signal.removeEventListener('abort', end)
    end()
    await noting
  }
}

async function untilOver(context: Context, handle: Handle, signal: AbortSignal): Promise<Exit> {
  const paths = pathsOf(context.layout, handle)
  const watch = new DirectoryWatch([paths.dir], context.clock)
  try {
    for (;;) {
      signal.throwIfAborted()
      const result = await settle(context, handle)
      if (result !== null) return exitOf(result)
      await rotateIfLarge(context, paths)
      await watch.changed(context.silentSince.has(paths.key) ? SILENT_POLL_MS : WAIT_POLL_MS, signal)
    }
  } finally {
    watch.close()
  }
}

async function stats(context: Context, handle: Handle): Promise<Usage> {
  const paths = pathsOf(context.layout, handle)
  const [result, intent] = await Promise.all([readResult(paths), readIntent(paths)])
  if (result !== null) return { memoryBytes: 0, peakMemoryBytes: result.peakMemoryBytes, cpuMicros: result.cpuMicros }
  const measured = intent?.cgroups ? await leafUsage(await leaves(context, handle)) : null
  if (measured !== null) return measured
  const { task, group } = await look(context, handle)
  return task === null || group === null ? { memoryBytes: 0, peakMemoryBytes: null, cpuMicros: 0 } : usageOf(task.pid)
}

/** Tasks go on; only what is empty is given back: the launcher, the folder of secrets, and cgroups without tasks. */
async function close(context: Context): Promise<void> {
  await context.launcher.close()
  await giveBackFolder(context)
  await removeBases(context.probed()?.cgroups ?? [])
}

async function owned({ layout }: Context): Promise<AttemptRef[]> {
  const names = (await readdir(layout.attempts).catch(nullOn('ENOENT'))) ?? []
  return names.map(refOf).filter((ref) => ref !== null)
}
