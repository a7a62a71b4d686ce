import { z } from 'zod'
import { Reason } from './reason.ts'
import { Hold, Problem } from './records.ts'
import { AttemptRecord, TaskPhase } from './task.ts'

/** What the API returns and `-o json` prints: the contract for scripts. Extend it, don't break it. */

export const Health = z.enum(['Healthy', 'Progressing', 'Degraded', 'Suspended', 'Missing', 'Unknown'])
export type Health = z.infer<typeof Health>

const EvidenceView = z.object({
  task: z.string(),
  attempt: z.number().int(),
  code: z.string(),
  message: z.string(),
  exitCode: z.number().int().nullable(),
  lastLines: z.array(z.string()),
})

const QuarantineView = z.object({
  bad: z.string().nullable(),
  good: z.string().nullable(),
  badRevision: z.string(),
  goodRevision: z.string(),
  reason: z.string(),
  actor: z.string(),
  at: z.string(),
  /** The workload whose failure took this one back with it; null when it was its own, or a person's doing. */
  because: z.string().nullable(),
  evidence: z.array(EvidenceView),
})

/** Counts are of now, and null for a rollout that is over. */
export const RolloutView = z.object({
  id: z.string(),
  app: z.string(),
  namespace: z.string(),
  kind: z.string(),
  workload: z.string(),
  number: z.number().int(),
  phase: z.enum(['Waiting', 'Rolling', 'Paused', 'Proving', 'Complete', 'Failed', 'RolledBack', 'Superseded']),
  intent: z.enum(['Update', 'Restore']),
  cause: z.string(),
  revision: z.string(),
  inputsDigest: z.string(),
  fromRevision: z.string().nullable(),
  fromInputsDigest: z.string().nullable(),
  /** The canary step it is at, from 1; null when it has none, or is past them. */
  step: z.object({ number: z.number().int(), of: z.number().int(), replicas: z.number().int() }).nullable(),
  desired: z.number().int().nullable(),
  updated: z.number().int().nullable(),
  available: z.number().int().nullable(),
  /** When it fails unless it makes progress. */
  deadline: z.string().nullable(),
  /** When its pause ends; null in a pause: `drover promote` ends it. */
  until: z.string().nullable(),
  failure: z.object({ code: z.string(), message: z.string(), because: z.string().nullable(), evidence: z.array(EvidenceView) }).nullable(),
  startedAt: z.string(),
  finishedAt: z.string().nullable(),
})
export type RolloutView = z.infer<typeof RolloutView>

const RunPhase = z.enum(['Pending', 'Running', 'Succeeded', 'Failed', 'Suspended'])

const ScheduleView = z.object({
  /** As git says it, with its time zone; both are null where it starts after others. */
  schedule: z.string().nullable(),
  timeZone: z.string().nullable(),
  after: z.array(z.string()),
  suspend: z.boolean(),
  concurrencyPolicy: z.enum(['Allow', 'Forbid', 'Replace']),
  /** Null while it is suspended, and of one that starts after others. */
  nextRun: z.string().nullable(),
  /** Its newest run. */
  lastRun: z.string().nullable(),
  lastPhase: RunPhase.nullable(),
  lastStartedAt: z.string().nullable(),
  /** Runs that have not ended, oldest first. */
  active: z.array(z.string()),
  missed: z.number().int(),
  lastMissed: z.string().nullable(),
  /** What was due until then is decided: it ran, was missed, or was not wanted; null before the first look. */
  through: z.string().nullable(),
})
export type ScheduleView = z.infer<typeof ScheduleView>

export const WorkloadView = z.object({
  namespace: z.string(),
  kind: z.string(),
  name: z.string(),
  app: z.string(),
  health: Health,
  desired: z.number().int(),
  ready: z.number().int(),
  inputsDigest: z.string(),
  revision: z.string(),
  quarantine: QuarantineView.nullable(),
  /** Why it is not (yet) as git says, worst first; empty when it is. */
  reasons: z.array(Reason),
  /** The newest rollout; null for a Job. */
  rollout: RolloutView.nullable(),
  /** When it runs, and what became of that; null for anything but a CronJob. */
  schedule: ScheduleView.nullable(),
})
export type WorkloadView = z.infer<typeof WorkloadView>

