import { rollingLimits } from '../../../src/core/rollout/rolling.ts'
import { isAvailable, isLive, type TaskState } from '../../../src/core/task-state.ts'
import { must } from '../../../src/lib/must.ts'
import type { WorkloadKey } from '../../../src/model/ids.ts'
import type { WorkloadVersion } from '../../../src/model/version.ts'
import type { CheckContext, Commit, MakeChecker } from '../checker.ts'
import { changesOf } from '../mirror.ts'
import { asHeard, isOverdueOnDrain } from './heard.ts'

/** Drover's own stops never take more than `maxUnavailable`, its own starts never more than `maxSurge`, and both have a cause. */
export const rolloutChecker: MakeChecker = (context) => ({
  committed(commit) {
    const moved = changesOf(commit.changes, 'tasks')
    const keys = new Set(moved.flatMap(({ before, after }) => [before?.workload, after?.workload]))
    for (const key of keys) if (key !== undefined) checkWorkload(context, commit, key)
  },
})

function checkWorkload(context: CheckContext, commit: Commit, key: WorkloadKey): void {
  const moved = changesOf(commit.changes, 'tasks')
  const stopped = moved.filter(({ before, after }) => before?.workload === key && before.desired === 'run' && after?.desired !== 'run')
  const created = moved.filter(({ before, after }) => before === undefined && after?.workload === key)
  const record = commit.mirror.table('workloads').get(key)
  if (record === undefined || !record.wanted) return
  const version = must(commit.mirror.version(record.inputsDigest), `the body of ${key}`)
  const good = record.good === null ? null : commit.mirror.version(record.good.inputsDigest)
  const tasks = commit.mirror.tasksOf(key).map(asHeard(commit.mirror))
  checkQuarantine(context, commit, { key, created: created.flatMap(({ after }) => (after?.desired === 'run' ? after.inputsDigest : [])) })
  if (version.kind !== 'Deployment') return
  const slots = slotsOf(version, commit)
  const others = good === null || good.kind !== 'Deployment' ? slots : slotsOf(good, commit)
  const limits = rollingLimits(version.spec, slots.length)
  const fresh = new Set<string>(created.map(({ id }) => id))
  for (const { id, before, after } of stopped) {
    const observed = commit.mirror.table('observed').get(id)
    // Decided just before the same turn took the workload back to it.
    if (commit.changes.some((change) => change.table === 'workloads' && change.id === key && isReturn(change.after))) continue
    // For what became of its machine.
    if (after?.stopReason != null) continue
    if (before === undefined || before.templateDigest !== record.templateDigest || !slots.includes(before.slot)) continue
    const twin = tasks.some(
      (state) => !fresh.has(state.task.id) && state.task.id !== id && state.task.slot === before.slot && isLive(state),
    )
    if (!twin && observed !== undefined && !TERMINAL_ENOUGH.has(observed.phase))
      context.findings.report('StopHasCause', `${id} is what ${key} wants, and was stopped`)
  }
  if (limits.strategy === 'Recreate') return
  checkAvailable(context, commit, {
    key,
    tasks,
    slots,
    mode: version.spec.mode,
    stopped: stopped.flatMap(({ id, after }) =>
      after !== undefined && isOverdueOnDrain(after, commit.mirror, commit.decidedAt) ? [] : [id],
    ),
    // Until the larger of two versions has taken over, the smaller one is what is promised.
    least: Math.min(slots.length, others.length) - limits.maxUnavailable,
    minReadyMs: version.spec.minReadySeconds * 1000,
  })
  const live = tasks.filter(isLive).length
  const most = Math.max(slots.length, others.length) + Math.max(limits.maxSurge, largestStep(version, slots.length))
  if (created.length > 0 && live > most) context.findings.report('NeverAboveSurge', `${key} has ${live} tasks, at most ${most} may be`)
}

const isReturn = (after: object | undefined): boolean =>
  after !== undefined && 'cause' in after && String(after.cause).startsWith('automatic rollback')

type DeploymentVersion = Extract<WorkloadVersion, { kind: 'Deployment' }>

function slotsOf({ spec }: DeploymentVersion, { mirror }: Commit): string[] {
  return spec.mode === 'Global' ? [...mirror.table('agents').keys()] : numbers(spec.replicas)
}

/** Canaries that may run beside all others. */
function largestStep({ spec }: DeploymentVersion, slots: number): number {
  return Math.max(0, ...(spec.strategy.canary?.steps ?? []).map(({ percent }) => Math.ceil((slots * (percent ?? 0)) / 100)))
}

const TERMINAL_ENOUGH: ReadonlySet<string> = new Set(['Succeeded', 'Failed', 'Stopped', 'Lost', 'Rejected'])

const numbers = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index))

interface Availability {
  readonly key: WorkloadKey
  readonly tasks: readonly TaskState[]
  readonly slots: readonly string[]
  readonly mode: 'Replicated' | 'Global'
  readonly stopped: readonly string[]
  readonly least: number
  readonly minReadyMs: number
}

function checkAvailable({ findings }: CheckContext, { decidedAt }: Commit, given: Availability): void {
  const { key, tasks, slots, mode, stopped, least, minReadyMs } = given
  // A replica that is one too many serves as well as any other until it goes; a machine that matches no more is not asked for.
  const serving = mode === 'Global' ? tasks.filter((state) => slots.includes(state.task.slot)) : tasks
  const lost = serving.filter((state) => stopped.includes(state.task.id) && wasAvailable(state, minReadyMs, decidedAt)).length
  const left = serving.filter((state) => isAvailable(state, minReadyMs, decidedAt)).length
  if (lost > 0 && left < least)
    findings.report('AvailabilityKept', `${key} stopped ${lost} available tasks and has ${left} left, of at least ${least}`)
}

function wasAvailable(state: TaskState, minReadyMs: number, now: number): boolean {
  return isAvailable({ ...state, task: { ...state.task, desired: 'run' } }, minReadyMs, now)
}

function checkQuarantine({ findings }: CheckContext, { mirror }: Commit, given: { key: WorkloadKey; created: readonly string[] }): void {
  const bad = mirror.table('quarantine').get(given.key)?.bad
  if (bad !== undefined && bad !== null && given.created.includes(bad))
    findings.report('QuarantineHonoured', `${given.key} got a new task of inputs ${bad}, which are quarantined`)
}
