import type { Millis } from '../../model/ids.ts'
import type { DeploymentSpec } from '../../model/manifest.ts'
import type { Evidence, Rollout } from '../../model/rollout.ts'
import type { AttemptRecord } from '../../model/task.ts'
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
    crashing: crashing(fresh, rollout.startedAt),
    lagging: lagging.sort(oldestFirst).slice(0, MOST_TOLD).map(evidenceOf),
    ledSince: state.ledSince,
  }
}

/** Tasks that were there before have a past that is no verdict on this rollout. */
function crashing(fresh: readonly TaskState[], since: Millis): Evidence[] {
  const own = fresh.filter(({ task }) => task.createdAt >= since)
  const strikes = new Map<string, number>()
  for (const state of own) strikes.set(state.task.slot, (strikes.get(state.task.slot) ?? 0) + endsOf(state))
  return own
    .filter((state) => (strikes.get(state.task.slot) ?? 0) >= STRIKES && endsOf(state) > 0)
    .sort(oldestFirst)
    .slice(-MOST_TOLD)
    .map(evidenceOf)
}

/** A Deployment's program is not meant to end, so any end counts that was not asked for and not the machine's doing. */
function endsOf({ task, observed }: TaskState): number {
  if (observed === undefined || task.desired === 'stop') return 0
  const ended = observed.attempts.filter(isItsOwn).length
  const refused = observed.phase === 'Rejected' || observed.phase === 'Failed' ? 1 : 0
  return Math.max(ended, observed.failures, refused)
}

const isItsOwn = ({ reason }: AttemptRecord): boolean => !NOT_ITS_FAULT.has(reason) && reason !== 'Stopped'

function evidenceOf({ task, observed }: TaskState): Evidence {
  const last = observed?.attempts.at(-1)
  const lastLines = [...(observed?.lastLines ?? [])]
  const [reason] = observed?.reasons ?? []
  // What ended says more than that it is about to be tried again.
  if (last !== undefined && observed?.phase !== 'Running') {
    const { attempt, exitCode } = last
    return { task: task.id, attempt, code: last.reason, message: last.message ?? endOf(last), exitCode, lastLines }
  }
  const { code, message } = reason ?? { code: 'NotReady', message: observed === undefined ? 'has not started' : 'is not ready' }
  return { task: task.id, attempt: observed?.attempt ?? 0, code, message, exitCode: null, lastLines }
}

function endOf({ signal, exitCode }: AttemptRecord): string {
  if (signal !== null) return `ended by ${signal}`
  return exitCode === null ? 'ended, nobody knows how' : `ended with exit code ${exitCode}`
}