export const AppView = z.object({
  name: z.string(),
  source: z.object({ repo: z.string(), ref: z.string(), path: z.string() }),
  sync: z.enum(['Synced', 'OutOfSync', 'Unknown']),
  health: Health,
  observedRevision: z.string().nullable(),
  lastAttemptedRevision: z.string().nullable(),
  lastAppliedRevision: z.string().nullable(),
  workloads: z.array(WorkloadView),
  problems: z.array(Problem),
  holds: z.array(Hold.omit({ since: true }).extend({ since: z.string() })),
})
export type AppView = z.infer<typeof AppView>

/** Times in views are ISO 8601 in UTC. */
const AttemptView = AttemptRecord.extend({ startedAt: z.string().nullable(), finishedAt: z.string() })
export type AttemptView = z.infer<typeof AttemptView>

export const TaskView = z.object({
  id: z.string(),
  app: z.string(),
  namespace: z.string(),
  kind: z.string(),
  workload: z.string(),
  slot: z.string(),
  /** The run that it is part of; null: of none. */
  run: z.string().nullable(),
  agent: z.string().nullable(),
  phase: TaskPhase,
  desired: z.enum(['run', 'stop']),
  attempt: z.number().int(),
  ready: z.boolean(),
  exitCode: z.number().int().nullable(),
  reasons: z.array(Reason),
  ports: z.record(z.string(), z.number().int()),
  inputsDigest: z.string(),
  revision: z.string(),
  createdAt: z.string(),
  attempts: z.array(AttemptView),
})
export type TaskView = z.infer<typeof TaskView>

export const RunView = z.object({
  id: z.string(),
  app: z.string(),
  namespace: z.string(),
  job: z.string(),
  cronJob: z.string().nullable(),
  /** Counts the runs of its workload. */
  number: z.number().int(),
  slot: z.string().nullable(),
  trigger: z.string(),
  actor: z.string().nullable(),
  /** The run that its graph began with; null: it is in no graph. */
  graph: z.string().nullable(),
  parents: z.array(z.string()),
  phase: RunPhase,
  /** Completions reached. */
  succeeded: z.number().int(),
  /** And wanted; null where what it ran is not known any more. */
  completions: z.number().int().nullable(),
  exitCode: z.number().int().nullable(),
  reason: z.string().nullable(),
  message: z.string().nullable(),
  createdAt: z.string(),
  startedAt: z.string().nullable(),
  finishedAt: z.string().nullable(),
  inputsDigest: z.string(),
  revision: z.string(),
  /** `index` is null in a Global run. */
  attempts: z.array(AttemptView.extend({ task: z.string(), index: z.number().int().nullable() })),
  lastLines: z.array(z.string()),
})
export type RunView = z.infer<typeof RunView>

export const AgentView = z.object({
  id: z.string(),
  status: z.enum(['Ready', 'Suspect', 'Unreachable']),
  version: z.string(),
  labels: z.record(z.string(), z.string()),
  drivers: z.record(z.string(), z.object({ available: z.boolean(), detail: z.string() })),
  capacity: z.object({ cpuMillis: z.number().int(), memoryBytes: z.number().int() }),
  used: z.object({ cpuMillis: z.number().int(), memoryBytes: z.number().int(), tasks: z.number().int() }),
  /** What the machine runs short of: it gets no new tasks then. */
  pressure: z.array(Reason),
  joinedAt: z.string(),
  /** Since when nothing was heard of it; null: it is heard of, or was until a moment ago. */
  silentSince: z.string().nullable(),
  /** What is wrong with it, and what is not done about that. */
  reasons: z.array(Reason),
  /** Why it gets no new tasks; null: it gets them. `leaving`: tasks that are to be gone by the deadline. */
  maintenance: z
    .object({
      phase: z.enum(['Cordoned', 'Draining']),
      since: z.string(),
      deadline: z.string().nullable(),
      actor: z.string(),
      leaving: z.number().int(),
    })
    .nullable(),
})
export type AgentView = z.infer<typeof AgentView>

