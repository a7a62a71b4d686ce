import { isLive, isUnplaced, occupies, type TaskState } from '../../core/task-state.ts'
import type { WorkloadKey } from '../../model/ids.ts'

/** Which of the tasks that wait for a machine are worth a try: the others found no room, and nothing has happened since that could help them. */
export interface Tried {
  /** `All`: room came free, or machines changed. */
  readonly scope: 'All' | 'Workloads'
  /** Of these something changed in their own tasks. */
  readonly workloads: ReadonlySet<WorkloadKey>
}

/** Collects what happens in a turn to those that wait, until they are tried. */
export class Tries {
  #scope: Tried['scope'] = 'Workloads'
  #workloads = new Set<WorkloadKey>()

  get due(): boolean {
    return this.#scope === 'All' || this.#workloads.size > 0
  }

  all(): void {
    this.#scope = 'All'
  }

  /**
   * A task before and after a write. One that no longer holds its machine makes room for all; one that is no longer wanted makes room
   * under its workload's own rules (`maxPerNode`, spread). A new one is tried, but not for those that wait beside it for the same.
   */
  see(before: TaskState | undefined, after: TaskState | undefined, joins: 'Waiting' | 'Nobody'): void {
    const is = (state: TaskState | undefined, test: (state: TaskState) => boolean): boolean => state !== undefined && test(state)
    const workload = (after ?? before)?.task.workload
    if (workload === undefined) return
    if (is(before, occupies) && !is(after, occupies)) this.#scope = 'All'
    const isNew = after !== undefined && isUnplaced(after.task) && joins === 'Nobody'
    if (isNew || (is(before, isLive) && !is(after, isLive))) this.#workloads.add(workload)
  }

  take(): Tried {
    const tried = { scope: this.#scope, workloads: this.#workloads }
    this.#scope = 'Workloads'
    this.#workloads = new Set()
    return tried
  }
}
