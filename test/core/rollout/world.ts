import { decisionViolations } from '../../../src/core/invariants.ts'
import { reconcile } from '../../../src/core/reconcile.ts'
import { planReturns } from '../../../src/core/returns.ts'
import { pauseOver } from '../../../src/core/rollout/event.ts'
import { goodNow } from '../../../src/core/rollout/follow.ts'
import { advance, isFinished, type RolloutEvent } from '../../../src/core/rollout/step.ts'
import { isAvailable, isLive, isReady, isTerminal, type TaskState } from '../../../src/core/task-state.ts'
import type { WorkloadState } from '../../../src/core/workload.ts'
import { digestOf } from '../../../src/lib/canonical.ts'
import type { Digest } from '../../../src/model/ids.ts'
import { type DeploymentSpec, SyncPolicy } from '../../../src/model/manifest.ts'
import type { Write } from '../../../src/model/records.ts'
import type { Rollout } from '../../../src/model/rollout.ts'
import type { Observed, Task } from '../../../src/model/task.ts'
import type { WorkloadVersion } from '../../../src/model/version.ts'
import { AGENT, attempt, deploymentState, deploymentVersion, NOW, observed, revisionRecord, waitsFor } from '../../support/make.ts'

/** What a generated commit says. */
export interface Draft {
  readonly template: number
  readonly replicas: number
  readonly strategy: object
  readonly minReadySeconds: number
  readonly onFailure: DeploymentSpec['onFailure']
}

/** One Deployment, its tasks as if on one machine, and git: commits, failures, returns, and a clock. */
export class RolloutWorld {
  now = NOW
  state: WorkloadState
  quarantined: Digest | null = null
  /** What the last commit that was not held said. */
  wanted: Digest
  begun = 0
  readonly #versions = new Map<Digest, { version: WorkloadVersion; templateDigest: Digest }>()
  #ids = 0

  constructor(first: Draft) {
    const inputsDigest = this.#know(first)
    const { version, templateDigest } = this.#of(inputsDigest)
    const bare = deploymentState()
    this.wanted = inputsDigest
    this.state = this.#withSlots({ ...bare, version, record: { ...bare.record, inputsDigest, templateDigest } })
  }

  get spec(): DeploymentSpec {
    if (this.state.version.kind !== 'Deployment') throw new Error('a Deployment')
    return this.state.version.spec
  }

  get live(): TaskState[] {
    return this.state.tasks.filter(isLive)
  }

  get rollout(): Rollout | undefined {
    return this.state.rollouts[0]
  }

  /** As a sync would: what is quarantined changes nothing, anything else lifts the quarantine. */
  commit(draft: Draft): void {
    const inputsDigest = this.#know(draft)
    if (this.quarantined === inputsDigest) return
    this.quarantined = null
    this.wanted = inputsDigest
    if (this.state.record.inputsDigest !== inputsDigest) this.#point(inputsDigest, 'Update')
  }

  say(state: TaskState, said: Partial<Observed>): void {
    const told = observed({ ready: false, attempt: 1, ...state.observed, task: state.task.id, ...said, updatedAt: this.now })
    const readySince = told.ready && told.phase === 'Running' ? (state.observed?.readySince ?? this.now) : null
    this.#put({ task: state.task, observed: { ...told, readySince } })
  }

  crash(state: TaskState): void {
    const before = state.observed
    const number = before?.attempt ?? 1
    const ended = [...(before?.attempts ?? []), attempt(number, 1, this.now)]
    this.say(state, { phase: 'Preparing', ready: false, attempt: number + 1, attempts: ended, failures: (before?.failures ?? 0) + 1 })
  }

  event(make: (rollout: Rollout) => RolloutEvent | null): void {
    const [newest, ...older] = this.state.rollouts
    const event = newest === undefined ? null : make(newest)
    if (newest !== undefined && event !== null) this.state = { ...this.state, rollouts: [advance(newest, event, this.now), ...older] }
  }

  /** Agents carry out what they were told. */
  stopped(): void {
    for (const state of this.state.tasks.filter(({ task }) => task.desired === 'stop'))
      if (!isTerminal(state)) this.say(state, { phase: 'Stopped' })
  }

  promote(): void {
    this.event(({ state }) =>
      state.phase === 'Paused' ? pauseOver(state, this.spec, 0) : state.phase === 'Failed' ? { type: 'retried' } : null,
    )
  }

  block(standing: 'Moving' | 'Stuck' | 'No'): void {
    this.state = { ...this.state, unmet: standing === 'No' ? [] : [waitsFor({ standing })] }
  }

  newLeader(): void {
    this.state = { ...this.state, ledSince: this.now }
  }

  /** Decides until nothing moves; tells what broke a promise. */
  settle(): string[] {
    const broken: string[] = []
    for (let looks = 0; looks < 40; looks += 1) {
      const before = this.state
      const decision = reconcile(before, { now: this.now, newId: () => `${++this.#ids}` })
      broken.push(...decisionViolations(before, decision.writes).map(({ invariant, message }) => `${invariant}: ${message}`))
      broken.push(...this.#brokenBy(before, decision.writes))
      this.#apply(decision.writes)
      const returned = this.#takeBack()
      if (decision.writes.length === 0 && !returned) return [...broken, ...this.#brokenNow()]
      this.wakeAt = decision.wakeAt
    }
    return [...broken, 'it never settles']
  }

  wakeAt: number | null = null

  #know({ template, ...spec }: Draft): Digest {
    const image = { spec: { driver: 'fake', containers: [{ name: 'main', image: `a:${template}` }] } }
    const version = deploymentVersion({ progressDeadlineSeconds: 30, revisionHistoryLimit: 100, template: image, ...spec })
    const inputsDigest = digestOf(version)
    this.#versions.set(inputsDigest, { version, templateDigest: digestOf(`template ${template}`) })
    return inputsDigest
  }

  #of(inputsDigest: Digest) {
    const known = this.#versions.get(inputsDigest)
    if (known === undefined) throw new Error('a version nobody said')
    return known
  }

