import { z } from 'zod'
import type { AgentTask } from '../src/core/task-life.ts'
import { Epoch, TaskId } from '../src/model/ids.ts'
import { Assignment } from '../src/model/protocol.ts'
import { Reason } from '../src/model/reason.ts'
import { AttemptRecord } from '../src/model/task.ts'

/** All that must outlive the agent for one task: the order, and how far it has come. */
export interface JournalEntry {
  readonly assignment: Assignment
  readonly state: AgentTask
}

/** What must outlive the agent apart from tasks. */
export interface AgentNotes {
  /** Highest epoch ever accepted; orders of a lower one are refused. */
  readonly epoch: Epoch
}

interface JournalState {
  readonly agent: AgentNotes
  readonly entries: readonly JournalEntry[]
  /** What could not be read and was put aside, for people; never fatal. */
  readonly damaged: readonly string[]
}

/** The agent's memory. Each call is durable when it resolves, and replaces the whole value or nothing. */
export interface Journal {
  load(): Promise<JournalState>
  /** Before the action it announces. */
  save(entry: JournalEntry): Promise<void>
  /** Already forgotten is success. */
  forget(task: TaskId): Promise<void>
  saveAgent(notes: AgentNotes): Promise<void>
}

export const NEW_AGENT: AgentNotes = { epoch: 0 as Epoch }

const Millis = z.number()
/** An entry of a version that knew no probes has none of this. */
const HealthFields = {
  startup: z.enum(['pending', 'passed']).default('pending'),
  ready: z.boolean(),
  unready: Reason.nullable().default(null),
}
const Because = Reason.nullable().default(null)
const Pointer = { ref: z.string(), startedAt: Millis }

const LifeSchema = z.discriminatedUnion('phase', [
  z.object({ phase: z.literal('Preparing') }),
  z.object({ phase: z.literal('Starting') }),
  z.object({
    phase: z.literal('Recovering'),
    was: z.enum(['Starting', 'Running', 'Stopping']),
    startedAt: Millis.nullable(),
    because: Because,
    ...HealthFields,
  }),
  z.object({ phase: z.literal('Running'), ...Pointer, ...HealthFields }),
  z.object({ phase: z.literal('Stopping'), ref: z.string(), startedAt: Millis.nullable(), because: Because }),
  z.object({ phase: z.literal('Ended'), as: z.enum(['Succeeded', 'Failed', 'Stopped', 'Lost', 'Rejected']) }),
  z.object({ phase: z.literal('Removed') }),
])

const StateSchema: z.ZodType<AgentTask> = z.object({
  task: TaskId,
  rule: z.object({ restartPolicy: z.enum(['Always', 'OnFailure', 'Never']), maxRestarts: z.number().int().nullable() }),
  desired: z.enum(['run', 'stop', 'gone']),
  attempt: z.number().int().positive(),
  failures: z.number().int().nonnegative(),
  ends: z.number().int().nonnegative(),
  tries: z.number().int().nonnegative(),
  until: Millis.nullable(),
  everStarted: z.boolean(),
  reasons: z.array(z.object({ code: z.string(), message: z.string(), count: z.number().int() })),
  records: z.array(AttemptRecord),
  leftovers: z.array(z.object({ attempt: z.number().int(), ref: z.string().nullable(), stuck: z.boolean() })),
  images: z.record(z.string(), z.string()).default({}),
  lastLines: z.array(z.string()).default([]),
  life: LifeSchema,
})

/** Reads what an earlier version of this program, or a torn write, left. @throws ZodError */
export const JournalEntrySchema: z.ZodType<JournalEntry> = z.object({ assignment: Assignment, state: StateSchema })
export const AgentNotesSchema: z.ZodType<AgentNotes> = z.object({ epoch: Epoch })

/** Keeps only what was saved, as text: an agent "killed" in a test finds exactly that. */
export function createMemoryJournal(): Journal {
  const entries = new Map<TaskId, string>()
  let agent = JSON.stringify(NEW_AGENT)
  return {
    async load() {
      const read = [...entries.values()].map((text) => JournalEntrySchema.parse(JSON.parse(text)))
      return { agent: AgentNotesSchema.parse(JSON.parse(agent)), entries: read, damaged: [] }
    },
    async save(entry) {
      entries.set(entry.state.task, JSON.stringify(entry))
    },
    async forget(task) {
      entries.delete(task)
    },
    async saveAgent(notes) {
      agent = JSON.stringify(notes)
    },
  }
}
