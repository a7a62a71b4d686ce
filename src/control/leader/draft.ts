import { type Violation, writeViolations } from '../../core/invariants.ts'
import { isFinished } from '../../core/rollout/step.ts'
import { canonicalJson } from '../../lib/canonical.ts'
import { must } from '../../lib/must.ts'
import type { AgentId, Digest, Millis, TaskId, WorkloadKey } from '../../model/ids.ts'
import type { EventRecord, Rendered, RevisionRecord, Run, Write } from '../../model/records.ts'
import type { WorkloadVersion } from '../../model/version.ts'
import { blobOps } from '../../store/blobs.ts'
import { encodeWrite } from '../../store/codec.ts'
import type { Op } from '../../store/store.ts'
import type { Cluster } from './cluster.ts'
import { isUnderWay } from './revisions.ts'
import { Tries } from './tries.ts'

/** Events kept, and of one object; the oldest go when newer ones come. A CronJob of every second must not push out the story of all others. */
const EVENTS_KEPT = 1000
const EVENTS_OF_ONE = 100
/** Characters of a message kept: reasons come from machines, and the store takes no large values. */
const MESSAGE_MAX = 2000

/** What a turn has changed so far, for those who act on it once it is committed. */
export interface Touched {
  readonly workloads: Set<WorkloadKey>
  readonly apps: Set<string>
  /** Tasks whose order to their agent changed. */
  readonly orders: Set<TaskId>
  readonly gone: { readonly agent: AgentId; readonly task: TaskId }[]
  /** Machines that were given up, and what they are told. */
  readonly dismissed: { readonly agent: AgentId; readonly reason: string }[]
}

/** A broken invariant is a bug of ours; the turn is not committed and the leader starts afresh. */
export class InvariantError extends Error {
  override name = 'InvariantError'
  constructor(violations: readonly Violation[]) {
    super(violations.map((violation) => `${violation.invariant}: ${violation.message}`).join('; '))
  }
}

export type EventInput = Omit<EventRecord, 'id' | 'at'>

/** The writes of one turn: seen at once by the decisions that follow, committed together at its end. */
export class Draft {
  readonly touched: Touched = { workloads: new Set(), apps: new Set(), orders: new Set(), gone: [], dismissed: [] }
  /** What happened to tasks that wait for a machine. */
  readonly tries = new Tries()
  readonly #cluster: Cluster
  readonly #ops = new Map<string, Op>()
  #changes = 0

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  /** @throws InvariantError when the write may not follow what is there. */
  write(write: Write): void {
    const violations = writeViolations(write, {
      task: this.#cluster.tasks.get(write.id as TaskId),
      observed: this.#cluster.observed.get(write.id as TaskId),
    })
    if (violations.length > 0) throw new InvariantError(violations)
    this.#touch(write)
    this.#cluster.apply(write)
    this.#put(encodeWrite(write))
  }

