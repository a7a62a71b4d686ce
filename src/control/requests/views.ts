import { unreachable } from '../../core/given-up.ts'
import { paused } from '../../core/machine-troubles.ts'
import { isTerminal, phaseOf, type Sight, type TaskState } from '../../core/task-state.ts'
import type { AgentId } from '../../model/ids.ts'
import { parseWorkloadKey } from '../../model/ids.ts'
import { type Reason, RUNTIME_UNHEALTHY, reasonOf } from '../../model/reason.ts'
import type { AgentRecord, AppRecord, EventRecord, Hold, Quarantine, RevisionRecord, WorkloadRecord } from '../../model/records.ts'
import type { AgentView, AppView, EventView, HistoryView, TaskView, WorkloadView } from '../../model/views.ts'
import { appHealth } from '../leader/app-outcome.ts'
import { reasonsOf, type Term } from '../leader/term.ts'
import { resultsOf, rolloutView } from './rollout-views.ts'
import { attemptView, scheduleView } from './run-views.ts'
import { iso, isoOrNull } from './times.ts'

/** Records in memory as the API shows them. Nothing here decides; times become ISO 8601. */

export function workloadView(record: WorkloadRecord, term: Term): WorkloadView {
  const health = term.healths.get(record.key)
  const quarantine = term.cluster.quarantine.get(record.key)
  return {
    ...parseWorkloadKey(record.key),
    app: record.app,
    health: health?.health ?? 'Unknown',
    desired: health?.desired ?? 0,
    ready: health?.ready ?? 0,
    inputsDigest: record.inputsDigest,
    revision: record.revision,
    quarantine: quarantine === undefined ? null : quarantineView(quarantine),
    reasons: reasonsOf(record.key, term),
    rollout: newestRollout(record, term),
    schedule: scheduleView(record, term),
  }
}

function newestRollout({ key }: WorkloadRecord, term: Term): WorkloadView['rollout'] {
  const [newest] = term.cluster.rolloutsOfWorkload(key)
  return newest === undefined ? null : rolloutView(newest, term)
}

function quarantineView({ bad, good, badRevision, goodRevision, reason, actor, at, because, evidence }: Quarantine) {
  return { bad, good, badRevision, goodRevision, reason, actor, at: iso(at), because: because?.workload ?? null, evidence }
}

export function appView(app: AppRecord, term: Term): AppView {
  const { name, source, observedRevision, lastAttemptedRevision, lastAppliedRevision, problems, holds } = app
  const workloads = term.cluster.workloadsOfApp(name).map((record) => workloadView(record, term))
  return {
    name,
    source,
    sync: syncOf(app, term),
    health: appHealth(name, term),
    observedRevision,
    lastAttemptedRevision,
    lastAppliedRevision,
    workloads: workloads.sort(byKindAndName),
    problems,
    holds: [...readOnlyHold(term), ...holds].map((hold) => ({ ...hold, since: iso(hold.since) })),
  }
}

const readOnlyHold = ({ readOnly }: Term): Hold[] =>
  readOnly === null
    ? []
    : [{ gate: 'StoreReadOnly', message: readOnly.reason, since: readOnly.since, unblockBy: 'space in the store; tasks run on meanwhile' }]

/** Synced means: what git says is what the cluster is told, all of it. What git says after a restart only git knows. */
function syncOf(app: AppRecord, { read }: Term): AppView['sync'] {
  if (app.observedRevision === null || !read.has(app.name)) return 'Unknown'
  if (app.holds.length > 0 && app.holds.every((hold) => hold.gate === 'SourceError')) return 'Unknown'
  return app.holds.length === 0 && app.lastAppliedRevision === app.observedRevision ? 'Synced' : 'OutOfSync'
}

function byKindAndName(a: WorkloadView, b: WorkloadView): number {
  const [left, right] = [a, b].map((view) => `${view.namespace}/${view.kind}/${view.name}`) as [string, string]
  return left < right ? -1 : left > right ? 1 : 0
}

