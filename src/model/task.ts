import { z } from 'zod'
import { AgentId, Digest, RunId, TaskId, WorkloadKey } from './ids.ts'
import { Reason } from './reason.ts'

/** What people see. `Pending` and `Unknown` are derived by the leader; an agent never reports them. */
export const TaskPhase = z.enum([
  'Pending',
  'Assigned',
  'Preparing',
  'Starting',
  'Running',
  'Stopping',
  'Succeeded',
  'Failed',
  'Stopped',
  'Unknown',
  'Lost',
  'Rejected',
])
export type TaskPhase = z.infer<typeof TaskPhase>

/**
 * One placement of a Workload's template on one agent, in a slot.
 * Written by the leader only. After creation just `agent` and `ports` (once, when it is placed)
 * and `desired` with `generation` move, and `desired` only forward: run -> stop.
 */
export const Task = z.object({
  id: TaskId,
  workload: WorkloadKey,
  app: z.string(),
  /** Replica number, agent id (Global) or completion number (Job). */
  slot: z.string(),
  run: RunId.nullable(),
  agent: AgentId.nullable(),
  /** Host ports given by the scheduler, by port name. */
  ports: z.record(z.string(), z.number().int()),
  /** The version (all inputs) it was created from; a blob of that digest holds it. */
  inputsDigest: Digest,
  /** What decides whether a running task is still right: template, configs, trees. */
  templateDigest: Digest,
  revision: z.string(),
  desired: z.enum(['run', 'stop']),
  /** Why it was told to stop, where that is no choice of its workload: `Drained`, `AgentUnreachable`. */
  stopReason: z.string().nullable().default(null),
  generation: z.number().int(),
  maxRestarts: z.number().int().nullable(),
  createdAt: z.number(),
})
export type Task = z.infer<typeof Task>

/** Phases an agent reports, in their order inside one attempt. */
export const ObservedPhase = z.enum(['Preparing', 'Starting', 'Running', 'Stopping', 'Succeeded', 'Failed', 'Stopped', 'Lost', 'Rejected'])
export type ObservedPhase = z.infer<typeof ObservedPhase>

/** The one terminal record of an attempt. `exitCode` is null when nothing can know it. */
export const AttemptRecord = z.object({
  attempt: z.number().int().positive(),
  exitCode: z.number().int().nullable(),
  signal: z.string().nullable(),
  /** `Completed`, `Error`, `OOMKilled`, `StartFailed`, `LostUnknownExit`, `HostReboot`, `RuntimeRestart`, `Stopped`, ... */
  reason: z.string(),
  message: z.string().nullable(),
  startedAt: z.number().nullable(),
  finishedAt: z.number(),
  /** Most memory that it used at once, as the kernel counts it (page cache included); null where nothing counted. */
  peakMemoryBytes: z.number().int().nonnegative().nullable().default(null),
})
export type AttemptRecord = z.infer<typeof AttemptRecord>

/** How many attempt records travel with a task; older ones are in its log directory only. */
export const ATTEMPTS_KEPT = 20

/** Lines of output that travel with a task that failed, and characters of each. */
export const LAST_LINES = 10
export const LAST_LINE_MAX = 300

/** What an agent says of one task. Ordered by (attempt, phase); an older one never replaces a newer. */
export const TaskStatus = z.object({
  task: TaskId,
  attempt: z.number().int().nonnegative(),
  phase: ObservedPhase,
  ready: z.boolean(),
  /** Failed attempts so far, over the whole life of the task. */
  failures: z.number().int().nonnegative(),
  reasons: z.array(Reason),
  /** When the next start is due while it backs off; agent's wall clock. */
  backoffUntil: z.number().nullable(),
  startedAt: z.number().nullable(),
  attempts: z.array(AttemptRecord),
  /** What each image was resolved to, by container name; empty before it was prepared, or where there are none. */
  images: z.record(z.string(), z.string()).default({}),
  /** Last words of the newest attempt that failed, or of the one whose probe fails; oldest first. */
  lastLines: z.array(z.string()).default([]),
})
export type TaskStatus = z.infer<typeof TaskStatus>

/** `TaskStatus` as the leader keeps it, with the leader's own clock for readiness. */
export const Observed = TaskStatus.extend({ agent: AgentId, readySince: z.number().nullable(), updatedAt: z.number() })
export type Observed = z.infer<typeof Observed>

export const TERMINAL: ReadonlySet<TaskPhase> = new Set<TaskPhase>(['Succeeded', 'Failed', 'Stopped', 'Lost', 'Rejected'])

const RANK: Readonly<Record<ObservedPhase, number>> = {
  Preparing: 1,
  Starting: 2,
  Running: 3,
  Stopping: 4,
  Succeeded: 5,
  Failed: 5,
  Stopped: 5,
  Lost: 5,
  Rejected: 5,
}

/**
 * True when `next` may follow `previous`: a terminal phase is final, attempts only grow,
 * and inside an attempt the phase never goes back. Equal rank refreshes reasons and readiness.
 */
export function mayFollow(
  previous: Pick<TaskStatus, 'attempt' | 'phase'> | undefined,
  next: Pick<TaskStatus, 'attempt' | 'phase'>,
): boolean {
  if (previous === undefined) return true
  if (TERMINAL.has(previous.phase)) return false
  if (next.attempt !== previous.attempt) return next.attempt > previous.attempt
  return RANK[next.phase] >= RANK[previous.phase]
}
