import type { AgentView, AppView, EventView, HistoryView, RolloutView, RunView, TaskView, WorkloadView } from '../model/views.ts'
import { cronText, readyText } from './cron.ts'
import { statusColor } from './output/colors.ts'
import type { Look } from './output/look.ts'
import type { Listing } from './output/print.ts'
import { sizeOf } from './output/size.ts'
import { ageOf, span } from './output/time.ts'
import { shortRevision, workloadName } from './read.ts'
import { quarantineText, rolloutName, rolloutUnderWay, rolloutWorkload, standingOf, stepOf } from './rollouts.ts'
import { doneOf, runName, runWorkload, slotText } from './runs.ts'

const reasonsOf = (reasons: readonly { code: string; count: number }[]): string =>
  reasons.map(({ code, count }) => (count > 1 ? `${code}(${count})` : code)).join(',')

/** A cell of a table, not a sentence: the whole reason is in `describe` and `why`. */
const BRIEF = 60
const brief = (text: string): string => (text.length <= BRIEF ? text : `${text.slice(0, BRIEF - 3)}...`)

/** Its reasons; without one, the rollout under way, what was rolled back and stays out, else when a CronJob runs. */
function causesOf(view: WorkloadView, now: number): string {
  if (view.reasons.length > 0) return reasonsOf(view.reasons)
  const rollout = rolloutUnderWay(view)
  if (rollout !== null) return standingOf(rollout)
  if (view.quarantine !== null) return brief(quarantineText(view.quarantine))
  return view.schedule === null ? '' : brief(cronText(view.schedule, now))
}

export const appListing = ({ colors }: Look): Listing<AppView> => ({
  name: (app) => `app/${app.name}`,
  columns: [
    { header: 'NAME', value: (app) => app.name },
    { header: 'SYNC', value: (app) => app.sync, paint: (text) => statusColor(colors, text) },
    { header: 'HEALTH', value: (app) => app.health, paint: (text) => statusColor(colors, text) },
    { header: 'REVISION', value: (app) => shortRevision(app.lastAppliedRevision) },
    { header: 'WORKLOADS', value: (app) => String(app.workloads.length) },
    { header: 'OBSERVED', value: (app) => shortRevision(app.observedRevision), wide: true },
    { header: 'REPO', value: (app) => app.source.repo, wide: true },
    { header: 'PATH', value: (app) => app.source.path, wide: true },
  ],
})

export const workloadListing = ({ colors, now }: Look): Listing<WorkloadView> => ({
  name: workloadName,
  columns: [
    { header: 'NAMESPACE', value: (view) => view.namespace },
    { header: 'NAME', value: workloadName },
    { header: 'HEALTH', value: (view) => view.health, paint: (text) => statusColor(colors, text) },
    { header: 'READY', value: readyText },
    { header: 'REVISION', value: (view) => shortRevision(view.revision) },
    { header: 'REASONS', value: (view) => causesOf(view, now) },
    { header: 'APP', value: (view) => view.app, wide: true },
    { header: 'QUARANTINED', value: (view) => shortRevision(view.quarantine?.badRevision ?? null), wide: true },
    { header: 'INPUTS', value: (view) => view.inputsDigest.slice(0, 12), wide: true },
  ],
})

export const taskListing = ({ colors, now }: Look): Listing<TaskView> => ({
  name: (task) => `task/${task.id}`,
  columns: [
    { header: 'NAMESPACE', value: (task) => task.namespace },
    { header: 'ID', value: (task) => task.id },
    { header: 'WORKLOAD', value: (task) => workloadName({ kind: task.kind, name: task.workload }) },
    { header: 'PHASE', value: (task) => task.phase, paint: (text) => statusColor(colors, text) },
    { header: 'READY', value: (task) => (task.ready ? 'yes' : 'no') },
    { header: 'ATTEMPT', value: (task) => String(task.attempt) },
    { header: 'EXIT', value: (task) => (task.exitCode === null ? '-' : String(task.exitCode)) },
    { header: 'AGENT', value: (task) => task.agent ?? '-' },
    { header: 'AGE', value: (task) => ageOf(task.createdAt, now) },
    { header: 'REASONS', value: (task) => reasonsOf(task.reasons) },
    { header: 'SLOT', value: (task) => task.slot, wide: true },
    {
      header: 'PORTS',
      value: (task) =>
        Object.entries(task.ports)
          .map((entry) => entry.join('='))
          .join(','),
      wide: true,
    },
    { header: 'REVISION', value: (task) => shortRevision(task.revision), wide: true },
  ],
})

export const runListing = ({ colors, now }: Look): Listing<RunView> => ({
  name: runName,
  columns: [
    { header: 'NAMESPACE', value: (run) => run.namespace },
    { header: 'ID', value: (run) => run.id },
    { header: 'WORKLOAD', value: runWorkload },
    { header: 'TRIGGER', value: (run) => run.trigger },
    { header: 'SLOT', value: (run) => (run.slot === null ? '-' : slotText(run.slot)) },
    { header: 'PHASE', value: (run) => run.phase, paint: (text) => statusColor(colors, text) },
    { header: 'DONE', value: doneOf },
    { header: 'EXIT', value: (run) => (run.exitCode === null ? '-' : String(run.exitCode)) },
    { header: 'DURATION', value: (run) => durationOf(run, now) },
    { header: 'AGE', value: (run) => ageOf(run.startedAt, now) },
    { header: 'REASON', value: (run) => run.reason ?? '-' },
    { header: 'ATTEMPTS', value: (run) => String(run.attempts.length), wide: true },
    { header: 'ACTOR', value: (run) => run.actor ?? '-', wide: true },
    { header: 'GRAPH', value: (run) => run.graph ?? '-', wide: true },
    { header: 'SIGNAL', value: (run) => run.attempts.at(-1)?.signal ?? '-', wide: true },
    { header: 'PEAK MEMORY', value: peakMemoryOf, wide: true },
    { header: 'REVISION', value: (run) => shortRevision(run.revision), wide: true },
  ],
})

