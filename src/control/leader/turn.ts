import { type WorkloadHealth, workloadHealth } from '../../core/health.ts'
import { decisionViolations } from '../../core/invariants.ts'
import { pinnedImages } from '../../core/pins.ts'
import { judge, reconcile } from '../../core/reconcile.ts'
import { taskSpec } from '../../core/task-spec.ts'
import { isTerminal } from '../../core/task-state.ts'
import { groupBy } from '../../lib/group-by.ts'
import { must } from '../../lib/must.ts'
import type { AgentId, WorkloadKey } from '../../model/ids.ts'
import type { Assignment } from '../../model/protocol.ts'
import type { Reason } from '../../model/reason.ts'
import type { WorkloadRecord, Write } from '../../model/records.ts'
import type { Task } from '../../model/task.ts'
import { settleApp } from './app-outcome.ts'
import { batchEvent } from './batch-events.ts'
import type { Cluster } from './cluster.ts'
import { InvariantError } from './draft.ts'
import { objectOf } from './object-name.ts'
import { isSchedulable, placePending } from './place.ts'
import { isUnderWay } from './revisions.ts'
import { takeBack } from './take-back.ts'
import { reasonsOf, type TurnContext } from './term.ts'
import { workloadState } from './workload-state.ts'

/** A decision that asks for another look this often in one turn does not settle: a bug, stopped before it spins. */
const MOST_LOOKS = 12

/** What is due to be looked at although nothing happened to it. */
export interface Woken {
  readonly workloads: Iterable<WorkloadKey>
  readonly apps: Iterable<string>
}

/** Looks at every workload that something woke, places what is pending, then at their apps, and again until nothing moves. */
export function settle(context: TurnContext, woken: Woken): void {
  const { apps } = context.draft.touched
  const looks = new Looks()
  const queue = new Set<WorkloadKey>(woken.workloads)
  for (const app of woken.apps) apps.add(app)
  takeTouched(context, queue)
  judgeAhead(context, queue)
  for (;;) {
    takeTouched(context, queue)
    const next = first(queue)
    const app = first(apps)
    if (next !== undefined) {
      queue.delete(next)
      looks.count(next, waitsForMany(next, context.term.cluster))
      look(next, context, queue)
    } else if (context.draft.tries.due) place(context, queue)
    else if (app !== undefined) {
      apps.delete(app)
      looks.count(app, context.term.cluster.workloadsOfApp(app).length)
      settleApp(app, context)
    } else return
  }
}

/** An atomic revision is judged as a whole before any part of it acts: for one that has failed by now nothing is stopped or started. */
function judgeAhead(context: TurnContext, queue: ReadonlySet<WorkloadKey>): void {
  const { cluster } = context.term
  const keysOf = groupBy([...queue], (key) => cluster.workloads.get(key)?.app ?? null)
  for (const app of new Set([...context.draft.touched.apps, ...keysOf.keys()])) {
    if (app === null || !isUnderWay(app, cluster)) continue
    // A report or a timer wakes a workload and not its app, and may be what fails it.
    const judged = (keysOf.get(app) ?? []).map((key) => judgeOne(key, context))
    if (judged.includes('Changed') || context.draft.touched.apps.has(app)) takeBack(app, context, 'Failed')
  }
}

function judgeOne(key: WorkloadKey, context: TurnContext): 'Same' | 'Changed' {
  const state = workloadState(key, context)
  const writes = state === null ? [] : judge(state, context.now)
  record(writes, context)
  return writes.length === 0 ? 'Same' : 'Changed'
}

/** Writes what was decided, and tells what people want to hear of it. */
function record(writes: readonly Write[], { term, draft, now }: TurnContext): void {
  for (const write of writes) {
    const event = batchEvent(write, term.cluster)
    draft.write(write)
    if (event !== null) draft.event(event, now)
  }
}

/** Stops a circle of decisions before it spins. */
class Looks {
  readonly #counts = new Map<string, number>()
  readonly #most = new Map<string, number>()

