import { expect } from 'vitest'
import { planRolling, type RollingInput, type RollingLimits } from '../../../src/core/rollout/rolling.ts'
import { isAvailable, isLive, isOver, occupies, type TaskState } from '../../../src/core/task-state.ts'
import type { Digest, TaskId } from '../../../src/model/ids.ts'
import { AGENT, digest, NOW, observed, task } from '../../support/make.ts'

/** What may happen to a Deployment between two looks; `pick` chooses the task. */
export type Happening =
  | { readonly type: 'ready' | 'unready' | 'fails' | 'placed' | 'ends'; readonly pick: number }
  | { readonly type: 'template'; readonly version: number }
  | { readonly type: 'replicas'; readonly count: number }
  | { readonly type: 'limits'; readonly limits: RollingLimits }
  | { readonly type: 'time'; readonly ms: number }

/** A cluster in which machines do as the happenings say, and every plan is carried out at once. */
export class RollingModel {
  tasks: TaskState[] = []
  now = NOW
  slots: string[] = []
  limits: RollingLimits
  templateDigest: Digest = digest('v0')
  readonly minReadyMs: number
  #born = 0

  constructor(options: { replicas: number; limits: RollingLimits; minReadyMs: number }) {
    this.limits = options.limits
    this.minReadyMs = options.minReadyMs
    this.#resize(options.replicas)
  }

  input(): RollingInput {
    const { slots, tasks, templateDigest, limits, minReadyMs, now } = this
    return { slots, tasks, templateDigest, limits, minReadyMs, now }
  }

  happen(happening: Happening): void {
    if (happening.type === 'template') this.templateDigest = digest(`v${happening.version}`)
    else if (happening.type === 'replicas') this.#resize(happening.count)
    else if (happening.type === 'limits') this.limits = happening.limits
    else if (happening.type === 'time') this.now += happening.ms
    else this.#toTask(happening.type, happening.pick)
    this.settle()
  }

  /** Carries the plan out, holds it against its promises, and looks again until it has nothing to say. */
  settle(): void {
    const plan = planRolling(this.input())
    this.#holdsPromises(plan)
    for (const id of plan.stop) this.#change(id, ({ task: old, observed: said }) => ({ task: { ...old, desired: 'stop' }, observed: said }))
    for (const slot of plan.create) this.#create(slot)
    const again = planRolling(this.input())
    expect(again, 'a second look at the same moment changes nothing').toMatchObject({ create: [], stop: [] })
  }

  /** From now on all goes well: what was told to stop ends, what runs gets ready. Bounded by what a rollout can take. */
  recover(): void {
    const rounds = 4 * (this.slots.length + this.tasks.length) + 4
    for (let round = 0; round < rounds; round += 1) {
      this.now += 1
      for (const { task: one, observed: said } of this.tasks.filter((state) => !isOver(state)))
        if (one.desired === 'stop') this.#say(one.id, { phase: 'Stopped', ready: false, readySince: null })
        else if (said?.readySince == null || said.phase !== 'Running')
          this.#say(one.id, { phase: 'Running', ready: true, readySince: this.now })
      this.now += this.minReadyMs
      this.settle()
    }
  }

  expectFinished(): void {
    const running = this.tasks.filter((state) => !isOver(state))
    expect(running.map((state) => state.task.slot).sort()).toEqual([...this.slots].sort())
    expect(running.every((state) => state.task.templateDigest === this.templateDigest && this.#serves(state))).toBe(true)
  }

  #holdsPromises(plan: ReturnType<typeof planRolling>): void {
    const { tasks, limits, slots } = this
    expect(new Set(plan.stop).size, 'nothing is stopped twice').toBe(plan.stop.length)
    const staying = tasks.filter((state) => isLive(state) && !plan.stop.includes(state.task.id))
    if (plan.create.length > 0) expect(staying.length + plan.create.length).toBeLessThanOrEqual(slots.length + limits.maxSurge)
    for (const slot of plan.create) {
      const twin = staying.find((state) => state.task.slot === slot && state.task.templateDigest === this.templateDigest)
      expect(twin, 'one task of the template in a slot').toBeUndefined()
    }
    const missed = tasks.filter((state) => plan.stop.includes(state.task.id) && this.#serves(state))
    if (limits.strategy === 'Recreate') {
      const old = tasks.filter((state) => state.task.templateDigest !== this.templateDigest && occupies(state))
      if (old.length > 0) expect(plan.create, 'old and new never run side by side').toEqual([])
    } else if (missed.length > 0) {
      const serving = staying.filter((state) => this.#serves(state)).length
      expect(serving, 'still serving after what was stopped').toBeGreaterThanOrEqual(slots.length - limits.maxUnavailable)
    }
    const shuffled = planRolling({ ...this.input(), tasks: tasks.toReversed() })
    expect(shuffled, 'the order of the tasks does not matter').toEqual(plan)
  }

  #serves(state: TaskState): boolean {
    return isAvailable(state, this.minReadyMs, this.now)
  }

  #resize(count: number): void {
    this.slots = Array.from({ length: count }, (_, index) => String(index))
  }

  #create(slot: string): void {
    const id = `t${++this.#born}` as TaskId
    const made = task({ id, slot, agent: null, templateDigest: this.templateDigest, createdAt: this.now })
    this.tasks.push({ task: made, observed: undefined })
  }

  #toTask(type: 'ready' | 'unready' | 'fails' | 'placed' | 'ends', pick: number): void {
    const able = this.tasks.filter((state) => !isOver(state) && (type === 'ends' ? state.task.desired === 'stop' : true))
    const chosen = able[pick % Math.max(1, able.length)]
    if (chosen === undefined) return
    if (type === 'placed' && chosen.task.desired === 'run')
      this.#change(chosen.task.id, ({ task: old, observed: said }) => ({ task: { ...old, agent: AGENT }, observed: said }))
    else if (type === 'ready') this.#say(chosen.task.id, { phase: 'Running', ready: true, readySince: this.now })
    else if (type === 'unready') this.#say(chosen.task.id, { phase: 'Preparing', ready: false, readySince: null })
    else if (type === 'fails') this.#say(chosen.task.id, { phase: 'Failed', ready: false, readySince: null })
    else if (type === 'ends') this.#say(chosen.task.id, { phase: 'Stopped', ready: false, readySince: null })
  }

  #say(id: TaskId, said: Parameters<typeof observed>[0]): void {
    this.#change(id, ({ task: old }) => ({ task: { ...old, agent: AGENT }, observed: observed({ ...said, task: id }) }))
  }

  #change(id: TaskId, change: (state: TaskState) => TaskState): void {
    this.tasks = this.tasks.map((state) => (state.task.id === id ? change(state) : state))
  }
}
