import { dependencyKeys } from '../../core/dependencies.ts'
import type { Requirements } from '../../core/schedule/types.ts'
import type { TaskState } from '../../core/task-state.ts'
import { Index } from '../../lib/index-map.ts'
import { must } from '../../lib/must.ts'
import { bodyOf } from '../../model/body.ts'
import { type AgentId, type Digest, type RunId, type TaskId, type WorkloadKey, workloadKey } from '../../model/ids.ts'
import type {
  AgentRecord,
  AppRecord,
  CronState,
  EventRecord,
  ForgottenAgent,
  Quarantine,
  RecordOf,
  RevisionRecord,
  Run,
  Table,
  WorkloadRecord,
  Write,
} from '../../model/records.ts'
import type { Rollout } from '../../model/rollout.ts'
import type { Observed, Task } from '../../model/task.ts'
import type { AuthorityRecord, TokenRecord } from '../../model/trust.ts'
import type { WorkloadVersion } from '../../model/version.ts'
import { TaskGroups } from './task-groups.ts'
import { AgentUsage } from './usage.ts'
import { VersionBook } from './version-book.ts'

/**
 * The whole state of the cluster in the leader's memory, indexed so that a decision costs what its workload
 * costs. Changed only by `apply`, with writes that are being committed; dropped whole on demotion.
 */
export class Cluster {
  readonly apps = new Map<string, AppRecord>()
  readonly revisions = new Map<string, RevisionRecord>()
  readonly workloads = new Map<WorkloadKey, WorkloadRecord>()
  readonly tasks = new Map<TaskId, Task>()
  readonly observed = new Map<TaskId, Observed>()
  readonly rollouts = new Map<string, Rollout>()
  readonly runs = new Map<RunId, Run>()
  readonly schedules = new Map<WorkloadKey, CronState>()
  readonly agents = new Map<AgentId, AgentRecord>()
  readonly forgotten = new Map<AgentId, ForgottenAgent>()
  readonly quarantine = new Map<WorkloadKey, Quarantine>()
  readonly events = new Map<string, EventRecord>()
  readonly authorities = new Map<string, AuthorityRecord>()
  readonly tokens = new Map<string, TokenRecord>()
  readonly versions = new VersionBook()
  /** Workloads that are to be removed and still there. */
  readonly leaving = new Set<WorkloadKey>()
  /** Workloads with a task on every machine that matches. */
  readonly global = new Set<WorkloadKey>()
  /** Workloads with a rollout that failed and was not taken back. */
  readonly failing = new Set<WorkloadKey>()
  /** Machines of which nothing is heard, and those of them that are spared for they fell silent together. */
  readonly silent = new Set<AgentId>()
  readonly spared = new Set<AgentId>()
  readonly groups = new TaskGroups()
  readonly #tasksOfWorkload = new Index<WorkloadKey, TaskId>()
  readonly #tasksOfRun = new Index<RunId, TaskId>()
  readonly #tasksOfAgent = new Index<AgentId, TaskId>()
  readonly #workloadsOfApp = new Index<string, WorkloadKey>()
  readonly #revisionsOfApp = new Index<string, string>()
  readonly #dependents = new Index<WorkloadKey, WorkloadKey>()
  readonly #children = new Index<WorkloadKey, WorkloadKey>()
  readonly #runsOfWorkload = new Index<WorkloadKey, RunId>()
  readonly #rolloutsOfWorkload = new Index<WorkloadKey, string>()
  readonly #eventsOfObject = new Index<string, string>()
  readonly #usage = new Map<AgentId, AgentUsage>()
  #newestEvent = 0

  /** Number of the newest event that ever was; numbers only grow. */
  get newestEvent(): number {
    return this.#newestEvent
  }

  apply(write: Write): void {
    this.#unindex(write.table, write.id)
    this.#count(write)
    const table = this[write.table] as Map<string, RecordOf<Table>>
    if (write.value === null) table.delete(write.id)
    else table.set(write.id, write.value)
    this.#index(write.table, write.id)
  }

  version(digest: Digest): WorkloadVersion {
    return must(this.versions.get(digest), `version ${digest} is loaded`)
  }

  taskState(id: TaskId): TaskState {
    return { task: must(this.tasks.get(id), `task ${id}`), observed: this.observed.get(id) }
  }

  tasksOfWorkload(key: WorkloadKey): TaskState[] {
    return this.#tasksOfWorkload.get(key).map((id) => this.taskState(id))
  }

  tasksOfRun(run: RunId): TaskState[] {
    return this.#tasksOfRun.get(run).map((id) => this.taskState(id))
  }

