import type { Millis } from '../../model/ids.ts'
import type { DeploymentSpec } from '../../model/manifest.ts'
import type { Evidence, Rollout } from '../../model/rollout.ts'
import { type AttemptRecord, type Observed, TERMINAL } from '../../model/task.ts'
import { CALM_AFTER, endsInARow } from '../restart.ts'
import { NOT_ITS_FAULT } from '../task-end.ts'
import { isAvailable, isLive, oldestFirst, type TaskState } from '../task-state.ts'
import type { WorkloadState } from '../workload.ts'
import type { RolloutFacts } from './event.ts'

/** Ends of one slot's new tasks that make a crash loop: one may be bad luck, and the next follows at once. */
const STRIKES = 2
/** So long a new task must have been ready for its rollout to be over: a program that cannot run shows that sooner. Swarm watches for 5 s. */
const PROVED_AFTER: Millis = 3_000
/** Tasks whose evidence is kept: more tell the same. */
const MOST_TOLD = 3

/** What the tasks say of a rollout. */
export function rolloutFacts(
  state: WorkloadState,
  spec: DeploymentSpec,
  { rollout, now }: { rollout: Rollout; now: Millis },
): RolloutFacts {
  const live = state.tasks.filter(isLive)
  const fresh = state.tasks.filter(({ task }) => task.templateDigest === rollout.to.templateDigest)
  const isServing = (task: TaskState): boolean => isAvailable(task, spec.minReadySeconds * 1000, now)
  const served = new Set(fresh.filter((task) => isServing(task) && state.slots.includes(task.task.slot)).map(({ task }) => task.slot))
  const available = served.size
  const lagging = fresh.filter((task) => isLive(task) && !isServing(task))
  return {
    spec,
    unmet: state.unmet,
    desired: state.slots.length,
    available,
    settled: available >= state.slots.length && live.length === state.slots.length,
    provedAt: Math.max(0, ...fresh.filter(isServing).map(({ observed }) => (observed?.readySince ?? 0) + PROVED_AFTER)),
    crashing: crashing(fresh, { since: rollout.startedAt, now }),
    lagging: lagging.sort(oldestFirst).slice(0, MOST_TOLD).map(evidenceOf),
    ledSince: state.ledSince,
  }
}

/** Tasks that were there before have a past that is no verdict on this rollout. */
function crashing(fresh: readonly TaskState[], { since, now }: { since: Millis; now: Millis }): Evidence[] {
  const own = fresh.filter(({ task }) => task.createdAt >= since)
  const strikes = new Map<string, number>()
  for (const state of own) strikes.set(state.task.slot, (strikes.get(state.task.slot) ?? 0) + endsOf(state, now))
  return own
    .filter((state) => (strikes.get(state.task.slot) ?? 0) >= STRIKES && endsOf(state, now) > 0)
    .sort(oldestFirst)
    .slice(-MOST_TOLD)
    .map((state) => lastEnd(state) ?? evidenceOf(state))
}

/** A Deployment's program is not meant to end, so any end in a row counts that was not asked for and not the machine's doing. */
function endsOf({ task, observed }: TaskState, now: Millis): number {
  if (observed === undefined || task.desired === 'stop' || isCalm(observed, now)) return 0
  const refused = observed.phase === 'Rejected' || observed.phase === 'Failed' ? 1 : 0
  // A greeting comes without records of what ended, only with how many.
  return Math.max(observed.attempts.length === 0 ? observed.failures : inARow(observed.attempts.filter(isItsOwn)), refused)
}

/** It has run for so long, or it ended so long ago, that what was before is no crash loop. */
function isCalm({ phase, readySince, updatedAt }: Observed, now: Millis): boolean {
  const since = phase === 'Running' ? readySince : TERMINAL.has(phase) ? updatedAt : null
  return since !== null && since <= now - CALM_AFTER
}

/** One that ran for long before it ended begins a new row. How long is told by one machine's clock, so it may be trusted. */
function inARow(ends: readonly AttemptRecord[]): number {
  return ends.reduce((count, { startedAt, finishedAt }) => endsInARow(count, startedAt === null ? 0 : finishedAt - startedAt), 0)
}

const isItsOwn = ({ reason }: AttemptRecord): boolean => !NOT_ITS_FAULT.has(reason) && reason !== 'Stopped'

/** How its newest attempt that is over ended, whatever it does by now; null: none is. */
function lastEnd({ task, observed }: TaskState): Evidence | null {
  const last = observed?.attempts.at(-1)
  if (observed === undefined || last === undefined) return null
  const { attempt, exitCode, reason } = last
  return { task: task.id, attempt, code: reason, message: last.message ?? endOf(last), exitCode, lastLines: [...observed.lastLines] }
}

function evidenceOf(state: TaskState): Evidence {
  const { task, observed } = state
  // What ended says more than that it is about to be tried again.
  const end = observed?.phase === 'Running' ? null : lastEnd(state)
  if (end !== null) return end
  const lastLines = [...(observed?.lastLines ?? [])]
  const [reason] = observed?.reasons ?? []
  const { code, message } = reason ?? { code: 'NotReady', message: observed === undefined ? 'has not started' : 'is not ready' }
  return { task: task.id, attempt: observed?.attempt ?? 0, code, message, exitCode: null, lastLines }
}

function endOf({ signal, exitCode }: AttemptRecord): string {
  if (signal !== null) return `ended by ${signal}`
  return exitCode === null ? 'ended, nobody knows how' : `ended with exit code ${exitCode}`
}
