import { z } from 'zod'
import { Epoch, TaskId } from './ids.ts'
import { AgentRecord } from './records.ts'
import { TaskStatus } from './task.ts'
import { TaskSpec } from './task-spec.ts'

/** An order to an agent. A lower (epoch, generation) than one already accepted is refused. */
export const Assignment = z.object({
  task: TaskId,
  generation: z.number().int(),
  desired: z.enum(['run', 'stop']),
  spec: TaskSpec,
})
export type Assignment = z.infer<typeof Assignment>

export const LogOptions = z.object({
  unit: z.string().nullable(),
  attempt: z.number().int().nullable(),
  /** Last lines only; null: from the beginning. */
  tail: z.number().int().nullable(),
  /** Only lines written at this moment or later, and at that one or before; milliseconds since 1970. */
  since: z.number().int().nullable().default(null),
  until: z.number().int().nullable().default(null),
  follow: z.boolean(),
})
export type LogOptions = z.infer<typeof LogOptions>

export const LogLine = z.object({
  stream: z.enum(['stdout', 'stderr']),
  /** Milliseconds since 1970, where the runtime knows it. */
  at: z.number().nullable(),
  text: z.string(),
})
export type LogLine = z.infer<typeof LogLine>

/** When the agent sent it, on a clock of its own; absent of an agent that understands no `pong`. */
const SentAt = z.number().exactOptional()

/** Sent by the agent, on the connection it opened itself. */
export const AgentFrame = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('hello'),
    agent: AgentRecord.omit({ joinedAt: true, maintenance: true, silence: true }),
    /** Highest epoch it has accepted and written down; it is of no use to a leader of an older one. */
    epoch: Epoch,
    /** Everything it runs or has not yet been told to forget. */
    tasks: z.array(TaskStatus),
    at: SentAt,
  }),
  z.object({ type: z.literal('report'), seq: z.number().int(), statuses: z.array(TaskStatus) }),
  /** `wall`: the agent's wall clock, milliseconds since 1970; agents of before 0.2 do not say. */
  z.object({ type: z.literal('heartbeat'), at: SentAt, wall: z.number().exactOptional() }),
])
export type AgentFrame = z.infer<typeof AgentFrame>

export const ServerFrame = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('assignments'),
    epoch: Epoch,
    /** True: this is the whole set, anything else is an orphan. False: a delta. */
    full: z.boolean(),
    tasks: z.array(Assignment),
    /** Tasks to forget: stop if need be, then remove every trace. */
    gone: z.array(TaskId),
  }),
  z.object({ type: z.literal('ack'), seq: z.number().int() }),
  /** Ask the agent to open a second connection and send these logs there. */
  z.object({ type: z.literal('logs'), ticket: z.string(), task: TaskId, options: LogOptions }),
  /** Says when what it answers was sent: from then on, at the least, a leader knows that the agent is there. */
  z.object({ type: z.literal('pong'), at: z.number() }),
  z.object({ type: z.literal('refused'), reason: z.string() }),
])
export type ServerFrame = z.infer<typeof ServerFrame>