export function taskView(state: TaskState, term: Term): TaskView {
  const { task, observed } = state
  const { namespace, kind, name } = parseWorkloadKey(task.workload)
  const { sight, reasons } = sightOf(state, term)
  return {
    id: task.id,
    app: task.app,
    namespace,
    kind,
    workload: name,
    slot: task.slot,
    run: task.run,
    agent: task.agent,
    phase: phaseOf(state, sight),
    desired: task.desired,
    attempt: observed?.attempt ?? 0,
    ready: observed?.ready ?? false,
    exitCode: observed?.attempts.at(-1)?.exitCode ?? null,
    reasons: [...reasons, ...(observed?.reasons ?? [])],
    ports: task.ports,
    inputsDigest: term.cluster.inputsNow(task),
    revision: task.revision,
    createdAt: iso(task.createdAt),
    attempts: (observed?.attempts ?? []).map(attemptView),
  }
}

/** How well it can be seen, and why no better; of one that waits, why it has no machine. */
function sightOf({ task }: TaskState, { hub, cluster, unplaced }: Term): { sight: Sight; reasons: readonly Reason[] } {
  if (task.agent === null) return { sight: 'Ready', reasons: unplaced.get(task.workload) ?? [] }
  const sight = hub.standing(task.agent)
  if (sight === 'Unreachable') return { sight, reasons: [unreachable(task.agent)] }
  const { driver } = cluster.requirements(task.inputsDigest)
  const runtime = cluster.agents.get(task.agent)?.drivers[driver]
  if (runtime === undefined || runtime.available || !runtime.detail.startsWith(RUNTIME_UNHEALTHY)) return { sight, reasons: [] }
  const message = `${driver} on agent ${task.agent} does not answer: ${runtime.detail.slice(RUNTIME_UNHEALTHY.length + 2)}`
  return { sight: 'RuntimeSilent', reasons: [reasonOf(RUNTIME_UNHEALTHY, message)] }
}

export function agentView(agent: AgentRecord, term: Term): AgentView {
  const { cpuMillis, memoryBytes, tasks } = term.cluster.usageOf(agent.id as AgentId)
  const { id, version, labels, drivers, capacity, pressure, joinedAt } = agent
  return {
    id,
    status: term.hub.standing(id),
    version,
    labels,
    drivers,
    capacity: { cpuMillis: capacity.cpuMillis, memoryBytes: capacity.memoryBytes },
    used: { cpuMillis, memoryBytes, tasks },
    pressure,
    joinedAt: iso(joinedAt),
    silentSince: isoOrNull(agent.silence?.since ?? null),
    reasons: agentReasons(agent),
    maintenance: maintenanceView(agent, term),
  }
}

/** Of a silent one: what is not known, and what is not done about it. */
function agentReasons({ id, silence }: AgentRecord): Reason[] {
  if (silence === null) return []
  return [unreachable(id), ...(silence.spared ? [paused()] : [])]
}

function maintenanceView({ id, maintenance }: AgentRecord, { cluster }: Term): AgentView['maintenance'] {
  if (maintenance === null) return null
  const { phase, since, deadlineAt, actor } = maintenance
  const leaving = cluster.tasksOfAgent(id).filter((state) => !isTerminal(state) && leavesOnDrain(state, cluster)).length
  return { phase, since: iso(since), deadline: isoOrNull(deadlineAt), actor, leaving: phase === 'Draining' ? leaving : 0 }
}

/** A Deployment with a task on every machine leaves them there: they belong to the machine, as those that collect its logs. */
function leavesOnDrain({ task }: TaskState, cluster: Term['cluster']): boolean {
  return task.run !== null || cluster.boundTo(task) === null
}

export function historyView(record: RevisionRecord, term: Pick<Term, 'cluster'>): HistoryView {
  const { id, revision, subject, cause, outcome, reason, startedAt, finishedAt } = record
  const results = resultsOf(record, term)
  return { id, revision, subject, cause, outcome, reason, startedAt: iso(startedAt), finishedAt: isoOrNull(finishedAt), results }
}

export function eventView(event: EventRecord): EventView {
  return { ...event, at: iso(event.at) }
}
