import { Cluster } from '../../../../src/control/leader/cluster.ts'
import { Draft } from '../../../../src/control/leader/draft.ts'
import { workloadState } from '../../../../src/control/leader/workload-state.ts'
import { manualRun, rerun } from '../../../../src/core/batch/by-hand.ts'
import { decisionViolations } from '../../../../src/core/invariants.ts'
import { reconcile } from '../../../../src/core/reconcile.ts'
import type { WorkloadState } from '../../../../src/core/workload.ts'
import { bodyOf } from '../../../../src/model/body.ts'
import type { AgentId, Digest, RunId, WorkloadKey } from '../../../../src/model/ids.ts'
import type { AgentRecord, Run, WorkloadRecord, Write } from '../../../../src/model/records.ts'
import type { Task } from '../../../../src/model/task.ts'
import { TERMINAL } from '../../../../src/model/task.ts'
import type { WorkloadVersion } from '../../../../src/model/version.ts'
import { decodeItem } from '../../../../src/store/codec.ts'
import type { Op } from '../../../../src/store/store.ts'
import { agentRecord, NOW, waitsFor, workload } from '../../../support/make.ts'
import { Fleet, type OrderRule } from './fleet.ts'

/** What git says of one workload. */
export interface Said {
  readonly version: WorkloadVersion
  readonly inputsDigest: Digest
  readonly templateDigest: Digest
  readonly revision: string
  /** `Restore`: a rollback says it, and not a commit. */
  readonly intent: 'Update' | 'Restore'
}

/** One look of the leader at a workload: what it was decided from, and what was decided. */
export interface Look {
  readonly state: WorkloadState
  readonly writes: readonly Write[]
  readonly now: number
}

/** Who watches the world and says what was wrong. */
export interface Oracle {
  look(look: Look): void
  /** What of the turn is durable; `Cut`: not all of it. */
  commit(ops: readonly Op[], how: 'Whole' | 'Cut'): void
}

const MOST_ROUNDS = 12
export const MACHINES = ['m1', 'm2', 'm3'] as AgentId[]

/** A control plane over a store that outlives it, git, machines, and a clock that may jump. */
export class World {
  now = NOW
  /** Time that really passed. */
  real = 0
  readonly git = new Map<WorkloadKey, Said | null>()
  readonly fleet = new Fleet()
  readonly store = new Map<string, string>()
  readonly broken: string[] = []
  /** Dependencies are missing. */
  unmet = false
  /** No machine has room. */
  full = false
  /** Of the next turn only so much of its writes becomes durable. */
  cut: number | null = null
  readonly #versions = new Map<Digest, WorkloadVersion>()
  readonly #keys: readonly WorkloadKey[]
  readonly #oracle: Oracle
  #cluster = new Cluster()
  #ids = 0
  #placed = 0

  constructor(keys: readonly WorkloadKey[], oracle: Oracle) {
    this.#keys = keys
    this.#oracle = oracle
    for (const id of MACHINES) {
      this.fleet.machines.set(id, 'Here')
      const record = agentRecord({ id, labels: { role: 'batch' } })
      this.store.set(`agents/${id}`, JSON.stringify(record))
    }
    this.newLeader()
  }

