import type { AppView, HistoryView, RunView, WorkloadView } from '../model/views.ts'
import { EXIT, type ExitCode } from './exit.ts'
import { sameRevision, shortRevision, workloadName } from './read.ts'

export type Goal = 'healthy' | 'synced' | 'complete'

/** Where a wait stands: over with an exit code, or going on; `about` says why in one line. */
export type Verdict = { readonly exit: ExitCode; readonly about: string } | { readonly exit: null; readonly about: string }

const waiting = (about: string): Verdict => ({ exit: null, about })
const over = (exit: ExitCode, about: string): Verdict => ({ exit, about })

export interface AppGoal {
  /** Null: synced and healthy, both. */
  readonly goal: 'healthy' | 'synced' | null
  /** Null: whatever revision is applied. */
  readonly revision: string | null
}

/** Gates that only a person or a new commit opens; waiting on does not help. */
const STUCK = new Set(['EmptySource', 'DeletionBudget', 'Quarantine', 'Conflict', 'Manual', 'InvalidManifests'])

/** Success needs the asked revision applied: the health of an older one says nothing of it. */
export function appVerdict(app: AppView, history: readonly HistoryView[], asked: AppGoal): Verdict {
  const { revision } = asked
  const attempted = revision === null || sameRevision(revision, app.lastAttemptedRevision)
  const applied = revision === null || sameRevision(revision, app.lastAppliedRevision)
  const at = shortRevision(app.lastAppliedRevision)
  if (!attempted && !applied) return superseded(history, revision) ?? waiting(`${app.name} is at ${at}, not yet at ${revision}`)
  // Without a revision the next commit may mend it; a revision that is broken or held stays so.
  const final = revision !== null && attempted && app.sync !== 'Synced'
  if (final && app.problems.length > 0) return over(EXIT.usage, `${revision} has invalid manifests, the first: ${firstProblem(app)}`)
  const stuck = final ? app.holds.find((hold) => STUCK.has(hold.gate)) : undefined
  if (stuck !== undefined)
    return over(EXIT.unhealthy, `${app.name} is held by ${stuck.gate}: ${stuck.message} (unblock: ${stuck.unblockBy})`)
  if (!applied) return waiting(`${app.name} is at ${at}, applying ${revision}`)
  if (asked.goal !== 'healthy' && app.sync !== 'Synced')
    return waiting(`${app.name} is ${app.sync}${app.holds.map((hold) => `; held by ${hold.gate}: ${hold.message}`).join('')}`)
  if (asked.goal === 'synced') return over(EXIT.ok, `${app.name} is synced at ${at}`)
  if (app.health === 'Healthy') return over(EXIT.ok, `${app.name} is healthy at ${at}`)
  if (app.health === 'Degraded') return over(EXIT.unhealthy, degraded(app))
  return waiting(`${app.name} is ${app.health}`)
}

/** A later sync or a refusal has ended the revision that is waited for. */
function superseded(history: readonly HistoryView[], revision: string | null): Verdict | null {
  const item = history.find((candidate) => revision !== null && sameRevision(revision, candidate.revision))
  if (item?.outcome === 'Superseded') return over(EXIT.notFound, `${revision} was superseded by a later revision`)
  if (item?.outcome === 'Rejected') return over(EXIT.usage, `${revision} was rejected: its manifests are invalid`)
  return null
}

function firstProblem({ problems: [first] }: AppView): string {
  return first === undefined ? '' : `${first.file}:${first.line}:${first.column}: ${first.message}`
}

function degraded(app: AppView): string {
  const bad = app.workloads.filter((view) => view.health === 'Degraded')
  return `${app.name} is Degraded: ${bad.map(workloadTrouble).join('; ') || 'no workload says why'}`
}

const workloadTrouble = (view: WorkloadView): string =>
  `${workloadName(view)} (${view.reasons.map(({ code, message }) => `${code}: ${message}`).join(', ') || `${view.ready}/${view.desired} ready`})`

export function workloadVerdict(view: WorkloadView, revision: string | null): Verdict {
  const name = workloadName(view)
  if (view.health === 'Healthy') return over(EXIT.ok, `${name} is healthy${revision === null ? '' : ` at ${shortRevision(view.revision)}`}`)
  if (view.health === 'Degraded') return over(EXIT.unhealthy, `${workloadTrouble(view)} is Degraded`)
  return waiting(`${name} is ${view.health}, ${view.ready}/${view.desired} ready`)
}

export function runVerdict(run: RunView): Verdict {
  if (run.phase === 'Succeeded') return over(EXIT.ok, `run/${run.id} succeeded`)
  if (run.phase === 'Failed')
    return over(EXIT.unhealthy, `run/${run.id} failed: ${run.reason ?? 'no reason'}, exit code ${run.exitCode ?? 'unknown'}`)
  return waiting(`run/${run.id} is ${run.phase}`)
}

/** The run of a job's present inputs: one that goes on before one that has ended, the latest of those. */
export function currentRun(job: WorkloadView, runs: readonly RunView[]): RunView | undefined {
  const own = runs.filter((run) => run.job === job.name && run.namespace === job.namespace && run.inputsDigest === job.inputsDigest)
  const going = own.find((run) => run.finishedAt === null)
  return going ?? own.toSorted((a, b) => (b.finishedAt ?? '').localeCompare(a.finishedAt ?? ''))[0]
}
