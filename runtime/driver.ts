import type { TaskId } from '../src/model/ids.ts'
import type { ProbeCheck } from '../src/model/probe.ts'
import type { IsolationOffer } from '../src/model/process.ts'
import type { LogLine, LogOptions } from '../src/model/protocol.ts'
import type { TaskSpec } from '../src/model/task-spec.ts'
import type { OpenedSecrets } from './secrets.ts'

/** What one attempt is, from which every name on the machine is derived. */
export interface AttemptRef {
  readonly task: TaskId
  readonly attempt: number
}

/** What a driver needs to find an attempt again after the agent died; kept in the journal as JSON. */
export interface Handle extends AttemptRef {
  /** Driver's own: container id, attempt directory, ... */
  readonly ref: string
}

export interface Exit {
  /** Null when nothing can know it any more. */
  readonly exitCode: number | null
  readonly signal: string | null
  /** `Completed`, `Error`, `OOMKilled`, `LostUnknownExit`, `HostReboot`, `RuntimeRestart`, `RemovedExternally`, `RestartedExternally`. */
  readonly reason: string
  readonly startedAt: number | null
  readonly finishedAt: number
  /** Null where nothing counted it; of a container the most that was seen while it ran. */
  readonly peakMemoryBytes: number | null
}

export interface Capabilities {
  readonly available: boolean
  /** Version, or why it is not available. */
  readonly detail: string
  /** Where tasks can be kept apart to several degrees: those that this machine can, and the least that its operator wants. */
  readonly isolation?: IsolationOffer
  /** Folder in which its runtime keeps images and containers, where it says so. */
  readonly dataRoot?: string
}

export interface Usage {
  readonly memoryBytes: number
  /** Null where nothing counts it. */
  readonly peakMemoryBytes: number | null
  readonly cpuMicros: number
}

/** Which lines of an attempt; with a range of time, `tail` counts from its end. */
export type LogQuery = Omit<LogOptions, 'attempt'>

export const WHOLE_LOG: LogQuery = { unit: null, tail: null, since: null, until: null, follow: false }

/** The very image of each container, by its name: `name@sha256:...` where a registry knows it, else the image's id. */
export type ResolvedImages = Readonly<Record<string, string>>

/**
 * What an attempt's own health check says, such as Docker's HEALTHCHECK; `none`: it has none, so it is well while it runs.
 * `unhealthy` is a reason to restart it, so only the check itself says that: what ended, is gone or paused is `starting`, or `none`.
 */
export type OwnHealth = 'none' | 'starting' | 'healthy' | 'unhealthy'

export type ProbeResult = { readonly passed: true } | { readonly passed: false; readonly message: string }

/** What a spec only names. */
export interface Prepared {
  /** Folders and files already on this machine, by `artifactKey`: read-only, shared by tasks. */
  readonly artifacts: Readonly<Record<string, string>>
  readonly secrets: OpenedSecrets
}

export interface ProbeRequest {
  readonly check: ProbeCheck
  readonly spec: TaskSpec
  readonly secrets: OpenedSecrets
}

/**
 * Runs attempts on this machine. One conformance suite holds for all of them.
 * Errors: `RetryableError` when a later try may work, `TerminalError` with a reason code when not.
 */
export interface Driver {
  fingerprint(signal: AbortSignal): Promise<Capabilities>
  /** Pull, check users, limits and so on; idempotent. A container whose image is `pinned` gets exactly that one. */
  prepare(spec: TaskSpec, signal: AbortSignal): Promise<ResolvedImages>
  /** At most one start per attempt, through any crash: a repeat adopts what the first one made. */
  start(ref: AttemptRef, spec: TaskSpec, prepared: Prepared): Promise<Handle>
  /** After the agent restarted, or when `start` was cut short. `never-started` is a promise that it never will be. */
  recover(ref: AttemptRef): Promise<{ state: 'attached'; handle: Handle } | { state: 'never-started' } | { state: 'gone' }>
  /** Resolves when it has ended. Abort stops waiting, not the task. @throws StuckError when it has ended but for processes that do not die */
  wait(handle: Handle, signal: AbortSignal): Promise<Exit>
  /** What its own health check says; asked only where the manifest gives no probe. */
  health(handle: Handle): Promise<OwnHealth>
  /**
   * Asks once; an abort is the end of its patience and counts as not passed. Never throws for what the task does.
   * @throws RetryableError, TerminalError when nothing was asked, as with a silent runtime: no result, for nobody knows
   */
  probe(handle: Handle, request: ProbeRequest, signal: AbortSignal): Promise<ProbeResult>
  /** TERM, then KILL of the whole tree after `graceMs`; returns when all of it is gone. Already ended is success. @throws StuckError */
  stop(handle: Handle, graceMs: number): Promise<void>
  /** Every trace of it, logs too. Already gone is success. */
  remove(ref: AttemptRef): Promise<void>
  /** In the order of time, as far as it is known; a line of which it is not may be of any range. */
  logs(handle: Handle, query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine>
  stats(handle: Handle): Promise<Usage>
  /** Everything on this machine that carries this agent's mark, for the orphan sweep. */
  owned(): Promise<readonly AttemptRef[]>
  close(): Promise<void>
}