  tasksOfAgent(agent: AgentId): TaskState[] {
    return this.#tasksOfAgent.get(agent).map((id) => this.taskState(id))
  }

  workloadsOfApp(app: string): WorkloadRecord[] {
    return this.#workloadsOfApp.get(app).map((key) => must(this.workloads.get(key), `workload ${key}`))
  }

  /** Workloads of an app that are to be removed; mostly there are none, however large the app is. */
  leavingOf(app: string): WorkloadKey[] {
    return [...this.leaving].filter((key) => this.workloads.get(key)?.app === app)
  }

  /** Newest first. */
  revisionsOfApp(app: string): RevisionRecord[] {
    const all = this.#revisionsOfApp.get(app).map((id) => must(this.revisions.get(id), `revision ${id}`))
    return all.sort((a, b) => b.id - a.id)
  }

  runsOfWorkload(key: WorkloadKey): Run[] {
    return this.#runsOfWorkload.get(key).map((id) => must(this.runs.get(id), `run ${id}`))
  }

  /** Newest first. */
  rolloutsOfWorkload(key: WorkloadKey): Rollout[] {
    const all = this.#rolloutsOfWorkload.get(key).map((id) => must(this.rollouts.get(id), `rollout ${id}`))
    return all.sort((a, b) => b.number - a.number)
  }

  /** Their ids, oldest first. */
  eventsOfObject(object: string): readonly string[] {
    return this.#eventsOfObject.get(object)
  }

  /** What remembers the images of a task's template: the Job's run, or the newest rollout to it. */
  pinsOf({ workload, run, templateDigest }: Task): Run | Rollout | undefined {
    if (run !== null) return this.runs.get(run)
    return this.rolloutsOfWorkload(workload).find(({ to }) => to.templateDigest === templateDigest)
  }

  /** Workloads that this one's start waits for. */
  dependenciesOf(record: WorkloadRecord): readonly WorkloadKey[] {
    return dependencyKeys(record.key, this.version(record.inputsDigest).spec.dependsOn)
  }

  /** CronJobs that start after this one. */
  childrenOf(key: WorkloadKey): readonly WorkloadKey[] {
    return this.#children.get(key)
  }

  /** Workloads whose start waits for this one. */
  dependentsOf(key: WorkloadKey): readonly WorkloadKey[] {
    return this.#dependents.get(key)
  }

