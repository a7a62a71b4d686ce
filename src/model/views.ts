import { z } from 'zod'
import { Reason } from './reason.ts'
import { Hold, Problem } from './records.ts'
import { AttemptRecord, TaskPhase } from './task.ts'

/** What the API returns and `-o json` prints: the contract for scripts. Extend it, don't break it. */

export const Health = z.enum(['Healthy', 'Progressing', 'Degraded', 'Suspended', 'Missing', 'Unknown'])
export type Health = z.infer<typeof Health>

const QuarantineView = z.object({
  bad: z.string().nullable(),
  good: z.string().nullable(),
  badRevision: z.string(),
  goodRevision: z.string(),
  reason: z.string(),
  actor: z.string(),
  at: z.string(),
})

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
export const TaskView = z.object({
  id: z.string(),
  app: z.string(),
  namespace: z.string(),
  kind: z.string(),
  workload: z.string(),
  slot: z.string(),
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
  attempts: z.array(
    AttemptRecord.omit({ startedAt: true, finishedAt: true }).extend({ startedAt: z.string().nullable(), finishedAt: z.string() }),
  ),
})
export type TaskView = z.infer<typeof TaskView>

export const RunView = z.object({
  id: z.string(),
  app: z.string(),
  namespace: z.string(),
  job: z.string(),
  cronJob: z.string().nullable(),
  slot: z.string().nullable(),
  trigger: z.string(),
  phase: z.enum(['Pending', 'Running', 'Succeeded', 'Failed', 'Suspended']),
  exitCode: z.number().int().nullable(),
  reason: z.string().nullable(),
  startedAt: z.string().nullable(),
  finishedAt: z.string().nullable(),
  inputsDigest: z.string(),
  revision: z.string(),
  attempts: z.array(
    z.object({
      task: z.string(),
      attempt: z.number().int(),
      index: z.number().int(),
      exitCode: z.number().int().nullable(),
      reason: z.string(),
      startedAt: z.string().nullable(),
      finishedAt: z.string(),
    }),
  ),
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
  joinedAt: z.string(),
})
export type AgentView = z.infer<typeof AgentView>

export const HistoryView = z.object({
  id: z.number().int(),
  revision: z.string(),
  subject: z.string(),
  cause: z.string(),
  outcome: z.string(),
  startedAt: z.string(),
  finishedAt: z.string().nullable(),
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
  /** The same plan as people read it, without colour. */
  text: z.string(),
})
export type PlanView = z.infer<typeof PlanView>

export const VersionView = z.object({ version: z.string(), cluster: z.string(), epoch: z.number().int(), app: z.string().nullable() })
export type VersionView = z.infer<typeof VersionView>
