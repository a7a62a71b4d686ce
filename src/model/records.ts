import { z } from 'zod'
import { AgentId, Digest, Oid, RunId, TaskId, WorkloadKey } from './ids.ts'
import { StoredPolicy } from './manifest.ts'
import { IsolationOffer } from './process.ts'
import { Reason } from './reason.ts'
import { Evidence, ImagePins, Rollout, RootCause, Target } from './rollout.ts'
import { AttemptRecord, Observed, Task } from './task.ts'
import { DriverName } from './task-spec.ts'
import { AuthorityRecord, TokenRecord } from './trust.ts'

/** A mistake in a manifest, where it is and how to mend it. Lines and columns count from 1. */
export const Problem = z.object({
  file: z.string(),
  line: z.number().int(),
  column: z.number().int(),
  message: z.string(),
  hint: z.string().nullable(),
})
export type Problem = z.infer<typeof Problem>

export const AppSource = z.object({
  /** Local path (read in place) or https, http, file or ssh URL. */
  repo: z.string(),
  ref: z.string(),
  path: z.string(),
})
export type AppSource = z.infer<typeof AppSource>

/** Something that keeps an app from being Synced, as data. */
export const Hold = z.object({
  gate: z.enum([
    'SourceError',
    'InvalidManifests',
    'EmptySource',
    'DeletionBudget',
    'Quarantine',
    'Conflict',
    'Manual',
    'PruneDisabled',
    /** Shown and never stored: the store takes no writes. */
    'StoreReadOnly',
  ]),
  message: z.string(),
  since: z.number(),
  /** The command or change that lifts it. */
  unblockBy: z.string(),
})
export type Hold = z.infer<typeof Hold>

export const AppRecord = z.object({
  name: z.string(),
  source: AppSource,
  policy: StoredPolicy,
  createdAt: z.number(),
  /** Newest commit seen on the ref, `main@sha1:<oid>`; null until the first successful poll. */
  observedRevision: z.string().nullable(),
  /** Set when a sync begins; `lastAppliedRevision` when its writes are committed. */
  lastAttemptedRevision: z.string().nullable(),
  lastAppliedRevision: z.string().nullable(),
  /** Id of the newest revision record, 0 for none. */
  lastRevisionId: z.number().int(),
  problems: z.array(Problem),
  holds: z.array(Hold),
})
export type AppRecord = z.infer<typeof AppRecord>

/** One sync or rollback of an app that changed, or tried to change, what runs. */
export const RevisionRecord = z.object({
  id: z.number().int().positive(),
  app: z.string(),
  revision: z.string(),
  commit: Oid,
  subject: z.string(),
  cause: z.string(),
  /** Blob with the `Rendered` set; null when nothing of it was valid. */
  rendered: Digest.nullable(),
  outcome: z.enum(['Progressing', 'Healthy', 'Degraded', 'RolledBack', 'Superseded', 'Rejected']),
  /** Why it was rolled back; null while it was not. */
  reason: z.string().nullable().default(null),
  /** Until when all of an atomic app must be healthy; null where each workload stands for itself. */
  deadlineAt: z.number().nullable().default(null),
  startedAt: z.number(),
  finishedAt: z.number().nullable(),
})
export type RevisionRecord = z.infer<typeof RevisionRecord>

/** A rendered revision: every workload of the app by key, as the digest of its version blob. */
export const Rendered = z.object({ workloads: z.record(WorkloadKey, Digest) })
export type Rendered = z.infer<typeof Rendered>

/** Pointer to what a workload should run now. */
export const WorkloadRecord = z.object({
  key: WorkloadKey,
  app: z.string(),
  revision: z.string(),
  inputsDigest: Digest,
  templateDigest: Digest,
  file: z.string(),
  /** False once it is pruned: its tasks stop, then the record goes. */
  wanted: z.boolean(),
  generation: z.number().int(),
  /** `Restore`: a person or a failed rollout brought it back to what ran before. */
  intent: z.enum(['Update', 'Restore']).default('Update'),
  /** Who or what set the pointer: `poll`, `sync by ann`, `rollback to 2 by ann`, `automatic rollback`. */
  cause: z.string().default('poll'),
  /** The last version that was healthy (of an atomic app: with all of its revision); null when none ever was. */
  good: Target.nullable().default(null),
  createdAt: z.number(),
  updatedAt: z.number(),
})
export type WorkloadRecord = z.infer<typeof WorkloadRecord>