  #point(inputsDigest: Digest, intent: 'Update' | 'Restore'): void {
    const { version, templateDigest } = this.#of(inputsDigest)
    const good = goodNow(this.state.record, this.state.rollouts)
    const record = { ...this.state.record, good, inputsDigest, templateDigest, intent, generation: this.state.record.generation + 1 }
    this.state = this.#withSlots({ ...this.state, version, record })
  }

  #withSlots(state: WorkloadState): WorkloadState {
    const { good, inputsDigest } = state.record
    const slots = slotsOf(state.version)
    const fallback =
      good === null || good.inputsDigest === inputsDigest ? null : { target: good, slots: slotsOf(this.#of(good.inputsDigest).version) }
    return { ...state, slots, fallback }
  }

  #put(next: TaskState): void {
    this.state = { ...this.state, tasks: [...this.state.tasks.filter(({ task }) => task.id !== next.task.id), next] }
  }

  #apply(writes: readonly Write[]): void {
    for (const write of writes) {
      if (write.table === 'tasks' && write.value === null)
        this.state = { ...this.state, tasks: this.state.tasks.filter(({ task }) => task.id !== write.id) }
      else if (write.table === 'tasks') this.#putTask(write.value as Task)
      if (write.table === 'workloads' && write.value !== null) this.state = this.#withSlots({ ...this.state, record: write.value })
      if (write.table === 'rollouts') this.#putRollout(write.id, write.value)
    }
  }

  #putTask(task: Task): void {
    const known = this.state.tasks.find((one) => one.task.id === task.id)
    this.#put({ task: { ...task, agent: AGENT }, observed: known?.observed })
  }

  #putRollout(id: string, value: Rollout | null): void {
    const others = this.state.rollouts.filter((one) => one.id !== id)
    if (value !== null && others.length === this.state.rollouts.length) this.begun += 1
    const rollouts = value === null ? others : [...others, value].sort((a, b) => b.number - a.number)
    this.state = { ...this.state, rollouts }
  }

  #takeBack(): boolean {
    const { record, version, rollouts } = this.state
    const [newest] = rollouts
    const rollout = newest?.generation === record.generation ? newest : null
    const member = { record, version, rollout, run: null, health: 'Unknown' as const }
    const revision = revisionRecord({ deadlineAt: null })
    const [back] = planReturns({ policy: SyncPolicy.parse({}), revision, members: [member], now: this.now })
    if (back === undefined || back.to === null) return false
    this.quarantined = back.bad
    this.event(() => ({ type: 'returned', failure: back.failure }))
    this.#point(back.to.inputsDigest, 'Restore')
    return true
  }

  #brokenBy(before: WorkloadState, writes: readonly Write[]): string[] {
    const broken: string[] = []
    const tasks = writes.flatMap((write) => (write.table === 'tasks' && write.value !== null ? [write.value] : []))
    const known = new Set(before.tasks.map(({ task }) => task.id))
    const created = tasks.filter(({ id }) => !known.has(id))
    const stopped = new Set(tasks.filter(({ id, desired }) => known.has(id) && desired === 'stop').map(({ id }) => id))
    if (created.some(({ inputsDigest }) => inputsDigest === this.quarantined)) broken.push('a quarantined version is started')
    const serving = before.tasks.filter((state) => isAvailable(state, this.spec.minReadySeconds * 1000, this.now))
    const left = serving.filter(({ task }) => !stopped.has(task.id)).length
    const ready = before.tasks.filter((state) => isReady(state) && stopped.has(state.task.id)).length
    // Until a larger version takes over, the smaller one that serves is what is promised.
    const promised = Math.min(before.slots.length, before.fallback?.slots.length ?? before.slots.length)
    const least = promised - unavailable(this.spec, before.slots.length)
    if (ready > 0 && left < least && this.spec.strategy.type === 'RollingUpdate') broken.push(`${left} are left of ${least}`)
    return broken
  }

  #brokenNow(): string[] {
    const [newest, ...older] = this.state.rollouts
    if (newest?.generation !== this.state.record.generation) return ['the newest rollout is not of what is wanted']
    if (older.some((rollout) => !isFinished(rollout))) return ['a rollout goes on beside a newer one']
    return this.quarantined === null && this.state.record.inputsDigest !== this.wanted ? ['the last commit did not win'] : []
  }
}

function slotsOf(version: WorkloadVersion): string[] {
  const replicas = version.kind === 'Deployment' ? version.spec.replicas : 0
  return Array.from({ length: replicas }, (_, index) => String(index))
}

/** Rounded down, and at least one where nothing may be added: said anew here, so that a mistake there is seen. */
function unavailable({ strategy }: DeploymentSpec, slots: number): number {
  const of = (value: number | string, round: (n: number) => number) =>
    typeof value === 'number' ? value : round((Number.parseInt(value, 10) * slots) / 100)
  const { maxSurge, maxUnavailable } = strategy.rollingUpdate
  const missing = of(maxUnavailable, Math.floor)
  return of(maxSurge, Math.ceil) === 0 ? Math.max(1, missing) : missing
}
