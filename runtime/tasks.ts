import type { AgentTask } from '../src/core/task-life.ts'
import type { Epoch, TaskId } from '../src/model/ids.ts'
import type { Assignment, ServerFrame } from '../src/model/protocol.ts'
import type { AttemptRef } from './driver.ts'

export type AssignmentsFrame = Extract<ServerFrame, { type: 'assignments' }>

/** What an agent does about a frame of orders. */
export interface TaskChanges {
  /** Tasks nobody here has heard of. */
  readonly start: readonly Assignment[]
  /** A higher generation of a task that is known. */
  readonly update: readonly Assignment[]
  /** Known tasks to be stopped and removed. */
  readonly leave: readonly TaskId[]
}

/**
 * Set difference of the orders and what is known (task -> accepted generation). An equal generation is a repeat,
 * a lower one is late: both change nothing. A full set leaves whatever it does not name.
 */
export function taskChanges(frame: AssignmentsFrame, known: ReadonlyMap<TaskId, number>): TaskChanges {
  const gone = new Set(frame.gone)
  const named = new Set(frame.tasks.map((order) => order.task))
  const wanted = frame.tasks.filter((order) => !gone.has(order.task))
  const unnamed = frame.full ? [...known.keys()].filter((task) => !named.has(task)) : []
  return {
    start: wanted.filter((order) => !known.has(order.task)),
    update: wanted.filter((order) => order.generation > (known.get(order.task) ?? order.generation)),
    leave: [...new Set([...unnamed, ...gone])].filter((task) => known.has(task)),
  }
}

/** A leader that has been replaced may still talk: its epoch is lower than one that was accepted before. */
export const isStale = (frame: AssignmentsFrame, highest: Epoch): boolean => frame.epoch < highest

/**
 * What carries this agent's mark on the machine, but belongs to no task that is known, or to one that ended without
 * ever hearing of this attempt: its order came while the machine could not be asked.
 */
export function orphans(owned: readonly AttemptRef[], known: ReadonlyMap<TaskId, AgentTask>): readonly AttemptRef[] {
  return owned.filter(({ task, attempt }) => {
    const state = known.get(task)
    if (state?.life.phase !== 'Ended') return state === undefined
    return !state.leftovers.some((one) => one.attempt === attempt)
  })
}
