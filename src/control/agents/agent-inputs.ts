import { withImages } from '../../core/pins.ts'
import { FORGOTTEN, neverHeard, UNREACHABLE } from '../../core/task-state.ts'
import type { AgentId, Millis } from '../../model/ids.ts'
import { reasonOf } from '../../model/reason.ts'
import type { AgentRecord, ForgottenAgent } from '../../model/records.ts'
import { ATTEMPTS_KEPT, type AttemptRecord, mayFollow, type Observed, type Task, type TaskStatus, TERMINAL } from '../../model/task.ts'
import type { Cluster } from '../leader/cluster.ts'
import type { Draft } from '../leader/draft.ts'
import type { Hello } from './hub.ts'

/**
 * Takes in what an agent says of its tasks. A status of a task that is not (or no longer) its own, or that is
 * older than what is known, changes nothing: agents repeat themselves until they are acknowledged.
 */
export function takeStatuses(
  statuses: readonly TaskStatus[],
  agent: AgentId,
  context: { cluster: Cluster; draft: Draft; now: Millis },
): void {
  const { cluster, draft, now } = context
  for (const status of statuses) {
    const task = cluster.tasks.get(status.task)
    const before = cluster.observed.get(status.task)
    if (task?.agent !== agent) continue
    if (before !== undefined && isSuperseded(before, status)) recordSuperseded(before, status, { app: task.app, draft, now })
    if (!(mayFollow(before, status) || completes(before, status))) continue
    const observed = observe(status, before, { agent, now })
    if (before !== undefined && sameSaying(before, observed)) continue
    draft.write({ table: 'observed', id: task.id, value: observed })
    if (Object.keys(status.images).length > 0) rememberImages(task, agent, { status, cluster, draft })
  }
}

/** What became of a task after it was given up: another took its place, so that whatever it says does not count. */
const SUPERSEDED = 'Superseded'
const GIVEN_UP: ReadonlySet<string> = new Set([UNREACHABLE, FORGOTTEN])

function isSuperseded(before: Observed, { phase }: TaskStatus): boolean {
  const codes = before.reasons.map(({ code }) => code)
  return before.phase === 'Lost' && codes.some((code) => GIVEN_UP.has(code)) && !codes.includes(SUPERSEDED) && RESULTS.has(phase)
}

const RESULTS: ReadonlySet<string> = new Set(['Succeeded', 'Failed'])

/** Its result is told to people, once, and to no decision. */
function recordSuperseded(before: Observed, status: TaskStatus, { app, draft, now }: { app: string; draft: Draft; now: Millis }): void {
  const code = status.attempts.at(-1)?.exitCode ?? null
  const message = `agent ${before.agent} came back and says ${status.phase}${code === null ? '' : `, exit code ${code}`}; it was given up before that`
  draft.write({
    table: 'observed',
    id: before.task,
    value: { ...before, reasons: [...before.reasons, reasonOf(SUPERSEDED, message)] },
  })
  draft.event({ object: `task/${before.task}`, app, reason: SUPERSEDED, message, level: 'Warning', actor: 'drover' }, now)
}

/** The next task of this template gets the very same, wherever its tag points to by then. */
function rememberImages(task: Task, agent: AgentId, context: { status: TaskStatus; cluster: Cluster; draft: Draft }): void {
  const record = context.cluster.pinsOf(task)
  const images = record === undefined ? null : withImages(record.images, agent, context.status.images)
  if (record === undefined || images === null) return
  if ('state' in record) context.draft.write({ table: 'rollouts', id: record.id, value: { ...record, images } })
  else context.draft.write({ table: 'runs', id: record.id, value: { ...record, images } })
}

/** A greeting of many tasks comes without attempt records; the reports after it bring them, also of what has ended. */
function completes(before: Observed | undefined, status: TaskStatus): boolean {
  return before?.attempt === status.attempt && before.phase === status.phase
}

/** Readiness counts from when this leader first heard of it, in one attempt; agents' clocks are not compared. */
function observe(status: TaskStatus, before: Observed | undefined, context: { agent: AgentId; now: Millis }): Observed {
  const sameAttempt = before?.attempt === status.attempt
  const readySince = status.ready ? ((sameAttempt ? before?.readySince : null) ?? context.now) : null
  const ended = before !== undefined && TERMINAL.has(before.phase)
  return {
    ...status,
    reasons: status.reasons.slice(0, REASONS_KEPT).map(short),
    attempts: joined(before, status),
    agent: context.agent,
    readySince,
    updatedAt: ended ? before.updatedAt : context.now,
  }
}

/** Of what a machine says: any store takes a record with 20 attempts and these. */
const REASONS_KEPT = 20
const MESSAGE_MAX = 1000

