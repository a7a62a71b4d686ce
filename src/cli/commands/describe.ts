import type { AgentView, AppView, EventView, RunView, TaskView, WorkloadView } from '../../model/views.ts'
import type { Client } from '../client.ts'
import { CliError, EXIT } from '../exit.ts'
import { durationOf, eventListing, type Look, taskListing } from '../listings.ts'
import { parseOne } from '../objects.ts'
import { statusColor } from '../output/colors.ts'
import { escapeText } from '../output/escape.ts'
import type { Format } from '../output/print.ts'
import { table } from '../output/table.ts'
import { ageOf } from '../output/time.ts'
import { found, isKind, readAgents, readApp, readEvents, readRuns, readTasks, readWorkload, workloadName } from '../read.ts'
import type { Command } from '../session.ts'

export interface DescribeOptions {
  readonly output: Format
  readonly namespace: string
}

interface Asked {
  readonly client: Client
  readonly name: string
  readonly namespace: string
  readonly look: Look
}

/** A value for machines, and the report that people read. */
interface Report {
  readonly value: unknown
  readonly text: string
}

export const describe: Command<DescribeOptions> = async (session, words, options) => {
  const { kind, name } = await parseOne(words)
  const look = { colors: session.printer.colors, now: session.deps.clock.now() }
  const asked = { client: await session.client(), name, namespace: options.namespace, look }
  const report = await reportOf(kind, asked)
  if (options.output === 'json' || options.output === 'yaml') await session.printer.value(options.output, report.value)
  else session.printer.out(report.text)
  return EXIT.ok
}

async function reportOf(kind: string, asked: Asked): Promise<Report> {
  const { client, name, look } = asked
  switch (kind) {
    case 'app': {
      const app = await readApp(client, name)
      return { value: app, text: report(look, appFields(app), { events: await readEvents(client, { app: name }) }) }
    }
    case 'task': {
      const tasks = await readTasks(client)
      const task = found(
        tasks.find((item) => item.id === name),
        { kind, name, known: tasks.map((item) => item.id) },
      )
      return { value: task, text: report(look, taskFields(task, look), { events: await readEvents(client, { object: `task/${name}` }) }) }
    }
    case 'run': {
      const runs = await readRuns(client)
      const run = found(
        runs.find((item) => item.id === name),
        { kind, name, known: runs.map((item) => item.id) },
      )
      return { value: run, text: report(look, runFields(run, look), { events: await readEvents(client, { object: `run/${name}` }) }) }
    }
    case 'agent': {
      const agents = await readAgents(client)
      const agent = found(
        agents.find((item) => item.id === name),
        { kind, name, known: agents.map((item) => item.id) },
      )
      const tasks = (await readTasks(client)).filter((task) => task.agent === name)
      return {
        value: agent,
        text: report(look, agentFields(agent), { tasks, events: await readEvents(client, { object: `agent/${name}` }) }),
      }
    }
    case 'event':
      throw new CliError(EXIT.usage, 'an event describes itself', '`drover get events` shows them')
    default:
      return workloadReport(kind, asked)
  }
}

async function workloadReport(kind: string, { client, name, namespace, look }: Asked): Promise<Report> {
  const view = await readWorkload(client, { kind, name, namespace })
  const all = await readTasks(client)
  const tasks = all.filter((task) => task.workload === name && task.namespace === view.namespace && isKind(task, view.kind.toLowerCase()))
  const object = `${view.kind.toLowerCase()}/${view.namespace}/${name}`
  return { value: view, text: report(look, workloadFields(view), { tasks, events: await readEvents(client, { object }) }) }
}

type Field = readonly [name: string, value: string | readonly string[] | null]

interface Sections {
  readonly tasks?: readonly TaskView[]
  readonly events: readonly EventView[]
}

/** `Name:  value` lines, lists indented below their name, then tables of tasks and of the latest events. */
function report(look: Look, fields: readonly Field[], { tasks, events }: Sections): string {
  const width = Math.max(...fields.map(([name]) => name.length)) + 1
  const lines = fields.flatMap(([name, value]) => fieldLines(look, `${name}:`.padEnd(width + 1), value))
  const parts = [`${lines.join('\n')}\n`]
  if (tasks !== undefined)
    parts.push(
      section(
        'Tasks',
        tasks.length === 0
          ? null
          : table(
              taskListing(look).columns.filter((column) => column.wide !== true),
              tasks,
            ),
      ),
    )
  const latest = events.slice(-10)
  parts.push(
    section(
      'Events',
      latest.length === 0
        ? null
        : table(
            eventListing(look).columns.filter((column) => column.wide !== true),
            latest,
          ),
    ),
  )
  return parts.join('\n')
}

const section = (title: string, rows: string | null): string =>
  rows === null ? `${title}: none\n` : `${title}:\n${rows.replace(/^(?=.)/gm, '  ')}`

function fieldLines(look: Look, label: string, value: Field[1]): string[] {
  if (value === null) return []
  if (typeof value === 'string') return [`${label} ${statusColor(look.colors, escapeText(value))}`]
  return value.length === 0 ? [] : [label.trimEnd(), ...value.map((line) => `  ${escapeText(line)}`)]
}

const reasonLines = (reasons: readonly { code: string; message: string; count: number }[]): string[] =>
  reasons.map(({ code, message, count }) => `${count > 1 ? `${count} x ` : ''}${code}: ${message}`)

const pairs = (record: Readonly<Record<string, string | number>>): string[] => Object.entries(record).map((entry) => entry.join('='))

const appFields = (app: AppView): Field[] => [
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

const workloadFields = (view: WorkloadView): Field[] => [
  ['Name', workloadName(view)],
  ['Namespace', view.namespace],
  ['App', view.app],
  ['Health', view.health],
  ['Ready', `${view.ready} of ${view.desired}`],
  ['Revision', view.revision],
  ['Inputs', view.inputsDigest],
  [
    'Quarantine',
    view.quarantine === null ? null : `${view.quarantine.badRevision} stays out: ${view.quarantine.reason} (by ${view.quarantine.actor})`,
  ],
  ['Reasons', reasonLines(view.reasons)],
]

const attemptLine = (attempt: { attempt: number; exitCode: number | null; reason: string }): string =>
  `attempt ${attempt.attempt}: ${attempt.reason}, exit code ${attempt.exitCode ?? 'unknown'}`

const taskFields = (task: TaskView, { now }: Look): Field[] => [
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
  ['Attempts', task.attempts.map(attemptLine)],
]

const runFields = (run: RunView, { now }: Look): Field[] => [
  ['Run', run.id],
  ['Job', run.job],
  ['Namespace', run.namespace],
  ['Phase', run.phase],
  ['Trigger', run.trigger],
  ['Exit code', run.exitCode === null ? null : String(run.exitCode)],
  ['Reason', run.reason],
  ['Duration', durationOf(run, now)],
  ['Revision', run.revision],
  ['Attempts', run.attempts.map((attempt) => `${attempt.task} ${attemptLine(attempt)}`)],
  ['Last lines', run.lastLines],
]

const agentFields = (agent: AgentView): Field[] => [
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
