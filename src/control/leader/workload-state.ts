import type { CronContext, RunInputs } from '../../core/batch/context.ts'
import { withRuns } from '../../core/batch/job.ts'
import { type DependencyState, dependencyKeys, failureOf, unmetDependencies } from '../../core/dependencies.ts'
import type { Machines } from '../../core/given-up.ts'
import { workloadHealth } from '../../core/health.ts'
import { withMachines } from '../../core/rollout/machines.ts'
import { eligibleAgents } from '../../core/schedule/reasons.ts'
import type { TaskState } from '../../core/task-state.ts'
import type { Fallback, WorkloadState } from '../../core/workload.ts'
import type { CronJobSpec } from '../../model/batch.ts'
import { bodyOf } from '../../model/body.ts'
import { type AgentId, type Digest, type Millis, parseWorkloadKey, type WorkloadKey, workloadKey } from '../../model/ids.ts'
import { type Reason, reasonOf } from '../../model/reason.ts'
import type { WorkloadRecord } from '../../model/records.ts'
import type { WorkloadVersion } from '../../model/version.ts'
import type { Hub } from '../agents/hub.ts'
import { calendarOf } from './calendars.ts'
import { type Cluster, isGlobal } from './cluster.ts'
import { agentViews } from './place.ts'
import { isUnderWay } from './revisions.ts'
import type { Term } from './term.ts'

export interface StateContext {
  readonly term: Pick<Term, 'cluster' | 'unplaced' | 'healths' | 'ledSince'> & {
    readonly hub: Pick<Hub, 'isAway' | 'silentFor'>
  }
  readonly now: Millis
}

/** Everything a decision about one workload needs, read from memory; null when there is no such workload. */
export function workloadState(key: WorkloadKey, context: StateContext): WorkloadState | null {
  const alone = independentState(key, context)
  return alone === null ? null : withUnmet(alone, dependencyStates(alone, context))
}

type DependencyStates = (target: WorkloadKey) => DependencyState | null

const withUnmet = (alone: WorkloadState, states: DependencyStates): WorkloadState => ({
  ...alone,
  unmet: unmetDependencies(alone.record, alone.version.spec.dependsOn, states),
})

const targetsOf = ({ record, version }: WorkloadState): WorkloadKey[] => dependencyKeys(record.key, version.spec.dependsOn)

/** A Job that has not begun may wait in vain itself; anything else stands for itself. */
const waits = ({ version, run }: WorkloadState): boolean => version.kind === 'Job' && run?.startedAt == null

/**
 * What is known of all that a workload waits for, and of what those wait for in turn: each is asked once, and those first
 * for which others wait, without recursion. In a circle of old and new versions the one that was asked first stands for itself.
 */
function dependencyStates(of: WorkloadState, context: StateContext): DependencyStates {
  const seen = new Map<WorkloadKey, WorkloadState | null>([[of.record.key, of]])
  const told = new Map<WorkloadKey, DependencyState | null>()
  const stateOf = (key: WorkloadKey): DependencyState | null => {
    const alone = seen.get(key) ?? null
    return told.get(key) ?? (alone === null ? null : dependencyState(alone, context))
  }
  const open = targetsOf(of)
  for (let key = open.at(-1); key !== undefined; key = open.at(-1)) {
    const alone = seen.get(key)
    if (alone === undefined) {
      const found = independentState(key, context)
      seen.set(key, found)
      if (found !== null && waits(found)) open.push(...targetsOf(found).filter((target) => !seen.has(target)))
      continue
    }
    open.pop()
    if (alone !== null && !told.has(key)) told.set(key, dependencyState(waits(alone) ? withUnmet(alone, stateOf) : alone, context))
  }
  return stateOf
}

/** Without what it waits for. */
function independentState(key: WorkloadKey, context: StateContext): WorkloadState | null {
  const { cluster, unplaced, ledSince } = context.term
  const record = cluster.workloads.get(key)
  if (record === undefined) return null
  const version = cluster.version(record.inputsDigest)
  const slots = record.wanted ? slotsOf(record.inputsDigest, cluster) : []
  const away = awayOf(slots, version, context)
  const tasks = cluster.tasksOfWorkload(key)
  const machines = machinesOf(tasks, context)
  const bare: WorkloadState = {
    record,
    version,
    // What failed on a machine that is away has failed all the same: a run counts it.
    tasks:
      version.kind === 'Deployment'
        ? withMachines(
            tasks.filter(({ task }) => !away.has(task.slot)),
            machines,
            version.spec,
          )
        : tasks,
    runs: version.kind === 'Deployment' ? [] : cluster.runsOfWorkload(key),
    run: null,
    staleRuns: [],
    blocked: 'No',
    cron: version.kind === 'CronJob' ? cronContext(key, version.spec, context) : null,
    slots: slots.filter((slot) => !away.has(slot)),
    unplaced: unplaced.get(key) ?? [],
    unmet: [],
    rollouts: cluster.rolloutsOfWorkload(key),
    fallback: fallbackOf(record, away, cluster),
    unit: isUnderWay(record.app, context.term.cluster) ? 'App' : 'Workload',
    removalWaits: record.wanted ? [] : removalWaits(record, context),
    machines,
    ledSince,
  }
  return version.kind === 'Job' ? withRuns(bare, version.spec) : bare
}

