import type { ContainerInspectInfo } from 'dockerode'
import type { Millis } from '../../../src/model/ids.ts'
import type { Exit } from '../../driver.ts'
import { signalOf } from '../../exit-signal.ts'

/** How it ended, as the engine tells it: of the memory that it used it keeps nothing. */
export type End = Omit<Exit, 'peakMemoryBytes'>

/** From when to when the daemon did not answer; wall clock, which container times use too. */
export interface Outage {
  readonly from: Millis
  /** Null: it has not come back. */
  readonly to: Millis | null
}

/** What besides the container decides why it ended. */
export interface ExitContext {
  /** This driver told it to stop. */
  readonly stopped: boolean
  readonly outages: readonly Outage[]
  /** When this machine booted; wall clock. */
  readonly bootedAt: Millis
}

/** Clocks are the same, but the stream breaks a moment before or after containers are killed. */
const SLACK: Millis = 2_000
/** Exit codes from here on stand for a death by signal (128 + n), or for one that the daemon did not see (255). */
const FIRST_SIGNAL_CODE = 128

type State = ContainerInspectInfo['State']

/** Docker writes year 1 for "never". */
function timeOf(text: string): Millis | null {
  const at = Date.parse(text)
  return Number.isNaN(at) || at <= 0 ? null : at
}

/** True once a container was started, whatever became of it. */
export const hasBegun = (info: ContainerInspectInfo): boolean => timeOf(info.State.StartedAt) !== null

export const isRunning = ({ State: state }: ContainerInspectInfo): boolean => state.Running || state.Restarting

/**
 * True for one that runs although it has ended before. Drover starts a container once and lets Docker restart none, so
 * somebody else did that: no attempt is this run.
 */
export const isRevived = (info: ContainerInspectInfo): boolean => isRunning(info) && timeOf(info.State.FinishedAt) !== null

/** How a container ended. */
export function endOf(info: ContainerInspectInfo, context: ExitContext): End {
  const startedAt = timeOf(info.State.StartedAt)
  const finishedAt = timeOf(info.State.FinishedAt) ?? startedAt ?? 0
  const reason = reasonOf(info.State, { ...context, startedAt, finishedAt })
  // After a reboot Docker makes up a code.
  const exitCode = reason === 'HostReboot' ? null : info.State.ExitCode
  return {
    exitCode,
    signal: exitCode === null ? null : signalOf(exitCode),
    reason,
    startedAt,
    finishedAt: Math.max(finishedAt, startedAt ?? 0),
  }
}

interface Times {
  readonly startedAt: Millis | null
  readonly finishedAt: Millis
}

/** First match decides. */
function reasonOf(state: State, context: ExitContext & Times): string {
  if (state.OOMKilled) return 'OOMKilled'
  if (state.ExitCode === 0) return 'Completed'
  if (diedInReboot(context)) return 'HostReboot'
  if (looksKilledByDaemon(state.ExitCode, context) && endedInOutage(context)) return 'RuntimeRestart'
  return 'Error'
}

/** It ran before the boot and was found dead after it. */
const diedInReboot = ({ startedAt, finishedAt, bootedAt }: ExitContext & Times): boolean =>
  startedAt !== null && startedAt < bootedAt - SLACK && finishedAt >= bootedAt - SLACK

/** A daemon without live-restore kills its containers as it ends or as it starts again. */
export const looksKilledByDaemon = (exitCode: number, { stopped }: Pick<ExitContext, 'stopped'>): boolean =>
  !stopped && exitCode >= FIRST_SIGNAL_CODE

const endedInOutage = ({ finishedAt, outages }: ExitContext & Times): boolean =>
  outages.some(({ from, to }) => finishedAt >= from - SLACK && (to === null || finishedAt <= to + SLACK))

/** The record of a container that somebody else started again: its own exit code is gone. */
export const restartedExternally = ({ State: state }: ContainerInspectInfo): End => ({
  exitCode: null,
  signal: null,
  reason: 'RestartedExternally',
  startedAt: null,
  finishedAt: timeOf(state.FinishedAt) ?? 0,
})

/** The record of a container that somebody else removed: nothing can know its exit code. */
export const removedExternally = (now: Millis): End => ({
  exitCode: null,
  signal: null,
  reason: 'RemovedExternally',
  startedAt: null,
  finishedAt: now,
})