/** What a machine that was given up leaves: `lost` tasks were on it. */
export const ForgottenView = z.object({ id: z.string(), at: z.string(), actor: z.string(), lost: z.number().int() })
export type ForgottenView = z.infer<typeof ForgottenView>

export const HistoryView = z.object({
  id: z.number().int(),
  revision: z.string(),
  subject: z.string(),
  cause: z.string(),
  outcome: z.string(),
  /** Why it was rolled back. */
  reason: z.string().nullable(),
  startedAt: z.string(),
  finishedAt: z.string().nullable(),
  /** What became of each workload that it changed: the phase of a Deployment's rollout, or of a Job's run. */
  results: z.array(z.object({ workload: z.string(), result: z.string(), rollout: z.string().nullable(), run: z.string().nullable() })),
})
export type HistoryView = z.infer<typeof HistoryView>

export const EventView = z.object({
  id: z.string(),
  at: z.string(),
  object: z.string(),
  app: z.string().nullable(),
  reason: z.string(),
  message: z.string(),
  level: z.enum(['Normal', 'Warning']),
  actor: z.string(),
})
export type EventView = z.infer<typeof EventView>

/** One causal chain: what it is, what it waits for, machine counts, back-off, next wake. */
export const WhyView = z.object({
  object: z.string(),
  health: Health,
  summary: z.string(),
  lines: z.array(z.object({ about: z.string(), reasons: z.array(Reason), until: z.string().nullable() })),
  nextWake: z.string().nullable(),
})
export type WhyView = z.infer<typeof WhyView>

/** The side that does not have the field is absent, as JSON leaves out what is undefined. */
const FieldChangeView = z.object({
  path: z.string(),
  before: z.unknown().optional(),
  after: z.unknown().optional(),
  forcesRestart: z.boolean(),
})

export const PlanView = z.object({
  app: z.string(),
  from: z.string().nullable(),
  to: z.string(),
  changes: z.array(
    z.object({
      action: z.enum(['create', 'update', 'replace', 'delete']),
      namespace: z.string(),
      kind: z.string(),
      name: z.string(),
      fields: z.array(FieldChangeView),
      notes: z.array(z.string()),
    }),
  ),
  counts: z.object({ add: z.number().int(), change: z.number().int(), replace: z.number().int(), destroy: z.number().int() }),
  problems: z.array(Problem),
  /** What will not be applied although git says so: budget, quarantine. */
  holds: z.array(z.string()),
  /** Changed workloads (`Kind NAMESPACE/NAME`) in the order in which they may begin: each waits for those before it that it depends on. */
  order: z.array(z.array(z.string())),
  /** Of everything that the plan was made from and would do; another one means that the world has moved. */
  fingerprint: z.string(),
  /** The same plan as people read it, without colour. */
  text: z.string(),
})
export type PlanView = z.infer<typeof PlanView>

export const VersionView = z.object({ version: z.string(), cluster: z.string(), epoch: z.number().int(), app: z.string().nullable() })
export type VersionView = z.infer<typeof VersionView>

/** What a check found, and what to do about it; null when nothing. */
export const FindingView = z.object({
  check: z.string(),
  verdict: z.enum(['ok', 'warn', 'fail']),
  detail: z.string(),
  fix: z.string().nullable(),
})
export type FindingView = z.infer<typeof FindingView>

/** How the control plane is by its own account; `now` is its clock, for others to compare. */
export const HealthView = z.object({ now: z.string(), findings: z.array(FindingView) })
export type HealthView = z.infer<typeof HealthView>
