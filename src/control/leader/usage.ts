import type { Requirements } from '../../core/schedule/types.ts'
import { occupies, type TaskState } from '../../core/task-state.ts'

/** What the tasks on one agent hold, kept up to date task by task. */
export class AgentUsage {
  cpuMillis = 0
  memoryBytes = 0
  tasks = 0
  readonly ports = new Set<number>()

  add(state: TaskState, requirements: Requirements): void {
    if (!occupies(state)) return
    this.cpuMillis += requirements.cpuMillis
    this.memoryBytes += requirements.memoryBytes
    this.tasks += 1
    for (const port of Object.values(state.task.ports)) this.ports.add(port)
  }

  remove(state: TaskState, requirements: Requirements): void {
    if (!occupies(state)) return
    this.cpuMillis -= requirements.cpuMillis
    this.memoryBytes -= requirements.memoryBytes
    this.tasks -= 1
    for (const port of Object.values(state.task.ports)) this.ports.delete(port)
  }
}
