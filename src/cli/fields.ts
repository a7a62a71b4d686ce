import type { AgentView, AppView, AttemptView, RunView, TaskView, WorkloadView } from '../model/views.ts'
import { cronFields } from './cron.ts'
import { durationOf } from './listings.ts'
import type { Field, Look } from './output/look.ts'
import { sizeOf } from './output/size.ts'
import { ageOf } from './output/time.ts'
import { workloadName } from './read.ts'
import { quarantineFields, rolloutLine } from './rollout-fields.ts'
import { doneOf, runName, runWorkload } from './runs.ts'

/** What `describe` says of each kind. */

const reasonLines = (reasons: readonly { code: string; message: string; count: number }[]): string[] =>
  reasons.map(({ code, message, count }) => `${count > 1 ? `${count} x ` : ''}${code}: ${message}`)

const pairs = (record: Readonly<Record<string, string | number>>): string[] => Object.entries(record).map((entry) => entry.join('='))

export const appFields = (app: AppView): Field[] => [
  ['App', app.name],
  ['Sync', app.sync],
  ['Health', app.health],
  ['Repository', app.source.repo],
  ['Ref', app.source.ref],
  ['Path', app.source.path],
  ['Applied', app.lastAppliedRevision ?? 'nothing yet'],
  ['Attempted', app.lastAttemptedRevision ?? 'nothing yet'],
  ['Observed', app.observedRevision ?? 'nothing yet'],
  ['Holds', app.holds.map((hold) => `${hold.gate}: ${hold.message} (unblock: ${hold.unblockBy})`)],
  ['Problems', app.problems.map((problem) => `${problem.file}:${problem.line}:${problem.column}: ${problem.message}`)],
  ['Workloads', app.workloads.map((view) => `${workloadName(view)} ${view.health} ${view.ready}/${view.desired}`)],
]

export const workloadFields = (view: WorkloadView, { now }: Look): Field[] => [
  ['Name', workloadName(view)],
  ['Namespace', view.namespace],
  ['App', view.app],
  ['Health', view.health],
  ['Ready', view.schedule === null ? `${view.ready} of ${view.desired}` : null],
  ['Revision', view.revision],
  ['Inputs', view.inputsDigest],
  ['Rollout', view.rollout === null ? null : rolloutLine(view.rollout)],
  ...cronFields(view.schedule, now),
  ...quarantineFields(view),
  ['Reasons', reasonLines(view.reasons)],
]

/** `attempt 2: OOMKilled, exit code 137 (SIGKILL), ran 12s, peak memory 64.0Mi`. */
function attemptLine(record: AttemptView, now: number): string {
  const { attempt, reason, message, exitCode, signal, peakMemoryBytes } = record
  const why = message === null ? reason : `${reason} (${message})`
  const code = `exit code ${exitCode ?? 'unknown'}${signal === null ? '' : ` (${signal})`}`
  const ran = record.startedAt === null ? [] : [`ran ${durationOf(record, now)}`]
  const memory = peakMemoryBytes === null ? [] : [`peak memory ${sizeOf(peakMemoryBytes)}`]
  return `attempt ${attempt}: ${[why, code, ...ran, ...memory].join(', ')}`
}

export const taskFields = (task: TaskView, { now }: Look): Field[] => [
  ['Task', task.id],
  ['Workload', workloadName({ kind: task.kind, name: task.workload })],
  ['Namespace', task.namespace],
  ['Slot', task.slot],
  ['Agent', task.agent ?? 'not placed'],
  ['Phase', task.phase],
  ['Wanted', task.desired],
  ['Ready', task.ready ? 'yes' : 'no'],
  ['Attempt', String(task.attempt)],
  ['Exit code', task.exitCode === null ? null : String(task.exitCode)],
  ['Ports', pairs(task.ports)],
  ['Revision', task.revision],
  ['Age', ageOf(task.createdAt, now)],
  ['Reasons', reasonLines(task.reasons)],
  ['Attempts', task.attempts.map((attempt) => attemptLine(attempt, now))],
]

export const runFields = (run: RunView, { now }: Look): Field[] => [
  ['Run', run.id],
  ['Workload', runWorkload(run)],
  ['Namespace', run.namespace],
  ['Phase', run.phase],
  ['Trigger', run.actor === null ? run.trigger : `${run.trigger} by ${run.actor}`],
  ['Slot', run.slot],
  ['Graph', run.graph === null ? null : runName({ id: run.graph })],
  ['After', run.parents.map((id) => runName({ id }))],
  ['Completions', doneOf(run)],
  ['Exit code', run.exitCode === null ? null : String(run.exitCode)],
  ['Reason', run.message === null ? run.reason : `${run.reason ?? 'Failed'}: ${run.message}`],
  ['Duration', durationOf(run, now)],
  ['Revision', run.revision],
  ['Attempts', run.attempts.map((attempt) => `${attempt.task} ${attemptLine(attempt, now)}`)],
  ['Last lines', run.lastLines],
]

export const agentFields = (agent: AgentView): Field[] => [
  ['Agent', agent.id],
  ['Status', agent.status],
  ['Version', agent.version],
  ['CPU', `${agent.used.cpuMillis / 1000} of ${agent.capacity.cpuMillis / 1000} cores reserved`],
  ['Memory', `${Math.round(agent.used.memoryBytes / 2 ** 20)} of ${Math.round(agent.capacity.memoryBytes / 2 ** 20)} Mi reserved`],
  ['Labels', pairs(agent.labels)],
  [
    'Drivers',
    Object.entries(agent.drivers).map(([name, driver]) => `${name}: ${driver.available ? 'available' : 'not available'}: ${driver.detail}`),
  ],
]
