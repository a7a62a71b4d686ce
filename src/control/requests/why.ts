import { isFinished } from '../../core/rollout/step.ts'
import { isTerminal, type TaskState } from '../../core/task-state.ts'
import { type Millis, type RunId, type TaskId, type WorkloadKey, type WorkloadKind, workloadKey } from '../../model/ids.ts'
import type { WorkloadRecord } from '../../model/records.ts'
import type { TaskView, WhyView } from '../../model/views.ts'
import type { Term } from '../leader/term.ts'
import { RequestError } from './control-plane.ts'
import { rolloutView } from './rollout-views.ts'
import { iso, isoOrNull } from './times.ts'
import { appView, taskView } from './views.ts'

type Line = WhyView['lines'][number]

/** `object` is `app/NAME`, `task/ID`, `run/ID`, or a kind of workload and a name in `namespace`. @throws RequestError `NotFound` */
export function whyObject(object: string, namespace: string, { term, now }: { term: Term; now: Millis }): WhyView {
  const [kind = '', name = ''] = object.split('/')
  if (kind === 'app') return whyApp(name, term)
  if (kind === 'task') return whyTask(name, term, now)
  if (kind === 'run') return whyRun(name, term, now)
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
  const summary = health === undefined ? 'not looked at yet' : `${health.health}: ${health.ready} of ${health.desired} ready`
  return {
    object: record.key,
    health: health?.health ?? 'Unknown',
    summary: `${summary}, at ${record.revision}`,
    lines: [
      ...quarantineLines(record, term),
      ...workloadLines(record, term),
      ...rolloutLines(record, term),
      ...dependencyLines(record, term),
      ...taskLines(record, term, now),
    ],
    nextWake: isoOrNull(term.wakes.get(record.key)),
  }
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

function workloadLines(record: WorkloadRecord, term: Term): Line[] {
  const reasons = term.healths.get(record.key)?.reasons ?? []
  return reasons.length === 0 ? [] : [{ about: record.key, reasons: [...reasons], until: null }]
}

/** Tasks that are not simply running, each with its own reasons and the end of its back-off. */
function taskLines(record: WorkloadRecord, term: Term, now: Millis): Line[] {
  return term.cluster.tasksOfWorkload(record.key).flatMap((state): Line[] => {
    const view = taskView(state, term)
    const abandoned = isTerminal(state) && state.task.templateDigest !== record.templateDigest
    if (view.desired === 'stop' || abandoned || view.reasons.length === 0) return []
    return [taskLine(state, view, now)]
  })
}

function taskLine({ observed }: TaskState, { id, phase, reasons }: TaskView, now: Millis): Line {
  const until = observed?.backoffUntil ?? null
  return { about: `task/${id} ${phase}`, reasons, until: until !== null && until > now ? iso(until) : null }
}

function whyTask(id: string, term: Term, now: Millis): WhyView {
  const task = term.cluster.tasks.get(id as TaskId)
  if (task === undefined) throw new RequestError('NotFound', `no task ${id}`)
  const record = term.cluster.workloads.get(task.workload)
  const state = term.cluster.taskState(task.id)
  const view = taskView(state, term)
  const own = taskLine(state, view, now)
  const lines = record === undefined ? [own] : [own, ...workloadLines(record, term)]
  return {
    object: `task/${id}`,
    health: term.healths.get(task.workload)?.health ?? 'Unknown',
    summary: `${view.phase}, attempt ${view.attempt}, on ${view.agent ?? 'no agent'}`,
    lines,
    nextWake: null,
  }
}

const HEALTH_OF_RUN = {
  Pending: 'Progressing',
  Running: 'Progressing',
  Succeeded: 'Healthy',
  Failed: 'Degraded',
  Suspended: 'Suspended',
} as const

/** A run outlives its Job, so what it tells comes from its own record; while it goes on, the Job tells the rest. */
function whyRun(id: string, term: Term, now: Millis): WhyView {
  const run = term.cluster.runs.get(id as RunId)
  if (run === undefined) throw new RequestError('NotFound', `no run ${id}`)
  const record = run.finishedAt === null ? term.cluster.workloads.get(run.workload) : undefined
  const failures = run.attempts.filter((attempt) => attempt.exitCode !== 0)
  const told = failures.map((attempt): Line => {
    const message = attempt.message ?? `exited with ${attempt.exitCode === null ? 'an unknown code' : `code ${attempt.exitCode}`}`
    return { about: `task/${attempt.task} attempt ${attempt.attempt}`, reasons: [{ code: attempt.reason, message, count: 1 }], until: null }
  })
  const ended = run.reason === null ? '' : `: ${run.reason}${run.exitCode === null ? '' : `, exit code ${run.exitCode}`}`
  return {
    object: `run/${id}`,
    health: HEALTH_OF_RUN[run.phase],
    summary: `${run.phase}${ended}, at ${run.revision}`,
    lines: [...told, ...(record === undefined ? [] : [...workloadLines(record, term), ...taskLines(record, term, now)])],
    nextWake: null,
  }
}

/** Kinds are asked for in any case; names are in lower case. */
const KINDS = new Map<string, WorkloadKind>([
  ['deployment', 'Deployment'],
  ['job', 'Job'],
])

function workloadNamed(kind: string, name: string, { namespace, term }: { namespace: string; term: Term }): WorkloadRecord {
  const exact = KINDS.get(kind.toLowerCase())
  const found = exact === undefined ? undefined : term.cluster.workloads.get(workloadKey(namespace, exact, name))
  if (found === undefined) throw new RequestError('NotFound', `no ${kind.toLowerCase()} ${name} in namespace ${namespace}`)
  return found
}