/** "This digest failed or was rolled back; stay on that good one." `null` stands for "not there". */
export const Quarantine = z.object({
  workload: WorkloadKey,
  app: z.string(),
  bad: Digest.nullable(),
  good: Digest.nullable(),
  badRevision: z.string(),
  goodRevision: z.string(),
  reason: z.string(),
  actor: z.string(),
  at: z.number(),
  /** What failed, where it was not this workload itself. */
  because: RootCause.nullable().default(null),
  /** Number in the history of the revision that failed by itself; null when a person rolled it back. */
  revisionId: z.number().int().nullable().default(null),
  evidence: z.array(Evidence).default([]),
})
export type Quarantine = z.infer<typeof Quarantine>

/** One execution of a Job, of a slot of a CronJob, or of a person's word; its result outlives its tasks. */
export const Run = z.object({
  id: RunId,
  workload: WorkloadKey,
  app: z.string(),
  /** Counts the runs of its workload, from 1; 0 in records of before there were numbers. */
  number: z.number().int().default(0),
  /** `Sync`, `Schedule`, `After`, or of a person: `Manual`, `Rerun`. */
  trigger: z.string(),
  /** The person who asked for it. */
  actor: z.string().nullable().default(null),
  /** The time in the schedule that it stands for, or that its graph does. */
  slot: z.number().nullable().default(null),
  /** The run that its graph began with, itself maybe; null: it is in no graph. */
  graph: RunId.nullable().default(null),
  /** Runs whose success started it. */
  parents: z.array(RunId).default([]),
  phase: z.enum(['Pending', 'Running', 'Succeeded', 'Failed', 'Suspended']),
  exitCode: z.number().int().nullable(),
  reason: z.string().nullable(),
  /** What the reason does not say. */
  message: z.string().nullable().default(null),
  createdAt: z.number(),
  /** When it was allowed to start tasks; anew after it was suspended. */
  startedAt: z.number().nullable(),
  finishedAt: z.number().nullable(),
  inputsDigest: Digest,
  templateDigest: Digest,
  revision: z.string(),
  /** Of tasks that are counted here and may be forgotten: indexes as in `0-5,7`, and failed attempts. */
  succeeded: z.string().default(''),
  failedIndexes: z.string().default(''),
  failures: z.number().int().default(0),
  /** Failed attempts of each index that is not done, where each has a limit of its own. */
  indexFailures: z.record(z.string(), z.number().int()).default({}),
  /** Tasks that are counted above and still there. */
  counted: z.array(TaskId).default([]),
  attempts: z.array(AttemptRecord.extend({ task: TaskId, index: z.number().int().nullable() })),
  /** Last words of the attempt that ended it, when it failed. */
  lastLines: z.array(z.string()).default([]),
  images: ImagePins.default({}),
  /** When all but the fact that it ran was dropped. */
  buriedAt: z.number().nullable().default(null),
})
export type Run = z.infer<typeof Run>

/** How far the schedule of a CronJob is decided, or the graph before it. */
export const CronState = z.object({
  workload: WorkloadKey,
  /** Slots until then are decided, whatever the clock says later. */
  through: z.number(),
  /** What this is about: a schedule and its time zone, or `after` and names; null: it was removed, and begins anew if it returns. */
  schedule: z.string().nullable(),
  /** Runs of the graph that start nothing, each with the sum of its parents' numbers then: any of them that is run again makes it more. */
  passed: z.record(RunId, z.number().int()).default({}),
  /** Slots that passed without a run since it was created, and the latest of them. */
  missed: z.number().int(),
  lastMissed: z.number().nullable(),
})
export type CronState = z.infer<typeof CronState>

