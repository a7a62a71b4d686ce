import { decisionViolations } from '../../../src/core/invariants.ts'
import { reconcile } from '../../../src/core/reconcile.ts'
import { withMachines } from '../../../src/core/rollout/machines.ts'
import { isLive, isOver, isWanted, type TaskState } from '../../../src/core/task-state.ts'
import type { WorkloadState } from '../../../src/core/workload.ts'
import type { AgentId } from '../../../src/model/ids.ts'
import type { DeploymentSpec } from '../../../src/model/manifest.ts'
import type { Write } from '../../../src/model/records.ts'
import type { Rollout } from '../../../src/model/rollout.ts'
import type { Observed, Task } from '../../../src/model/task.ts'
import { deploymentState, digest, NOW, observed } from '../../support/make.ts'

export interface Machine {
  readonly id: AgentId
  /** Tasks it has room for. */
  room: number
  /** Since when nothing is heard of it. */
  silentSince: number | null
  drainedUntil: number | null
}

/** A Deployment on several machines that fall silent, are drained and come back; time is the caller's. */
export class DeploymentFleet {
  now = NOW
  machines: Machine[]
  paused = false
  readonly broken: string[] = []
  wakeAt: number | null = null
  #state: WorkloadState
  #ids = 0

  constructor(spec: object, machines: number, room = 10) {
    this.#state = deploymentState(spec)
    this.machines = Array.from({ length: machines }, (_, index) => ({
      id: `node-${index + 1}` as AgentId,
      room,
      silentSince: null,
      drainedUntil: null,
    }))
    this.settle().allReady()
    this.after(5_000)
  }

  get state(): WorkloadState {
    const silent = this.machines.flatMap(({ id, silentSince }) => {
      const ms = silentSince === null ? 0 : this.now - silentSince
      return ms >= 40_000 ? [[id, ms] as const] : []
    })
    const drains = this.machines.flatMap(({ id, drainedUntil }) => (drainedUntil === null ? [] : [[id, drainedUntil] as const]))
    const machines = { silent: new Map(silent), drains: new Map(drains), replacement: this.paused ? ('Paused' as const) : ('Go' as const) }
    return { ...this.#state, machines, tasks: withMachines(this.#state.tasks, machines, this.spec) }
  }

  get spec(): DeploymentSpec {
    if (this.#state.version.kind !== 'Deployment') throw new Error('a Deployment')
    return this.#state.version.spec
  }

  /** `web-1 node-1 run`, in the order of their ids. */
  get told(): string[] {
    return this.#state.tasks
      .filter((state) => !isOver(state))
      .map(({ task }) => `${task.id} ${task.agent ?? '-'} ${task.desired}`)
      .sort()
  }

  get wanted(): TaskState[] {
    return this.state.tasks.filter(isWanted)
  }

  machine(name: string): Machine {
    const found = this.machines.find(({ id }) => id === name)
    if (found === undefined) throw new Error(`no ${name}`)
    return found
  }

  silence(name: string): this {
    this.machine(name).silentSince = this.now
    return this
  }

  /** Its tasks obey what they were told meanwhile. */
  return(name: string): this {
    this.machine(name).silentSince = null
    return this.settle()
  }

  drain(name: string, ms: number): this {
    this.machine(name).drainedUntil = this.now + ms
    return this.settle()
  }

  uncordon(name: string): this {
    this.machine(name).drainedUntil = null
    return this.settle()
  }

  template(word: string): this {
    const { record } = this.#state
    const next = { ...record, templateDigest: digest(word), inputsDigest: digest(word), generation: record.generation + 1 }
    const { good } = record
    const fallback = good === null || good.inputsDigest === next.inputsDigest ? null : { target: good, slots: this.#state.slots }
    this.#state = { ...this.#state, record: next, fallback }
    return this.settle()
  }

  after(ms: number): this {
    this.now += ms
    return this.settle()
  }

  /** Every task on a machine that is heard of gets ready, and every stop there is carried out, until nothing moves. */
  allReady(): this {
    for (let round = 0; round < 50; round += 1) {
      const before = JSON.stringify(this.#state.tasks)
      for (const { task } of this.#state.tasks) this.#report(task)
      this.settle()
      if (JSON.stringify(this.#state.tasks) === before) return this
    }
    this.broken.push('it never comes to rest')
    return this
  }

  #report(task: Task): void {
    const machine = this.machines.find(({ id }) => id === task.agent)
    const before = this.#state.tasks.find((one) => one.task.id === task.id)
    if (machine === undefined || machine.silentSince !== null || before === undefined || isOver(before)) return
    const readySince = before.observed?.readySince ?? this.now
    const said =
      task.desired === 'run' ? { phase: 'Running' as const, ready: true, readySince } : { phase: 'Stopped' as const, ready: false }
    const value = observed({ ...before.observed, ...said, task: task.id, agent: machine.id, updatedAt: this.now })
    this.#apply([{ table: 'observed', id: task.id, value }])
  }

  /** Decides and places in turns, as the leader does in one turn of its own. */
  settle(): this {
    for (let round = 0; round < 20; round += 1) {
      const { state } = this
      const { writes, wakeAt } = reconcile(state, { now: this.now, newId: () => String(++this.#ids) })
      this.wakeAt = wakeAt
      this.broken.push(...decisionViolations(state, writes).map(({ message }) => message))
      this.#apply(writes)
      const placed = this.#place()
      if (writes.length + placed === 0) return this
    }
    this.broken.push('it is decided anew without end')
    return this
  }

  #place(): number {
    const pending = this.#state.tasks.filter((state) => state.task.agent === null && isLive(state))
    let placed = 0
    for (const { task } of pending) {
      const free = this.machines.find(
        ({ id, room, silentSince, drainedUntil }) =>
          silentSince === null &&
          drainedUntil === null &&
          this.#state.tasks.filter((one) => one.task.agent === id && !isOver(one)).length < room,
      )
      if (free === undefined) break
      this.#apply([{ table: 'tasks', id: task.id, value: { ...task, agent: free.id } }])
      placed += 1
    }
    return placed
  }

  #apply(writes: readonly Write[]): void {
    const tasks = new Map(this.#state.tasks.map((one) => [one.task.id as string, { task: one.task, observed: one.observed }]))
    const rollouts = new Map(this.#state.rollouts.map((one) => [one.id, one]))
    let { record } = this.#state
    for (const write of writes) {
      if (write.table === 'tasks' && write.value === null) tasks.delete(write.id)
      if (write.table === 'tasks' && write.value !== null)
        tasks.set(write.id, { task: write.value, observed: tasks.get(write.id)?.observed })
      const known = tasks.get(write.id)
      if (write.table === 'observed' && write.value !== null && known !== undefined)
        tasks.set(write.id, { ...known, observed: write.value as Observed })
      if (write.table === 'rollouts' && write.value === null) rollouts.delete(write.id)
      if (write.table === 'rollouts' && write.value !== null) rollouts.set(write.id, write.value as Rollout)
      if (write.table === 'workloads' && write.value !== null) record = write.value
    }
    const newestFirst = [...rollouts.values()].sort((a, b) => b.number - a.number)
    const { good } = record
    const fallback = good === null || good.inputsDigest === record.inputsDigest ? null : { target: good, slots: this.#state.slots }
    this.#state = { ...this.#state, record, fallback, tasks: [...tasks.values()], rollouts: newestFirst }
  }
}