  /** `parts`: of an app each may fail after another, as those do that depend on it. @throws InvariantError when it is looked at without end. */
  count(name: string, parts: number): void {
    const count = (this.#counts.get(name) ?? 0) + 1
    // What is removed meanwhile was a part all the same.
    const most = Math.max(this.#most.get(name) ?? 0, MOST_LOOKS + parts)
    this.#counts.set(name, count)
    this.#most.set(name, most)
    if (count > most) throw new InvariantError([{ invariant: 'DecisionsSettle', message: `${name} is decided anew without end` }])
  }
}

/** One that is to be removed waits for any part of its app, and each of them may fail and go back. */
function waitsForMany(key: WorkloadKey, cluster: Cluster): number {
  const record = cluster.workloads.get(key)
  return record === undefined || record.wanted ? 0 : 2 * cluster.workloadsOfApp(record.app).length
}

function first<T>(set: ReadonlySet<T>): T | undefined {
  return set.values().next().value
}

function takeTouched({ draft }: TurnContext, queue: Set<WorkloadKey>): void {
  for (const key of draft.touched.workloads) queue.add(key)
  draft.touched.workloads.clear()
}

/** Decides about one workload; a change of its health wakes those that wait for it, and its app. */
function look(key: WorkloadKey, context: TurnContext, queue: Set<WorkloadKey>): void {
  const { term, draft, now } = context
  const state = workloadState(key, context)
  if (state === null) {
    forget(key, context, queue)
    return
  }
  const decision = reconcile(state, { now, newId: term.newId })
  const violations = decisionViolations(state, decision.writes)
  if (violations.length > 0) throw new InvariantError(violations)
  record(decision.writes, context)
  term.wakes.set(key, decision.wakeAt)
  const health = workloadHealth(state, now)
  const before = term.healths.get(key)
  term.healths.set(key, health)
  if (before?.health === health.health) return
  draft.touched.apps.add(state.record.app)
  for (const dependent of term.cluster.dependentsOf(key)) queue.add(dependent)
  if (isUnderWay(state.record.app, term.cluster)) for (const leaving of term.cluster.leavingOf(state.record.app)) queue.add(leaving)
  if (before !== undefined) draft.event(healthEvent(state.record, health, reasonsOf(key, term)), now)
}

function forget(key: WorkloadKey, { term }: TurnContext, queue: Set<WorkloadKey>): void {
  term.healths.delete(key)
  term.wakes.set(key, null)
  for (const dependent of term.cluster.dependentsOf(key)) queue.add(dependent)
}

function healthEvent({ key, app }: WorkloadRecord, health: WorkloadHealth, why: readonly Reason[]) {
  const reasons = why.map((reason) => reason.message).join('; ')
  return {
    object: objectOf(key),
    app,
    reason: health.health,
    message: `${health.ready}/${health.desired} ready${reasons === '' ? '' : `: ${reasons}`}`,
    level: health.health === 'Degraded' ? ('Warning' as const) : ('Normal' as const),
    actor: 'drover',
  }
}

function place({ term, draft }: TurnContext, queue: Set<WorkloadKey>): void {
  const { unplaced: before } = term
  const { placed, unplaced, tags } = placePending({
    cluster: term.cluster,
    tried: draft.tries.take(),
    before: term,
    schedulable: (agent) => isSchedulable(agent, term),
    seed: term.turns,
  })
  for (const task of placed) draft.write({ table: 'tasks', id: task.id, value: task })
  term.unplaced = unplaced
  term.tags = tags
  // That tasks wait is an alarm after a while; what the machines have against them is read where it is shown.
  for (const key of new Set([...before.keys(), ...unplaced.keys()])) if (before.has(key) !== unplaced.has(key)) queue.add(key)
}

/** After the commit, never before: agents act only on what is durable. */
export function sendOrders({ term, draft }: TurnContext): void {
  const { cluster, hub } = term
  const changed = [...draft.touched.orders].flatMap((id) => cluster.tasks.get(id) ?? []).filter((task) => task.agent !== null)
  const changedOf = groupBy(changed, (task) => task.agent as AgentId)
  for (const { agent, reason } of draft.touched.dismissed) hub.forget(agent, { epoch: term.epoch, reason })
  const goneOf = groupBy(draft.touched.gone, (item) => item.agent)
  for (const agent of new Set([...changedOf.keys(), ...goneOf.keys(), ...hub.unsynced()])) {
    hub.sendOrders(agent, {
      epoch: term.epoch,
      all: () => cluster.tasksOfAgent(agent).map(({ task }) => assignment(task, cluster)),
      changed: (changedOf.get(agent) ?? []).map((task) => assignment(task, cluster)),
      gone: (goneOf.get(agent) ?? []).map((item) => item.task),
    })
  }
}

/**
 * An agent that has forgotten a task that ended (a full disk, a lost journal) must not take it for a new one. It may even run
 * it again by the order that it knows, or the task was taken for lost and runs: so this is a newer order.
 */
function assignment(task: Task, cluster: Cluster): Assignment {
  const state = cluster.taskState(task.id)
  return {
    task: task.id,
    generation: isTerminal(state) ? task.generation + 1 : task.generation,
    desired: isTerminal(state) ? 'stop' : task.desired,
    spec: taskSpec(task, must(cluster.versions.get(task.inputsDigest), `version of ${task.id}`), imagesOf(task, cluster)),
  }
}

function imagesOf(task: Task, cluster: Cluster): Readonly<Record<string, string>> {
  return task.agent === null ? {} : pinnedImages(cluster.pinsOf(task)?.images ?? {}, task.agent)
}