function short<T extends { readonly message: string | null }>(said: T): T {
  return said.message === null || said.message.length <= MESSAGE_MAX ? said : { ...said, message: said.message.slice(0, MESSAGE_MAX) }
}

/** Records once known are final: one that is missing now was only left out, and one that differs is not believed. */
function joined(before: Observed | undefined, status: TaskStatus): AttemptRecord[] {
  const records = new Map([...status.attempts.map(short), ...(before?.attempts ?? [])].map((record) => [record.attempt, record]))
  return [...records.values()].sort((a, b) => a.attempt - b.attempt).slice(-ATTEMPTS_KEPT)
}

function sameSaying(a: Observed, b: Observed): boolean {
  return JSON.stringify({ ...a, updatedAt: 0 }) === JSON.stringify({ ...b, updatedAt: 0 })
}

interface HelloContext {
  readonly cluster: Cluster
  readonly draft: Draft
  readonly now: Millis
  /**
   * The store was restored then, and the agent comes from before: it may have run, ended and forgotten any task
   * created earlier, also those that the backup knows no word of. Null: nothing of that kind.
   */
  readonly unheardBefore: Millis | null
}

export interface Refusal {
  readonly admitted: 'No'
  readonly reason: string
  /** What becomes of those that it runs. */
  readonly tasks: 'Keep' | 'Stop'
}

export type Admission = { readonly admitted: 'Yes' } | Refusal

/**
 * Registers an agent that said hello. An agent whose state directory was lost cannot know what it started, so its tasks are
 * Lost rather than started again. One with another state directory, or of another boot, as that of a copied machine is,
 * beside one that is heard is a clone, and refused: the two would take each other's tasks.
 */
export function takeHello(hello: Hello, heard: 'Yes' | 'No', context: HelloContext): Admission {
  const { cluster, draft, now } = context
  const forgotten = cluster.forgotten.get(hello.agent.id)
  if (forgotten !== undefined) return { admitted: 'No', tasks: 'Stop', reason: forgottenReason(forgotten) }
  const known = cluster.agents.get(hello.agent.id)
  const replaced = known !== undefined && known.instance !== hello.agent.instance
  const isElsewhere = replaced || (known !== undefined && known.bootId !== hello.agent.bootId)
  if (isElsewhere && heard === 'Yes') return { admitted: 'No', tasks: 'Keep', reason: cloneOf(known.id, replaced ? 'StateDir' : 'Machine') }
  loseTasks(hello, replaced ? 'AgentReplaced' : 'AgentForgot', context)
  const record: AgentRecord = {
    ...hello.agent,
    joinedAt: known?.joinedAt ?? now,
    maintenance: known?.maintenance ?? null,
    silence: known?.silence ?? null,
  }
  if (JSON.stringify(record) !== JSON.stringify(known)) draft.write({ table: 'agents', id: record.id, value: record })
  takeStatuses(hello.tasks, hello.agent.id, context)
  return { admitted: 'Yes' }
}

function cloneOf(agent: AgentId, differs: 'StateDir' | 'Machine'): string {
  if (differs === 'StateDir') return `an agent named ${agent} with another state directory is connected; give this one another name`
  return `agent ${agent} is connected from another machine; if this one was copied from it, remove the copied state directory`
}

export const forgottenReason = ({ id, actor, at }: ForgottenAgent): string =>
  `agent ${id} was forgotten by ${actor} at ${new Date(at).toISOString()}; \`drover admit agent/${id}\` lets it join again`

/**
 * An agent writes down what it starts before it does, so a task that was heard of and is not in its hello
 * can only have been removed behind our back; it must not be started a second time as the same attempt.
 * One that lost its notes may have started any, also those that it had no time to tell of.
 */
function loseTasks(hello: Hello, code: 'AgentReplaced' | 'AgentForgot', { cluster, draft, now, unheardBefore }: HelloContext): void {
  const known = new Set(code === 'AgentReplaced' ? [] : hello.tasks.map((status) => status.task))
  for (const { task, observed } of cluster.tasksOfAgent(hello.agent.id)) {
    const mayHaveRun = code === 'AgentReplaced' || (unheardBefore !== null && task.createdAt < unheardBefore)
    const heard = observed ?? (mayHaveRun ? neverHeard(task) : null)
    if (heard === null || TERMINAL.has(heard.phase) || known.has(task.id)) continue
    const reasons = [reasonOf(code, `${hello.agent.id} came back without it`)]
    draft.write({
      table: 'observed',
      id: task.id,
      value: { ...heard, agent: hello.agent.id, phase: 'Lost', ready: false, readySince: null, reasons, updatedAt: now },
    })
  }
}
