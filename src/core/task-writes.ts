import type { TaskId } from '../model/ids.ts'
import type { Run, Write } from '../model/records.ts'
import { DRAINED } from './given-up.ts'
import type { TaskState } from './task-state.ts'

/** Orders to stop, and the ends of records; what is so already gives none. */
export function stopWrites(
  { tasks }: { readonly tasks: readonly TaskState[] },
  ids: readonly TaskId[],
  stopReason: string | null = null,
): Write[] {
  const stop = new Set(ids)
  return tasks
    .filter(({ task }) => stop.has(task.id) && task.desired === 'run')
    .map(({ task, machine }) => {
      const because = stopReason ?? (machine === 'Leaving' ? DRAINED : null)
      return { table: 'tasks', id: task.id, value: { ...task, desired: 'stop', stopReason: because, generation: task.generation + 1 } }
    })
}

export function deleteWrites({ task }: TaskState): Write[] {
  return [
    { table: 'tasks', id: task.id, value: null },
    { table: 'observed', id: task.id, value: null },
  ]
}

export function changedRun(before: Run | null, after: Run): Write[] {
  const isSame = before === after || JSON.stringify(before) === JSON.stringify(after)
  return isSame ? [] : [{ table: 'runs', id: after.id, value: after }]
}
