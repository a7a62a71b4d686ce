import type { TaskState } from '../../../../src/core/task-state.ts'
import type { Write } from '../../../../src/model/records.ts'
import type { Observed, Task } from '../../../../src/model/task.ts'
import type { Op } from '../../../../src/store/store.ts'

/** Every task that ever was, with the last that was heard of it, also when its records are gone. */
export class Ledger {
  #durable = new Map<string, TaskState>()
  #view = new Map<string, TaskState>()

  see(tasks: readonly TaskState[]): void {
    for (const state of tasks) this.#view.set(state.task.id, state)
  }

  decided(writes: readonly Write[]): void {
    for (const { table, id, value } of writes) {
      const known = this.#view.get(id)
      if (table === 'tasks' && value !== null) this.#view.set(id, { task: value, observed: known?.observed })
      // Nothing of it runs any more, or the machines would say so; see `Fleet`.
      if (table === 'tasks' && value === null && known !== undefined) this.#view.set(id, gone(known))
    }
  }

  *ofRun(run: string): Generator<TaskState> {
    for (const state of this.#view.values()) if (state.task.run === run) yield state
  }

  *ofWorkload(key: string): Generator<TaskState> {
    for (const state of this.#view.values()) if (state.task.workload === key) yield state
  }

  /** What was not written was not heard: machines say it again. */
  commit(ops: readonly Op[], how: 'Whole' | 'Cut'): void {
    for (const { key, ...op } of ops) {
      const id = key.slice(key.indexOf('/') + 1)
      const known = op.op === 'put' ? this.#durable.get(id) : this.#view.get(id)
      if (op.op === 'delete' && key.startsWith('tasks/') && known !== undefined) this.#durable.set(id, known)
      if (op.op === 'put' && key.startsWith('tasks/'))
        this.#durable.set(id, { task: JSON.parse(op.value) as Task, observed: known?.observed })
      if (op.op === 'put' && key.startsWith('observed/') && known !== undefined)
        this.#durable.set(id, { task: known.task, observed: JSON.parse(op.value) as Observed })
    }
    if (how === 'Cut') this.#view = new Map(this.#durable)
    else this.#durable = new Map(this.#view)
  }
}

const gone = ({ task, observed }: TaskState): TaskState => ({ task: { ...task, desired: 'stop', agent: null }, observed })
