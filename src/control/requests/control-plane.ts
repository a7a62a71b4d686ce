import type { BackupLine } from '../../model/backup.ts'
import type { WorkloadKind } from '../../model/ids.ts'
import type { LogLine, LogOptions } from '../../model/protocol.ts'
import type {
  AgentView,
  AppView,
  EventView,
  ForgottenView,
  HealthView,
  HistoryView,
  PlanView,
  RolloutView,
  RunView,
  TaskView,
  VersionView,
  WhyView,
  WorkloadView,
} from '../../model/views.ts'

/**
 * What people and programs may ask of the control plane; the HTTP API is a thin skin over it.
 * Reads come from memory. @throws RequestError with a code that maps to one HTTP status and exit code.
 */
export interface ControlPlane {
  version(): VersionView
  apps(): AppView[]
  app(name: string): AppView
  workloads(): WorkloadView[]
  /** `run` narrows it. */
  tasks(filter?: { run?: string }): TaskView[]
  task(id: string): TaskView
  runs(): RunView[]
  /** One of them: a list of long runs is long itself. */
  oneRun(id: string): RunView
  agents(): AgentView[]
  /** Newest first. */
  rollouts(): RolloutView[]
  history(app: string): HistoryView[]
  /** Oldest first; `object` and `app` narrow it. */
  events(filter: { object?: string; app?: string }): EventView[]
  /** `object` is `deployment/NAME`, `job/NAME`, `cronjob/NAME`, `task/ID`, `run/ID`, `app/NAME`, `agent/NAME`. */
  why(object: string, namespace: string): WhyView
  /** Manifest of one revision as it is applied: canonical objects after defaulting and linking. */
  render(app: string, request: PlanRequest): Promise<{ revision: string; objects: unknown[] }>
  plan(app: string, request: PlanRequest): Promise<PlanView>
  /** Polls git now; resolves when the resulting writes are committed. */
  sync(app: string, request: SyncRequest): Promise<AppView>
  rollback(app: string, request: RollbackRequest): Promise<{ app: AppView; to: HistoryView; revertCommit: string | null }>
  /** Goes on past a canary pause, or tries a failed rollout that is held again. */
  promote(workload: WorkloadRef, actor: string): Promise<WorkloadView>
  /** Ends a rollout under way as failed: back to the last good version. */
  abort(workload: WorkloadRef, actor: string): Promise<WorkloadView>
  /** Takes a machine out of service, or back into it. */
  maintain(agent: string, request: MaintenanceRequest): Promise<AgentView>
  /** Gives up a machine that will not return: its tasks are lost at once, and its name is refused until it is admitted. */
  forget(agent: string, request: ForgetRequest): Promise<ForgottenView>
  /** Lets a machine that was given up join again. */
  admit(agent: string, actor: string): Promise<ForgottenView>
  /** A run of a Job or a CronJob now. */
  run(workload: WorkloadRef, actor: string): Promise<RunView>
  /** A run again with what git says now: of a Job it, of a CronJob this node of its graph. */
  rerun(run: string, actor: string): Promise<RunView>
  logs(task: string, options: LogOptions, signal: AbortSignal): Promise<AsyncIterable<LogLine>>
  /** @throws RequestError `Unavailable` with the reason where this process does not lead, or cannot write. */
  ready(): void
  /** What the control plane itself finds amiss, of its store and its agents. */
  health(): Promise<HealthView>
  /** Everything in the store at one revision: what `drover restore` brings back. */
  backup(): Promise<AsyncIterable<BackupLine>>
  /** Yields whenever anything readable may have changed, at most once a turn; ends on abort. */
  changes(signal: AbortSignal): AsyncIterable<void>
}

/** Null: the app's own ref. Files given instead of a repository are planned as they are. */
export interface PlanRequest {
  readonly ref: string | null
  readonly files: readonly { readonly path: string; readonly text: string }[] | null
}

export interface WorkloadRef {
  readonly namespace: string
  readonly kind: WorkloadKind
  readonly name: string
}

/** What a person wants of a machine. */
export type MaintenanceRequest =
  | { readonly verb: 'cordon' | 'uncordon'; readonly actor: string }
  /** Tasks that run to an end may do so for so long. */
  | { readonly verb: 'drain'; readonly deadlineSeconds: number; readonly actor: string }

export interface ForgetRequest {
  /** `Forget`: also one that is connected now; it is told to stop all that it runs. */
  readonly connected: 'Refuse' | 'Forget'
  readonly actor: string
}

export interface SyncRequest {
  /** Lets this revision remove more than the deletion budget, or empty the app. */
  readonly allowDelete: 'WithinBudget' | 'Any'
  /** Apply exactly what this plan said: a Conflict when the world has moved since. Null: whatever git says now. */
  readonly plan: { readonly revision: string; readonly fingerprint: string } | null
  /** `Quarantined`: lift what automatic rollbacks hold, and try it again. */
  readonly retry: 'No' | 'Quarantined'
  readonly actor: string
}

export interface RollbackRequest {
  /** History id, or a commit (4 to 40 hex digits), or a whole revision. */
  readonly to: string
  readonly revert: 'No' | 'CommitToGit'
  readonly actor: string
}

/** `Unauthorized`: who asks is not known; `Forbidden`: known, and may not. */
export type RequestErrorCode = 'NotFound' | 'Conflict' | 'Invalid' | 'Unavailable' | 'Unauthorized' | 'Forbidden'

/** The request cannot be done; the message says why and what to do. */
export class RequestError extends Error {
  override name = 'RequestError'
  readonly code: RequestErrorCode
  constructor(code: RequestErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
