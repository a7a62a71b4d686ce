import type { AgentId, Millis } from '../../model/ids.ts'
import type { DeploymentSpec } from '../../model/manifest.ts'
import type { Task } from '../../model/task.ts'
import { replaceAfter } from '../../model/unreachable.ts'
import { earliest } from '../earliest.ts'
import { DRAINED, type LostTask, lostStops, type Machines, withChangedTasks } from '../given-up.ts'
import { isHeard, isLive, isTerminal, isWanted, type MachineTrouble, type TaskState, UNREACHABLE } from '../task-state.ts'
import type { WorkloadState } from '../workload.ts'

/** For how long the machine of a task may be silent before another takes its place; null: without end, as where a task belongs to its machine. */
function patienceOf({ mode, template }: DeploymentSpec): Millis | null {
  const seconds = mode === 'Global' ? null : replaceAfter(template.spec.unreachable, 'Deployment')
  return seconds === null ? null : seconds * 1000
}

/** Tasks of a Deployment with what becomes of them because of their machines. A Global one's belong to theirs: they stay, and wait. */
export function withMachines(tasks: readonly TaskState[], machines: Machines, spec: DeploymentSpec): readonly TaskState[] {
  if (machines.drains.size + machines.silent.size === 0) return tasks
  return tasks.map((state) => {
    const machine = troubleOf(state, machines, spec)
    return machine === null ? state : { ...state, machine }
  })
}

function troubleOf(state: TaskState, machines: Machines, spec: DeploymentSpec): MachineTrouble | null {
  const { agent } = state.task
  if (agent === null || isTerminal(state)) return null
  const silence = machines.silent.get(agent)
  if (silence === undefined) return spec.mode === 'Replicated' && machines.drains.has(agent) ? 'Leaving' : null
  const patience = machines.replacement === 'Go' ? patienceOf(spec) : null
  return patience !== null && silence >= patience ? 'Absent' : 'Silent'
}

export interface Leaving {
  /** As they are from now on: told to stop, each with its reason. */
  readonly stopped: readonly TaskState[]
  /** Told to stop long ago on machines that will not tell of it. */
  readonly lost: readonly LostTask[]
}

/**
 * What a Deployment gives up whatever its rollout does: what has not left a drained machine by the deadline, what is absent
 * and has a successor with a machine, and what nobody will hear of again. Without a machine for the successor the absent
 * task is kept, for on its way back it is better than none.
 */
export function leavingTasks(state: WorkloadState, spec: DeploymentSpec, now: Millis): Leaving {
  const { tasks, slots, fallback, machines } = state
  const wanted = new Set([...slots, ...(fallback?.slots ?? [])])
  const served = new Set(tasks.filter((one) => isLive(one) && isHeard(one) && one.task.agent !== null).map(({ task }) => task.slot))
  const reasonFor = ({ task, machine }: TaskState): string | null => {
    const deadline = drainedUntil(task, machines, spec)
    if (deadline !== null && deadline <= now) return DRAINED
    return machine === 'Absent' && (served.has(task.slot) || !wanted.has(task.slot)) ? UNREACHABLE : null
  }
  const stopped = tasks.filter(isWanted).flatMap((one) => {
    const stopReason = reasonFor(one)
    return stopReason === null ? [] : [{ ...one, task: { ...one.task, desired: 'stop' as const, stopReason } }]
  })
  return { stopped, lost: lostStops(tasks, machines, now).lost }
}

/** Until when it may stay where it is; null: without end. */
function drainedUntil({ agent }: Task, { drains }: Machines, { mode }: DeploymentSpec): Millis | null {
  return mode === 'Global' || agent === null ? null : (drains.get(agent) ?? null)
}

/** The state once that is done. */
export function afterLeaving(state: WorkloadState, { stopped, lost }: Leaving): WorkloadState {
  return { ...state, tasks: withChangedTasks(state.tasks, [...stopped, ...lost]) }
}

/** When time alone gives up the next task. */
export function leavingAt({ tasks, machines }: WorkloadState, spec: DeploymentSpec, now: Millis): Millis | null {
  const patience = machines.replacement === 'Go' ? patienceOf(spec) : null
  const absentAt = ({ task, machine }: TaskState): Millis | null =>
    machine !== 'Silent' || patience === null ? null : now + patience - (machines.silent.get(task.agent as AgentId) ?? 0)
  const wanted = tasks.filter(isWanted)
  return earliest(
    ...wanted.map(absentAt),
    ...wanted.map(({ task }) => drainedUntil(task, machines, spec)),
    ...lostStops(tasks, machines, now).at,
  )
}
