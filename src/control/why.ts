import type { Millis } from '../model/ids.ts'
import type { WorkloadRecord } from '../model/records.ts'
import type { WhyView } from '../model/views.ts'
import { RequestError } from './control-plane.ts'
import type { Term } from './turn.ts'
import { appView, taskView } from './views.ts'

type Line = WhyView['lines'][number]

/** What stands between an object and what git says, as one chain: gates, dependencies, machines, back-off. */
export function whyApp(name: string, term: Term): WhyView {
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

export function whyWorkload(record: WorkloadRecord, term: Term, now: Millis): WhyView {
  const health = term.healths.get(record.key)
  const summary = health === undefined ? 'not looked at yet' : `${health.health}: ${health.ready} of ${health.desired} ready`
  const wake = term.wakes.get(record.key)
  return {
    object: record.key,
    health: health?.health ?? 'Unknown',
    summary: `${summary}, at ${record.revision}`,
    lines: [...quarantineLines(record, term), ...workloadLines(record, term), ...taskLines(record, term, now)],
    nextWake: wake === null ? null : new Date(wake).toISOString(),
  }
}

function quarantineLines(record: WorkloadRecord, term: Term): Line[] {
  const quarantine = term.cluster.quarantine.get(record.key)
  if (quarantine === undefined) return []
  const message = `${quarantine.badRevision} is not run: ${quarantine.reason}; the next commit that changes these inputs lifts it`
  return [{ about: record.key, reasons: [{ code: 'Quarantined', message, count: 1 }], until: null }]
}

function workloadLines(record: WorkloadRecord, term: Term): Line[] {
  const reasons = term.healths.get(record.key)?.reasons ?? []
  return reasons.length === 0 ? [] : [{ about: record.key, reasons: [...reasons], until: null }]
}

/** Tasks that are not simply running, each with its own reasons and the end of its back-off. */
function taskLines(record: WorkloadRecord, term: Term, now: Millis): Line[] {
  return term.cluster.tasksOfWorkload(record.key).flatMap((state): Line[] => {
    const view = taskView(state, term)
    const until = state.observed?.backoffUntil ?? null
    if (view.desired === 'stop' || view.reasons.length === 0) return []
    return [
      {
        about: `task/${view.id} ${view.phase}`,
        reasons: view.reasons,
        until: until !== null && until > now ? new Date(until).toISOString() : null,
      },
    ]
  })
}

export function whyTask(id: string, term: Term, now: Millis): WhyView {
  const task = [...term.cluster.tasks.values()].find((candidate) => candidate.id === id)
  if (task === undefined) throw new RequestError('NotFound', `no task ${id}`)
  const record = term.cluster.workloads.get(task.workload)
  const view = taskView(term.cluster.taskState(task.id), term)
  const until = term.cluster.observed.get(task.id)?.backoffUntil ?? null
  const own: Line = {
    about: `task/${id} ${view.phase}`,
    reasons: view.reasons,
    until: until !== null && until > now ? new Date(until).toISOString() : null,
  }
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
export function whyRun(id: string, term: Term, now: Millis): WhyView {
  const run = [...term.cluster.runs.values()].find((candidate) => candidate.id === id)
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

export function workloadNamed(kind: string, name: string, options: { namespace: string; term: Term }): WorkloadRecord {
  const wanted = `${options.namespace}/${kind}/${name}`.toLowerCase()
  const found = [...options.term.cluster.workloads.values()].find((record) => record.key.toLowerCase() === wanted)
  if (found === undefined) throw new RequestError('NotFound', `no ${kind.toLowerCase()} ${name} in namespace ${options.namespace}`)
  return found
}