  /** Must come before the records that name the digest, so that no commit leaves them pointing at nothing. */
  version(digest: Digest, version: WorkloadVersion): void {
    if (this.#cluster.versions.has(digest)) return
    this.#cluster.versions.set(digest, version)
    for (const op of blobOps(digest, canonicalJson(version))) this.#put(op)
  }

  /** Put again though it may be there: it may be on its way out with the last revision that named it. */
  rendered(digest: Digest, rendered: Rendered): void {
    for (const op of blobOps(digest, canonicalJson(rendered))) this.#put(op)
  }

  event(event: EventInput, now: Millis): void {
    const { events, newestEvent } = this.#cluster
    const id = String(newestEvent + 1).padStart(12, '0')
    this.write({ table: 'events', id, value: { ...event, message: event.message.slice(0, MESSAGE_MAX), id, at: now } })
    const own = this.#cluster.eventsOfObject(event.object)
    for (const old of own.slice(0, -EVENTS_OF_ONE)) this.write({ table: 'events', id: old, value: null })
    while (events.size > EVENTS_KEPT) this.write({ table: 'events', id: must(events.keys().next().value, 'an event'), value: null })
  }

  /** A stored body that nothing refers to any more; its keys, for only the store knows how many chunks it has. */
  dropBody(digest: Digest, keys: readonly string[]): void {
    this.#cluster.versions.drop(digest)
    for (const key of keys) this.#put({ op: 'delete', key })
  }

  /** Grows with every change, so that who failed can tell whether it changed anything. */
  get changes(): number {
    return this.#changes
  }

  ops(): Op[] {
    return [...this.#ops.values()]
  }

  /** A machine that comes, changes or goes may be one slot more or less of every Global workload. */
  touchAgents(): void {
    this.tries.all()
    for (const key of this.#cluster.global) this.touched.workloads.add(key)
  }

  /** Whether it is drained matters to what runs on it. */
  #touchAgent(agent: AgentId): void {
    this.touchAgents()
    for (const { task } of this.#cluster.tasksOfAgent(agent)) this.touched.workloads.add(task.workload)
  }

  /** An atomic revision that is over holds nothing back any more, neither a removal nor what goes on by itself. */
  #touchParts({ app, deadlineAt, finishedAt }: RevisionRecord): void {
    if (deadlineAt === null || finishedAt === null) return
    for (const { key } of this.#cluster.workloadsOfApp(app)) this.touched.workloads.add(key)
  }

  /** What an atomic revision removes waits for the rollouts of the rest. */
  #touchLeaving(app: string): void {
    const leaving = this.#cluster.leavingOf(app)
    if (leaving.length > 0 && isUnderWay(app, this.#cluster)) for (const key of leaving) this.touched.workloads.add(key)
  }

  /** What is gone, or stays after all, holds up the removal of nothing that it depends on. */
  #touchDependencies(key: WorkloadKey): void {
    const before = this.#cluster.workloads.get(key)
    if (before === undefined || this.#cluster.leaving.size === 0) return
    for (const target of this.#cluster.dependenciesOf(before)) if (this.#cluster.leaving.has(target)) this.touched.workloads.add(target)
  }

  /** What ends starts what comes after it. */
  #touchRun({ workload, finishedAt }: Run): void {
    this.touched.workloads.add(workload)
    if (finishedAt !== null) for (const child of this.#cluster.childrenOf(workload)) this.touched.workloads.add(child)
  }

  #touchWaiting(write: Extract<Write, { table: 'tasks' | 'observed' }>): void {
    const id = write.id as TaskId
    const before = this.#cluster.tasks.has(id) ? this.#cluster.taskState(id) : undefined
    const task = write.table === 'tasks' ? write.value : (before?.task ?? null)
    const observed = write.table === 'observed' ? (write.value ?? undefined) : before?.observed
    const others = task !== null && this.#cluster.boundTo(task) === null && this.#cluster.groups.waitingWith(task) !== undefined
    this.tries.see(before, task === null ? undefined : { task, observed }, others ? 'Waiting' : 'Nobody')
  }

  /** The last word on a key goes to the end, behind the bodies it may refer to. */
  #put(op: Op): void {
    this.#changes += 1
    this.#ops.delete(op.key)
    this.#ops.set(op.key, op)
  }

  #touch(write: Write): void {
    const { workloads, apps, orders, gone } = this.touched
    if (write.table === 'workloads') {
      workloads.add(write.id as WorkloadKey)
      apps.add(must(write.value ?? this.#cluster.workloads.get(write.id as WorkloadKey), `workload ${write.id}`).app)
      this.#touchDependencies(write.id as WorkloadKey)
    }
    if (write.table === 'runs' && write.value !== null) this.#touchRun(write.value)
    if (write.table === 'rollouts' && write.value !== null) {
      apps.add(write.value.app)
      workloads.add(write.value.workload)
      if (isFinished(write.value)) this.#touchLeaving(write.value.app)
    }
    if (write.table === 'agents') this.#touchAgent(write.id as AgentId)
    if (write.table === 'revisions' && write.value !== null) this.#touchParts(write.value)
    if (write.table !== 'tasks' && write.table !== 'observed') return
    const id = write.id as TaskId
    const task = write.table === 'tasks' ? (write.value ?? this.#cluster.tasks.get(id)) : this.#cluster.tasks.get(id)
    if (task === undefined) return
    workloads.add(task.workload)
    this.#touchWaiting(write)
    if (write.table === 'observed') return
    if (write.value !== null) orders.add(id)
    else if (task.agent !== null) gone.push({ agent: task.agent, task: id })
  }
}