/** Of the machines that hold these tasks. */
function machinesOf(tasks: readonly TaskState[], { term }: StateContext): Machines {
  const { cluster, hub } = term
  const agents = [...new Set(tasks.flatMap(({ task }) => task.agent ?? []))]
  const records = agents.flatMap((agent) => cluster.agents.get(agent) ?? [])
  const drains = records.flatMap(({ id, maintenance }) => (maintenance?.deadlineAt == null ? [] : [[id, maintenance.deadlineAt] as const]))
  const silences = records.map(({ id, silence }) => {
    const silent = hub.silentFor(id)
    // What was known to be silent stays so for a new leader, although it counts anew.
    return [id, silence === null ? silent : Math.max(1, silent)] as const
  })
  return {
    drains: new Map(drains),
    silent: new Map(silences.filter(([, silence]) => silence > 0)),
    replacement: cluster.spared.size > 0 ? 'Paused' : 'Go',
  }
}

function cronContext(key: WorkloadKey, spec: CronJobSpec, context: StateContext): CronContext {
  const { cluster } = context.term
  const { namespace } = parseWorkloadKey(key)
  const open = cluster.runsOfWorkload(key).filter(({ finishedAt }) => finishedAt === null)
  return {
    state: cluster.schedules.get(key) ?? null,
    calendar: spec.schedule === undefined ? null : calendarOf(spec.schedule, spec.timeZone),
    parents: (spec.after ?? []).map((name) => cluster.runsOfWorkload(workloadKey(namespace, 'CronJob', name))),
    going: new Map(open.map(({ inputsDigest }) => [inputsDigest, runInputs(inputsDigest, context)])),
  }
}

/** A run goes on as it began, also where its CronJob asks for other machines by now. */
function runInputs(inputsDigest: Digest, context: StateContext): RunInputs {
  const version = context.term.cluster.version(inputsDigest)
  const machines = slotsOf(inputsDigest, context.term.cluster)
  const away = awayOf(machines, version, context)
  return { version, machines: machines.filter((machine) => !away.has(machine)) }
}

function dependencyState(state: WorkloadState, context: StateContext): DependencyState {
  const quarantine = context.term.cluster.quarantine.get(state.record.key)
  return { health: workloadHealth(state, context.now), quarantine, failure: failureOf(state, quarantine) }
}

function fallbackOf({ good, inputsDigest }: WorkloadRecord, away: ReadonlySet<string>, cluster: Cluster): Fallback | null {
  if (good === null || good.inputsDigest === inputsDigest) return null
  return { target: good, slots: slotsOf(good.inputsDigest, cluster).filter((slot) => !away.has(slot)) }
}

/**
 * Machines of a Global workload that are away: their slots, with the tasks in them, wait until they return, for one machine
 * that is off must not fail what all others run well. Where all are away nothing can be told without them.
 */
function awayOf(slots: readonly string[], version: WorkloadVersion, { term }: StateContext): ReadonlySet<string> {
  const away = isGlobal(version) ? slots.filter((slot) => term.hub.isAway(slot as AgentId)) : []
  return new Set(away.length < slots.length ? away : [])
}

/** Replica numbers, or the agents a Global workload matches whether or not they have room. */
function slotsOf(inputsDigest: Digest, cluster: Cluster): string[] {
  const version: WorkloadVersion = cluster.version(inputsDigest)
  const body = bodyOf(version)
  if (body.mode === 'Replicated') return 'completions' in body ? [] : Array.from({ length: body.replicas }, (_, index) => String(index))
  return eligibleAgents(
    cluster.requirements(inputsDigest),
    agentViews(cluster, () => 'Yes'),
  )
    .map((agent) => agent.id)
    .toSorted()
}

/** Those that depend on it go first, and of an atomic revision all that stays must be well before anything goes. */
function removalWaits(record: WorkloadRecord, { term }: StateContext): Reason[] {
  const { cluster } = term
  const dependents = cluster.dependentsOf(record.key).filter((key) => cluster.leaving.has(key) && !isReachedBy(key, record.key, cluster))
  const before = dependents.map((key) => reasonOf('RemovalOrder', `waits until ${key} is removed, which depends on it`))
  if (!isUnderWay(record.app, cluster)) return before
  const staying = cluster.workloadsOfApp(record.app).filter((other) => other.wanted)
  const unwell = staying.filter((other) => !isSettled(other, term)).length
  return unwell === 0 ? before : [...before, reasonOf('AtomicRevision', 'waits until the rest of its revision is healthy', unwell)]
}

/** Well, and it has shown that it stays so: what still proves itself may yet go back, and then what was removed is wanted again. */
function isSettled({ key, generation, inputsDigest }: WorkloadRecord, { cluster, healths }: StateContext['term']): boolean {
  if (healths.get(key)?.health !== 'Healthy') return false
  const [newest] = cluster.rolloutsOfWorkload(key)
  return cluster.version(inputsDigest).kind !== 'Deployment' || (newest?.generation === generation && newest.state.phase === 'Complete')
}

/** Whether `from` waits for `to` in turn, over others that are leaving: then neither waits, for none would ever go. */
function isReachedBy(from: WorkloadKey, to: WorkloadKey, cluster: Cluster): boolean {
  const seen = new Set<WorkloadKey>()
  const open = [from]
  for (let key = open.pop(); key !== undefined; key = open.pop()) {
    if (key === to) return true
    if (seen.has(key)) continue
    seen.add(key)
    open.push(...cluster.dependentsOf(key).filter((next) => cluster.leaving.has(next)))
  }
  return false
}