export const Capacity = z.object({
  cpuMillis: z.number().int(),
  memoryBytes: z.number().int(),
  /** Inclusive range of ports the scheduler may give. */
  ports: z.object({ from: z.number().int(), to: z.number().int() }),
})
export type Capacity = z.infer<typeof Capacity>

/** Why a machine gets no new tasks. */
export const Maintenance = z.object({
  /** `Draining`: what runs to an end may do so until the deadline, what keeps running moves to other machines. */
  phase: z.enum(['Cordoned', 'Draining']),
  since: z.number(),
  deadlineAt: z.number().nullable(),
  actor: z.string(),
})
export type Maintenance = z.infer<typeof Maintenance>

/** Nothing was heard of a machine for so long that nobody knows how its tasks are. */
export const Silence = z.object({
  since: z.number(),
  /** It fell silent with most others at once: nothing of it is replaced while that is so. */
  spared: z.boolean(),
})
export type Silence = z.infer<typeof Silence>

export const AgentRecord = z.object({
  id: AgentId,
  /** Changes when the state directory does: a clone of a machine is refused. */
  instance: z.string(),
  bootId: z.string(),
  version: z.string(),
  capacity: Capacity,
  /** Labels and attributes together: os, arch, hostname and what the operator gave. */
  labels: z.record(z.string(), z.string()),
  drivers: z.record(DriverName, z.object({ available: z.boolean(), detail: z.string(), isolation: IsolationOffer.exactOptional() })),
  /** What the machine runs short of, such as `DiskPressure`. */
  pressure: z.array(Reason).default([]),
  joinedAt: z.number(),
  maintenance: Maintenance.nullable().default(null),
  /** Null: it is heard of, or was until a moment ago. */
  silence: Silence.nullable().default(null),
})
export type AgentRecord = z.infer<typeof AgentRecord>

/** A machine that an operator gave up: whoever bears its name is refused until it is admitted again. */
export const ForgottenAgent = z.object({ id: AgentId, instance: z.string(), at: z.number(), actor: z.string() })
export type ForgottenAgent = z.infer<typeof ForgottenAgent>

export const EventRecord = z.object({
  id: z.string(),
  at: z.number(),
  /** `app/NAME`, `deployment/NS/NAME`, `task/ID`, `agent/ID`. */
  object: z.string(),
  app: z.string().nullable(),
  reason: z.string(),
  message: z.string(),
  level: z.enum(['Normal', 'Warning']),
  actor: z.string(),
})
export type EventRecord = z.infer<typeof EventRecord>

/** Who a cluster is, at the store's key `cluster`. */
export const ClusterIdentity = z.object({
  id: z.string().min(1),
  createdAt: z.number(),
  /** Added to the store's epochs; raised when the store goes back, so that agents take no new leader for an old one. */
  epochBase: z.number().int().nonnegative().default(0),
  /** How many backups were restored into it, one after another, and when the last one was; null: none. */
  incarnation: z.number().int().nonnegative().default(0),
  restoredAt: z.number().nullable().default(null),
})
export type ClusterIdentity = z.infer<typeof ClusterIdentity>

/** Every table of the store and the record it holds. */
export const TABLES = {
  apps: AppRecord,
  revisions: RevisionRecord,
  workloads: WorkloadRecord,
  tasks: Task,
  observed: Observed,
  rollouts: Rollout,
  runs: Run,
  schedules: CronState,
  agents: AgentRecord,
  forgotten: ForgottenAgent,
  quarantine: Quarantine,
  events: EventRecord,
  authorities: AuthorityRecord,
  tokens: TokenRecord,
} as const

export type Table = keyof typeof TABLES
export type RecordOf<T extends Table> = z.infer<(typeof TABLES)[T]>

/** One intended change of a table; `core` returns them, `control` commits them. */
export type Write = { [T in Table]: { table: T; id: string; value: RecordOf<T> } | { table: T; id: string; value: null } }[Table]
