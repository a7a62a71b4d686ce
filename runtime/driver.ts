import type { TaskId } from '../src/model/ids.ts'
import type { LogLine } from '../src/model/protocol.ts'
import type { TaskSpec } from '../src/model/task-spec.ts'

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
  /** `Completed`, `Error`, `OOMKilled`, `LostUnknownExit`, `HostReboot`, `RuntimeRestart`, `RemovedExternally`. */
  readonly reason: string
  readonly startedAt: number | null
  readonly finishedAt: number
}

export interface Capabilities {
  readonly available: boolean
  /** Version, or why it is not available. */
  readonly detail: string
}

export interface Usage {
  readonly memoryBytes: number
  readonly peakMemoryBytes: number
  readonly cpuMicros: number
}

export interface LogQuery {
  readonly unit: string | null
  readonly tail: number | null
  readonly follow: boolean
}

/** Trees already on this machine, by oid: read-only folders, shared by tasks. */
export interface PreparedFiles {
  readonly trees: Readonly<Record<string, string>>
}

/**
 * Runs attempts on this machine. One conformance suite holds for all of them.
 * Errors: `RetryableError` when a later try may work, `TerminalError` with a reason code when not.
 */
export interface Driver {
  fingerprint(signal: AbortSignal): Promise<Capabilities>
  /** Pull, check users, limits and so on; idempotent. */
  prepare(spec: TaskSpec, signal: AbortSignal): Promise<void>
  /** At most one start per attempt, through any crash: a repeat adopts what the first one made. */
  start(ref: AttemptRef, spec: TaskSpec, files: PreparedFiles): Promise<Handle>
  /** After the agent restarted, or when `start` was cut short. `never-started` is a promise that it never will be. */
  recover(ref: AttemptRef): Promise<{ state: 'attached'; handle: Handle } | { state: 'never-started' } | { state: 'gone' }>
  /** Resolves when it has ended. Abort stops waiting, not the task. */
  wait(handle: Handle, signal: AbortSignal): Promise<Exit>
  /** False until it may count as ready; a driver without a notion of it says true while it runs. */
  ready(handle: Handle): Promise<boolean>
  /** TERM, then KILL of the whole tree after `graceMs`; returns when all of it is gone. Already ended is success. */
  stop(handle: Handle, graceMs: number): Promise<void>
  /** Every trace of it, logs too. Already gone is success. */
  remove(ref: AttemptRef): Promise<void>
  logs(handle: Handle, query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine>
  stats(handle: Handle): Promise<Usage>
  /** Everything on this machine that carries this agent's mark, for the orphan sweep. */
  owned(): Promise<readonly AttemptRef[]>
  close(): Promise<void>
}