  #parentsOf({ inputsDigest }: WorkloadRecord): WorkloadKey[] {
    const version = this.version(inputsDigest)
    if (version.kind !== 'CronJob') return []
    return (version.spec.after ?? []).map((name) => workloadKey(version.namespace, 'CronJob', name))
  }

  /** The one agent that a task of a Global workload may go to; null: any. */
  boundTo({ inputsDigest, slot }: Task): AgentId | null {
    return isGlobal(this.version(inputsDigest)) ? (slot as AgentId) : null
  }

  /** A task or run whose template is still the wanted one is of the present inputs, though what does not touch tasks has changed since its birth. */
  inputsNow({ workload, templateDigest, inputsDigest }: Pick<Task | Run, 'workload' | 'templateDigest' | 'inputsDigest'>): Digest {
    const record = this.workloads.get(workload)
    return record?.templateDigest === templateDigest ? record.inputsDigest : inputsDigest
  }

  usageOf(agent: AgentId): AgentUsage {
    const usage = this.#usage.get(agent) ?? new AgentUsage()
    this.#usage.set(agent, usage)
    return usage
  }

  requirements(digest: Digest): Requirements {
    return this.versions.requirements(digest)
  }

  /** Which versions are referred to; the new record counts before the old one goes. */
  #count(write: Write): void {
    if (write.table === 'events') this.#newestEvent = Math.max(this.#newestEvent, Number(write.id))
    if (write.table !== 'workloads' && write.table !== 'tasks' && write.table !== 'runs') return
    const before = this.#before(write.table, write.id)
    if (write.value !== null) for (const digest of versionsOf(write.value)) this.versions.use(digest)
    if (before !== undefined) for (const digest of versionsOf(before)) this.versions.release(digest)
  }

  #before(table: 'workloads' | 'tasks' | 'runs', id: string): WorkloadRecord | Task | Run | undefined {
    const known: ReadonlyMap<string, WorkloadRecord | Task | Run> = this[table]
    return known.get(id)
  }

  #unindex(table: Table, id: string): void {
    if (table === 'tasks' || table === 'observed') this.#unindexTask(id as TaskId)
    const workload = table === 'workloads' ? this.workloads.get(id as WorkloadKey) : undefined
    if (workload !== undefined) this.#unindexWorkload(workload)
    const revision = table === 'revisions' ? this.revisions.get(id) : undefined
    if (revision !== undefined) this.#revisionsOfApp.delete(revision.app, id)
    const run = table === 'runs' ? this.runs.get(id as RunId) : undefined
    if (run !== undefined) this.#runsOfWorkload.delete(run.workload, run.id)
    const event = table === 'events' ? this.events.get(id) : undefined
    if (event !== undefined) this.#eventsOfObject.delete(event.object, id)
    const rollout = table === 'rollouts' ? this.rollouts.get(id) : undefined
    if (rollout === undefined) return
    this.#rolloutsOfWorkload.delete(rollout.workload, id)
    if (rollout.state.phase === 'Failed') this.failing.delete(rollout.workload)
  }

  #unindexWorkload(record: WorkloadRecord): void {
    this.#workloadsOfApp.delete(record.app, record.key)
    this.leaving.delete(record.key)
    this.global.delete(record.key)
    for (const target of this.dependenciesOf(record)) this.#dependents.delete(target, record.key)
    for (const parent of this.#parentsOf(record)) this.#children.delete(parent, record.key)
  }

  #index(table: Table, id: string): void {
    if (table === 'tasks' || table === 'observed') this.#indexTask(id as TaskId)
    if (table === 'agents') this.#indexAgent(id as AgentId)
    const workload = table === 'workloads' ? this.workloads.get(id as WorkloadKey) : undefined
    if (workload !== undefined) {
      this.#workloadsOfApp.add(workload.app, workload.key)
      if (!workload.wanted) this.leaving.add(workload.key)
      if (isGlobal(this.version(workload.inputsDigest))) this.global.add(workload.key)
      for (const target of this.dependenciesOf(workload)) this.#dependents.add(target, workload.key)
      for (const parent of this.#parentsOf(workload)) this.#children.add(parent, workload.key)
    }
    const revision = table === 'revisions' ? this.revisions.get(id) : undefined
    if (revision !== undefined) this.#revisionsOfApp.add(revision.app, id)
    const run = table === 'runs' ? this.runs.get(id as RunId) : undefined
    if (run !== undefined) this.#runsOfWorkload.add(run.workload, run.id)
    const event = table === 'events' ? this.events.get(id) : undefined
    if (event !== undefined) this.#eventsOfObject.add(event.object, id)
    const rollout = table === 'rollouts' ? this.rollouts.get(id) : undefined
    if (rollout === undefined) return
    this.#rolloutsOfWorkload.add(rollout.workload, id)
    if (rollout.state.phase === 'Failed') this.failing.add(rollout.workload)
  }

  #unindexTask(id: TaskId): void {
    const task = this.tasks.get(id)
    if (task === undefined) return
    this.groups.remove(this.taskState(id))
    this.#tasksOfWorkload.delete(task.workload, id)
    if (task.run !== null) this.#tasksOfRun.delete(task.run, id)
    if (task.agent === null) return
    this.#tasksOfAgent.delete(task.agent, id)
    this.usageOf(task.agent).remove(this.taskState(id), this.requirements(task.inputsDigest))
  }

  /** Also of one that is gone. */
  #indexAgent(id: AgentId): void {
    const silence = this.agents.get(id)?.silence ?? null
    if (silence === null) this.silent.delete(id)
    else this.silent.add(id)
    if (silence?.spared === true) this.spared.add(id)
    else this.spared.delete(id)
  }

  #indexTask(id: TaskId): void {
    const task = this.tasks.get(id)
    if (task === undefined) return
    this.#tasksOfWorkload.add(task.workload, id)
    if (task.run !== null) this.#tasksOfRun.add(task.run, id)
    this.groups.add(this.taskState(id), this.boundTo(task))
    if (task.agent === null) return
    this.#tasksOfAgent.add(task.agent, id)
    this.usageOf(task.agent).add(this.taskState(id), this.requirements(task.inputsDigest))
  }
}

export const isGlobal = (version: WorkloadVersion): boolean => bodyOf(version).mode === 'Global'

/** Versions that a record needs the bodies of: what it runs, and what it would return to. */
export function versionsOf(record: { inputsDigest: Digest; good?: WorkloadRecord['good']; finishedAt?: Run['finishedAt'] }): Digest[] {
  // A run that goes on does so as it began; one that ended needs none.
  if (record.finishedAt != null) return []
  return record.good == null ? [record.inputsDigest] : [record.inputsDigest, record.good.inputsDigest]
}
