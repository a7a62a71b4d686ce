import type { RunSpec } from '../../model/batch.ts'
import type { AgentId, Millis, TaskId } from '../../model/ids.ts'
import { replaceAfter } from '../../model/unreachable.ts'
import { earliest } from '../earliest.ts'
import { DRAINED, type LostTask, lostTask, type Machines, unreachable } from '../given-up.ts'
import { isLive, isTerminal, type TaskState } from '../task-state.ts'

export interface Leaving {
  /** Told to stop because their machine is drained and its deadline is over; others take their place. */
  readonly drained: readonly TaskId[]
  /** Taken for lost, for nothing was heard of their machine for as long as the workload waits; as they count from now on. */
  readonly lost: readonly LostTask[]
  readonly wakeAt: Millis | null
}

/** Which tasks must be given up for what became of their machines. Without `replaceAfterSeconds` a silent machine is waited for. */
export function leavingTasks(tasks: readonly TaskState[], machines: Machines, { spec, now }: { spec: RunSpec; now: Millis }): Leaving {
  const here = tasks.filter(({ task }) => task.agent !== null)
  const deadlines = here.filter(isLive).map((state) => ({ state, at: machines.drains.get(state.task.agent as AgentId) ?? null }))
  const patience = machines.replacement === 'Paused' ? null : replaceAfter(spec.template.spec.unreachable, 'Job')
  const running = patience === null ? [] : here.filter((state) => !isTerminal(state))
  const ends = running.map((state) => ({
    state,
    at: now + (patience ?? 0) * 1000 - (machines.silent.get(state.task.agent as AgentId) ?? 0),
  }))
  return {
    drained: deadlines.flatMap(({ state, at }) => (at !== null && at <= now ? [state.task.id] : [])),
    lost: ends.flatMap(({ state, at }) => (at <= now ? lostTask(state, unreachable(state.task.agent as AgentId), now) : [])),
    wakeAt: [...deadlines, ...ends].reduce<Millis | null>((first, { at }) => (at !== null && at > now ? earliest(first, at) : first), null),
  }
}

/** The tasks as they count once those are lost, and those are told to stop. */
export function withLeaving(tasks: readonly TaskState[], { lost, drained }: Leaving): readonly TaskState[] {
  if (lost.length + drained.length === 0) return tasks
  const byId = new Map<TaskId, TaskState>(lost.map((state) => [state.task.id, state]))
  const stopped = new Set(drained)
  return tasks.map((state) => {
    const { task, observed } = byId.get(state.task.id) ?? state
    return stopped.has(task.id) ? { task: { ...task, desired: 'stop', stopReason: DRAINED }, observed } : { task, observed }
  })
}
