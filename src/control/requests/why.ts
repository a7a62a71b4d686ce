import type { WorkloadHealth } from '../../core/health.ts'
import { isFinished } from '../../core/rollout/step.ts'
import { type Millis, parseWorkloadKey, type TaskId, type WorkloadKey, type WorkloadKind, workloadKey } from '../../model/ids.ts'
import type { WorkloadRecord } from '../../model/records.ts'
import type { WhyView } from '../../model/views.ts'
import type { Term } from '../leader/term.ts'
import { RequestError } from './control-plane.ts'
import { queuedReasons } from './queue-place.ts'
import { rolloutView } from './rollout-views.ts'
import { isoOrNull } from './times.ts'
import { appView, taskView } from './views.ts'
import { whyAgent } from './why-agent.ts'
import { cronLines } from './why-cron.ts'
import { type Line, taskLine, taskLines, workloadLines } from './why-lines.ts'
import { whyRun } from './why-run.ts'

/** `object` is `app/NAME`, `task/ID`, `run/ID`, `agent/ID`, or a kind of workload and a name in `namespace`. @throws RequestError `NotFound` */
export function whyObject(object: string, namespace: string, { term, now }: { term: Term; now: Millis }): WhyView {
  const [kind = '', name = ''] = object.split('/')
  if (kind === 'app') return whyApp(name, term)
  if (kind === 'task') return whyTask(name, term, now)
  if (kind === 'run') return whyRun(name, term, now)
  if (kind === 'agent') return whyAgent(name, term)
  return whyWorkload(workloadNamed(kind, name, { namespace, term }), term, now)
}

/** What stands between an object and what git says, as one chain: gates, dependencies, machines, back-off. */
function whyApp(name: string, term: Term): WhyView {
  const app = term.cluster.apps.get(name)
  if (app === undefined) throw new RequestError('NotFound', `no app ${name}`)
  const view = appView(app, term)
  const holds = app.holds.map(
    (hold): Line => ({
      about: `app/${name}`,
      reasons: [{ code: hold.gate, message: `${hold.message} (${hold.unblockBy})`, count: 1 }],
      until: null,
    }),
  )
  const workloads = term.cluster.workloadsOfApp(name).flatMap((record) => workloadLines(record, term))
  return {
    object: `app/${name}`,
    health: view.health,
    summary: `${view.sync}, ${view.health}`,
    lines: [...holds, ...workloads],
    nextWake: null,
  }
}

function whyWorkload(record: WorkloadRecord, term: Term, now: Millis): WhyView {
  const health = term.healths.get(record.key)
  const summary = health === undefined ? 'not looked at yet' : `${health.health}: ${countsOf(record.key, health)}`
  return {
    object: record.key,
    health: health?.health ?? 'Unknown',
    summary: `${summary}, at ${record.revision}`,
    lines: [
      ...quarantineLines(record, term),
      ...workloadLines(record, term),
      ...rolloutLines(record, term),
      ...dependencyLines(record, term),
      ...cronLines(record, term, now),
      ...taskLines(term.cluster.tasksOfWorkload(record.key), { templateDigest: record.templateDigest, term, now }),
    ],
    nextWake: isoOrNull(term.wakes.get(record.key)),
  }
}

/** A CronJob wants nothing in between its runs. */
function countsOf(key: WorkloadKey, { ready, desired }: WorkloadHealth): string {
  if (parseWorkloadKey(key).kind !== 'CronJob') return `${ready} of ${desired} ready`
  return desired === 0 ? 'no run under way' : `${ready} of ${desired} runs under way have begun`
}

function quarantineLines(record: WorkloadRecord, term: Term): Line[] {
  const quarantine = term.cluster.quarantine.get(record.key)
  if (quarantine === undefined) return []
  const message = `${quarantine.badRevision} is not run: ${quarantine.reason}; the next commit that changes these inputs lifts it`
  return [{ about: record.key, reasons: [{ code: 'Quarantined', message, count: 1 }], until: null }]
}

/** How far a rollout under way has come, and when time alone will change that; one that waits is told by what it waits for, one that only proves itself by nothing. */
function rolloutLines({ key }: WorkloadRecord, term: Term): Line[] {
  const [newest] = term.cluster.rolloutsOfWorkload(key)
  if (newest === undefined || isFinished(newest) || newest.state.phase === 'Waiting' || newest.state.phase === 'Proving') return []
  const { number, phase, step, available, updated, desired, deadline, until } = rolloutView(newest, term)
  const at = step === null ? '' : `, canary step ${step.number} of ${step.of} (${step.replicas} tasks)`
  const message = `rollout ${number} is ${phase}${at}: ${available} of ${updated} new tasks are available, ${desired} are wanted in the end`
  return [{ about: `rollout/${newest.id}`, reasons: [{ code: `Rollout${phase}`, message, count: 1 }], until: until ?? deadline }]
}

/** What those it waits for wait for in turn, nearest first. */
function dependencyLines(record: WorkloadRecord, term: Term): Line[] {
  const seen = new Set<WorkloadKey>([record.key])
  const lines: Line[] = []
  const open = [record]
  for (let next = open.shift(); next !== undefined; next = open.shift()) {
    if (!waitsForOthers(next, term)) continue
    for (const key of term.cluster.dependenciesOf(next)) {
      const dependency = term.cluster.workloads.get(key)
      if (dependency === undefined || seen.has(key)) continue
      seen.add(key)
      open.push(dependency)
      lines.push(...quarantineLines(dependency, term), ...workloadLines(dependency, term), ...rolloutLines(dependency, term))
    }
  }
  return lines
}

function waitsForOthers({ key }: WorkloadRecord, { healths }: Term): boolean {
  return (healths.get(key)?.reasons ?? []).some(({ code }) => code === 'DependencyNotReady' || code === 'DependencyFailed')
}

function whyTask(id: string, term: Term, now: Millis): WhyView {
  const task = term.cluster.tasks.get(id as TaskId)
  if (task === undefined) throw new RequestError('NotFound', `no task ${id}`)
  const record = term.cluster.workloads.get(task.workload)
  const state = term.cluster.taskState(task.id)
  const view = taskView(state, term)
  const own = taskLine(state, { ...view, reasons: [...view.reasons, ...queuedReasons(task, 'Task', term.cluster)] }, now)
  const lines = record === undefined ? [own] : [own, ...workloadLines(record, term)]
  return {
    object: `task/${id}`,
    health: term.healths.get(task.workload)?.health ?? 'Unknown',
    summary: `${view.phase}, attempt ${view.attempt}, on ${view.agent ?? 'no agent'}`,
    lines,
    nextWake: null,
  }
}

/** Kinds are asked for in any case; names are in lower case. */
const KINDS = new Map<string, WorkloadKind>([
  ['deployment', 'Deployment'],
  ['job', 'Job'],
  ['cronjob', 'CronJob'],
])

function workloadNamed(kind: string, name: string, { namespace, term }: { namespace: string; term: Term }): WorkloadRecord {
  const exact = KINDS.get(kind.toLowerCase())
  const found = exact === undefined ? undefined : term.cluster.workloads.get(workloadKey(namespace, exact, name))
  if (found === undefined) throw new RequestError('NotFound', `no ${kind.toLowerCase()} ${name} in namespace ${namespace}`)
  return found
}
