import type { AppView, HistoryView, RunView, WorkloadView } from '../model/views.ts'
import { EXIT, type ExitCode } from './exit.ts'
import { span } from './output/time.ts'
import { sameRevision, shortRevision, workloadName } from './read.ts'
import { isUnderWay, promoteCommand, quarantineText, rolloutName, rolloutUnderWay, standingOf } from './rollouts.ts'

export type Goal = 'healthy' | 'synced' | 'complete'

/** Where a wait stands: over with an exit code, or going on; `about` says why in one line. */
export type Verdict = { readonly exit: ExitCode; readonly about: string } | { readonly exit: null; readonly about: string }

export const waiting = (about: string): Verdict => ({ exit: null, about })
export const over = (exit: ExitCode, about: string): Verdict => ({ exit, about })

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
  const back = rolledBack(app, history, revision)
  if (back !== null) return back
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
  return healthVerdict(app)
}

/** A rollout under way may still recover or be taken back within its deadline: neither good nor bad is final yet. */
function healthVerdict(app: AppView): Verdict {
  const going = app.workloads.filter((view) => rolloutUnderWay(view) !== null)
  if (going.length > 0) return waiting(`${app.name} is ${app.health}: ${goingTexts(going)}`)
  if (app.health === 'Healthy') return over(EXIT.ok, `${app.name} is healthy at ${shortRevision(app.lastAppliedRevision)}`)
  if (app.health === 'Degraded') return over(EXIT.unhealthy, degraded(app))
  return waiting(`${app.name} is ${app.health}`)
}

const TOLD = 3

function goingTexts(views: readonly WorkloadView[]): string {
  const more = views.length > TOLD ? [`${views.length - TOLD} more`] : []
  return [...views.slice(0, TOLD).map(goingText), ...more].join('; ')
}

/** What a workload under way waits for; where that is a person, what to type. */
function goingText(view: WorkloadView): string {
  const rollout = rolloutUnderWay(view)
  const name = workloadName(view)
  if (rollout === null) return `${name} is ${view.health}`
  const promote = promoteCommand(view)
  return `${name}: ${standingOf(rollout)}${promote === null ? '' : ` (\`${promote}\` goes on)`}`
}

/** The newest record of the revision says that it was taken back: git may say otherwise, but it will not run. */
function rolledBack(app: AppView, history: readonly HistoryView[], revision: string | null): Verdict | null {
  const item = history.find((candidate) => revision !== null && sameRevision(revision, candidate.revision))
  if (item?.outcome !== 'RolledBack') return null
  const failed = item.results.filter(({ result }) => FAILED.has(result)).map(({ workload, result }) => `${workload} ${result}`)
  const which = failed.length === 0 ? '' : ` (${failed.join(', ')})`
  const more = `\`drover describe revision/${app.name}/${item.id}\` tells more`
  return over(EXIT.unhealthy, `${shortRevision(item.revision)} was rolled back: ${item.reason ?? 'no reason is known'}${which}; ${more}`)
}

const FAILED = new Set(['Failed', 'RolledBack'])

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
  const back = takenBack(view, revision)
  if (back !== null) return back
  if (rolloutUnderWay(view) !== null) return waiting(`${goingText(view)}, ${view.ready}/${view.desired} ready`)
  if (view.health === 'Healthy') return over(EXIT.ok, `${name} is healthy${revision === null ? '' : ` at ${shortRevision(view.revision)}`}`)
  if (view.health === 'Degraded') return over(EXIT.unhealthy, `${workloadTrouble(view)} is Degraded`)
  return waiting(`${name} is ${view.health}, ${view.ready}/${view.desired} ready`)
}

/** That the asked revision of a workload failed; null while it did not, or when none is asked. */
export function takenBack(view: WorkloadView, revision: string | null): Verdict | null {
  const { rollout, quarantine } = view
  if (revision === null) return null
  if (rollout !== null && rollout.failure !== null && !isUnderWay(rollout) && sameRevision(revision, rollout.revision)) {
    const { code, message, because } = rollout.failure
    const root = because === null ? '' : ` (because of ${because})`
    const more = `\`drover describe ${rolloutName(rollout)}\` tells more`
    return over(EXIT.unhealthy, `${rolloutName(rollout)} ${rollout.phase}: ${code}: ${message}${root}; ${more}`)
  }
  if (quarantine === null || !sameRevision(revision, quarantine.badRevision)) return null
  const root = quarantine.because === null ? '' : ` (because of ${quarantine.because})`
  return over(EXIT.unhealthy, `${workloadName(view)}: ${quarantineText(quarantine)}${root}`)
}

export function runVerdict(run: RunView): Verdict {
  if (run.phase === 'Succeeded') return over(EXIT.ok, `run/${run.id} succeeded: ${courseOf(run)}`)
  if (run.phase === 'Failed') return over(EXIT.unhealthy, `run/${run.id} failed: ${failureOf(run)}, ${courseOf(run)}`)
  return waiting(`run/${run.id} is ${run.phase}`)
}

/** `BackoffLimitExceeded (OOMKilled), exit code 137 (SIGKILL)`: why it gave up, and how the last attempt that failed ended. */
function failureOf({ reason, exitCode, attempts }: RunView): string {
  const last = attempts.findLast((attempt) => attempt.exitCode !== 0)
  const why = [reason ?? 'no reason', ...(last === undefined ? [] : [`(${last.reason})`])].join(' ')
  const signal = last?.signal ?? null
  return `${why}, exit code ${exitCode ?? 'unknown'}${signal === null ? '' : ` (${signal})`}`
}

/** `2 attempts in 30m`. */
function courseOf({ attempts, startedAt, finishedAt }: RunView): string {
  const tries = attempts.length === 1 ? '1 attempt' : `${attempts.length} attempts`
  return startedAt === null || finishedAt === null ? tries : `${tries} in ${span(Date.parse(finishedAt) - Date.parse(startedAt))}`
}

/** The run of a job's present inputs: one that goes on before one that has ended, the latest of those. */
export function currentRun(job: WorkloadView, runs: readonly RunView[]): RunView | undefined {
  const own = runs.filter((run) => run.job === job.name && run.namespace === job.namespace && run.inputsDigest === job.inputsDigest)
  const going = own.find((run) => run.finishedAt === null)
  return going ?? own.toSorted((a, b) => (b.finishedAt ?? '').localeCompare(a.finishedAt ?? ''))[0]
}