/** Of the attempt that used most. */
function peakMemoryOf({ attempts }: RunView): string {
  const known = attempts.flatMap(({ peakMemoryBytes }) => peakMemoryBytes ?? [])
  return known.length === 0 ? '-' : sizeOf(Math.max(...known))
}

export const rolloutListing = ({ colors, now }: Look): Listing<RolloutView> => ({
  name: rolloutName,
  columns: [
    { header: 'ID', value: rolloutName },
    { header: 'WORKLOAD', value: rolloutWorkload },
    { header: 'PHASE', value: (rollout) => rollout.phase, paint: (text) => statusColor(colors, text) },
    { header: 'STEP', value: stepOf },
    { header: 'PROGRESS', value: ({ available, desired }) => (available === null || desired === null ? '-' : `${available}/${desired}`) },
    { header: 'REVISION', value: (rollout) => shortRevision(rollout.revision) },
    { header: 'CAUSE', value: (rollout) => rollout.cause },
    { header: 'DURATION', value: (rollout) => durationOf(rollout, now) },
    { header: 'AGE', value: (rollout) => ageOf(rollout.startedAt, now) },
    { header: 'FROM', value: (rollout) => shortRevision(rollout.fromRevision), wide: true },
    { header: 'FAILURE', value: ({ failure }) => failure?.code ?? '-', wide: true },
    { header: 'BECAUSE', value: ({ failure }) => failure?.because ?? '-', wide: true },
    { header: 'APP', value: (rollout) => rollout.app, wide: true },
  ],
})

const cores = (millis: number): string => String(millis / 1000)
const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)}Gi`

export const agentListing = ({ colors, now }: Look): Listing<AgentView> => ({
  name: (agent) => `agent/${agent.id}`,
  columns: [
    { header: 'ID', value: (agent) => agent.id },
    {
      header: 'STATUS',
      value: ({ status, maintenance, pressure }) =>
        [status, ...(maintenance === null ? [] : [maintenance.phase]), ...pressure.map(({ code }) => code)].join(','),
      paint: (text) => statusColor(colors, text),
    },
    { header: 'TASKS', value: (agent) => String(agent.used.tasks) },
    { header: 'CPU', value: ({ used, capacity }) => `${cores(used.cpuMillis)}/${cores(capacity.cpuMillis)}` },
    { header: 'MEMORY', value: ({ used, capacity }) => `${gibibytes(used.memoryBytes)}/${gibibytes(capacity.memoryBytes)}` },
    { header: 'DRIVERS', value: (agent) => availableDrivers(agent).join(',') },
    { header: 'AGE', value: (agent) => ageOf(agent.joinedAt, now) },
    { header: 'REASONS', value: (agent) => reasonsOf(agent.reasons) },
    { header: 'SILENT', value: ({ silentSince }) => (silentSince === null ? '-' : ageOf(silentSince, now)), wide: true },
    { header: 'VERSION', value: (agent) => agent.version, wide: true },
    {
      header: 'LABELS',
      value: (agent) =>
        Object.entries(agent.labels)
          .map((entry) => entry.join('='))
          .join(','),
      wide: true,
    },
  ],
})

const availableDrivers = (agent: AgentView): string[] =>
  Object.entries(agent.drivers)
    .filter(([, driver]) => driver.available)
    .map(([name]) => name)

export const eventListing = ({ colors, now }: Look): Listing<EventView> => ({
  name: (event) => `event/${event.id}`,
  columns: [
    { header: 'AGE', value: (event) => ageOf(event.at, now) },
    { header: 'LEVEL', value: (event) => event.level, paint: (text) => statusColor(colors, text) },
    { header: 'OBJECT', value: (event) => event.object },
    { header: 'REASON', value: (event) => event.reason },
    { header: 'MESSAGE', value: (event) => event.message },
    { header: 'ACTOR', value: (event) => event.actor, wide: true },
  ],
})

export const historyListing = ({ colors, now }: Look): Listing<HistoryView> => ({
  name: (item) => String(item.id),
  columns: [
    { header: 'ID', value: (item) => String(item.id) },
    { header: 'REVISION', value: (item) => shortRevision(item.revision) },
    { header: 'OUTCOME', value: (item) => item.outcome, paint: (text) => statusColor(colors, text) },
    { header: 'CAUSE', value: (item) => item.cause },
    { header: 'DURATION', value: (item) => durationOf(item, now) },
    { header: 'AGE', value: (item) => ageOf(item.startedAt, now) },
    { header: 'SUBJECT', value: (item) => item.subject },
    { header: 'RESULTS', value: (item) => resultsOf(item.results), wide: true },
    { header: 'REASON', value: (item) => item.reason ?? '-', wide: true },
  ],
})

/** `2 Complete, 1 RolledBack`. */
function resultsOf(results: HistoryView['results']): string {
  const counts = new Map<string, number>()
  for (const { result } of results) counts.set(result, (counts.get(result) ?? 0) + 1)
  return [...counts].map(([result, count]) => `${count} ${result}`).join(', ')
}

/** Until now where it has not ended. */
export function durationOf(item: { startedAt: string | null; finishedAt: string | null }, now: number): string {
  if (item.startedAt === null) return '-'
  return span((item.finishedAt === null ? now : Date.parse(item.finishedAt)) - Date.parse(item.startedAt))
}