  get runs(): readonly Run[] {
    return [...this.#cluster.runs.values()]
  }

  record(key: WorkloadKey): WorkloadRecord | undefined {
    return this.#cluster.workloads.get(key)
  }

  /** Machines with the label that the workloads ask for, without those that are away, unless all are. */
  matching(): string[] {
    const all = MACHINES.filter((id) => this.#cluster.agents.get(id)?.labels.role === 'batch')
    const here = all.filter((id) => this.fleet.isHere(id))
    return here.length === 0 ? all : here
  }

  drainedAt(id: AgentId): number | null {
    return this.#cluster.agents.get(id)?.maintenance?.deadlineAt ?? null
  }

  ruleOf(task: Pick<Task, 'inputsDigest'>): OrderRule {
    const body = bodyOf(this.version(task.inputsDigest))
    if (!('completions' in body)) throw new Error('a batch workload')
    return { exclusive: body.exclusive, restartPolicy: body.template.spec.restartPolicy === 'Never' ? 'Never' : 'OnFailure' }
  }

  version(digest: Digest): WorkloadVersion {
    const known = this.#versions.get(digest)
    if (known === undefined) throw new Error('a version that nobody said')
    return known
  }

  say(key: WorkloadKey, said: Said | null): void {
    if (said !== null) this.#versions.set(said.inputsDigest, said.version)
    this.git.set(key, said)
  }

  /** Memory is gone; what the store holds is read as a new leader reads it. */
  newLeader(): void {
    const cluster = new Cluster()
    for (const [digest, version] of this.#versions) cluster.versions.set(digest, version)
    for (const [key, value] of this.store) {
      const record = decodeItem({ key, value })
      if (record !== null) cluster.apply(record)
    }
    this.#cluster = cluster
  }

  /** Machines get or lose the label that the workloads ask for, or are drained. */
  agents(ids: readonly AgentId[], over: Partial<AgentRecord>): void {
    this.turn((draft) => {
      for (const id of ids) {
        const record = this.#cluster.agents.get(id)
        if (record !== undefined) draft.write({ table: 'agents', id, value: { ...record, ...over } })
      }
    })
  }

  /** A person's word, where it can be carried out. */
  startRun(key: WorkloadKey, again: RunId | null): void {
    this.turn((draft) => {
      const state = this.#stateOf(key)
      if (state === null) return
      const wish = { actor: 'ann', now: this.now }
      const of = again === null ? undefined : this.#cluster.runs.get(again)
      const decided = of === undefined ? manualRun(state, wish) : rerun(state, of, wish)
      if (decided.is === 'Run') draft.write({ table: 'runs', id: decided.run.id, value: decided.run })
    })
  }

  /** One turn of the leader: what machines and git say, then looks until nothing moves, then one commit. */
  turn(request: (draft: Draft) => void = () => undefined): void {
    const draft = new Draft(this.#cluster)
    for (const [digest, version] of this.#versions) this.#cluster.versions.set(digest, version)
    this.#takeReports(draft)
    this.#takeGit(draft)
    request(draft)
    this.#settle(draft)
    if (this.#place(draft)) this.#settle(draft)
    const how = this.#commit(draft.ops())
    this.fleet.take(this.#cluster, (task) => this.ruleOf(task), this.now)
    this.broken.push(...this.fleet.broken)
    // The next leader looks at everything at once.
    if (how === 'Cut') this.turn()
  }

  #takeReports(draft: Draft): void {
    for (const said of this.fleet.statuses()) {
      const before = this.#cluster.observed.get(said.task)
      if (!this.#cluster.tasks.has(said.task) || (before !== undefined && TERMINAL.has(before.phase))) continue
      if (before?.phase === said.phase && before.attempt === said.attempt) continue
      draft.write({ table: 'observed', id: said.task, value: { ...said, updatedAt: this.now } })
    }
  }

  #takeGit(draft: Draft): void {
    for (const [key, said] of this.git) {
      const before = this.#cluster.workloads.get(key)
      if (said === null && before?.wanted === true)
        draft.write({
          table: 'workloads',
          id: key,
          value: { ...before, wanted: false, generation: before.generation + 1, updatedAt: this.now },
        })
      if (said === null || (before?.wanted === true && before.inputsDigest === said.inputsDigest && before.revision === said.revision))
        continue
      const { inputsDigest, templateDigest, revision, intent } = said
      const made = workload({
        key,
        inputsDigest,
        templateDigest,
        revision,
        intent,
        createdAt: before?.createdAt ?? this.now,
        updatedAt: this.now,
      })
      draft.write({
        table: 'workloads',
        id: key,
        value: { ...made, good: before?.good ?? null, generation: (before?.generation ?? 0) + 1 },
      })
    }
  }

  #settle(draft: Draft): void {
    for (let round = 0; round < MOST_ROUNDS; round += 1) {
      const moved = this.#keys.filter((key) => this.#look(key, draft))
      if (moved.length === 0) return
    }
    this.broken.push('it is decided anew without end')
  }

  #stateOf(key: WorkloadKey): WorkloadState | null {
    const hub = {
      isAway: (agent: AgentId) => !this.fleet.isHere(agent),
      silentFor: (agent: AgentId) => this.fleet.silentFor(agent, this.real),
    }
    const term = { cluster: this.#cluster, unplaced: new Map(), healths: new Map(), ledSince: NOW, hub }
    const state = workloadState(key, { term, now: this.now })
    return state === null || !this.unmet ? state : { ...state, unmet: [waitsFor()] }
  }

  #look(key: WorkloadKey, draft: Draft): boolean {
    const state = this.#stateOf(key)
    if (state === null) return false
    const context = { now: this.now, newId: () => `${++this.#ids}` }
    const { writes, wakeAt } = reconcile(state, context)
    this.#wakes.set(key, wakeAt)
    this.broken.push(...decisionViolations(state, writes).map(({ invariant, message }) => `${invariant}: ${message}`))
    this.#oracle.look({ state, writes, now: this.now })
    for (const write of writes) draft.write(write)
    const after = this.#stateOf(key)
    const again = after === null || this.#sharesSlots(key) ? [] : reconcile(after, context).writes
    if (again.length > 0)
      this.broken.push(`a second decision about ${key} at the same moment writes ${JSON.stringify(again).slice(0, 400)}`)
    return writes.length > 0
  }

  /** Where runs wait for each other's slots, what one look frees the next one takes. */
  #sharesSlots(key: WorkloadKey): boolean {
    return this.#cluster
      .runsOfWorkload(key)
      .some((run) => run.finishedAt === null && key.includes('/CronJob/') && this.ruleOf(run).exclusive)
  }

  readonly #wakes = new Map<WorkloadKey, number | null>()

  /** When the leader wants to look again; null: never. */
  nextWake(): number | null {
    const times = [...this.#wakes.values()].filter((at) => at !== null)
    return times.length === 0 ? null : Math.min(...times)
  }

  #place(draft: Draft): boolean {
    const here = MACHINES.filter((id) => this.fleet.isHere(id) && this.#cluster.agents.get(id)?.maintenance === null)
    let moved = false
    const pending = this.#cluster.groups.waiting().flatMap(({ tasks, bound }) => [...tasks, ...bound.keys()])
    for (const id of pending) {
      const task = this.#cluster.taskState(id).task
      const bound = this.fleet.machines.has(task.slot as AgentId) ? (task.slot as AgentId) : here[this.#placed++ % Math.max(1, here.length)]
      if (this.full || bound === undefined || !here.includes(bound)) continue
      draft.write({ table: 'tasks', id, value: { ...task, agent: bound } })
      moved = true
    }
    return moved
  }

  #commit(ops: readonly Op[]): 'Whole' | 'Cut' {
    const kept = this.cut === null ? ops : ops.slice(0, Math.floor(ops.length * this.cut))
    const how = kept.length === ops.length ? 'Whole' : 'Cut'
    for (const op of kept)
      if (op.op === 'put') this.store.set(op.key, op.value)
      else this.store.delete(op.key)
    this.#oracle.commit(kept, how)
    if (this.cut !== null) this.newLeader()
    this.cut = null
    return how
  }
}
