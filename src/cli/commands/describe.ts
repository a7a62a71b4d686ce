import type { TaskView } from '../../model/views.ts'
import type { Client } from '../client.ts'
import { CliError, EXIT } from '../exit.ts'
import { agentFields, appFields, runFields, taskFields, workloadFields } from '../fields.ts'
import { parseOne } from '../objects.ts'
import type { Look } from '../output/look.ts'
import type { Format } from '../output/print.ts'
import { report } from '../output/report.ts'
import {
  byId,
  found,
  isKind,
  readAgents,
  readApp,
  readEvents,
  readHistory,
  readRollouts,
  readRun,
  readRuns,
  readTask,
  readTasks,
  readTasksOfRun,
  readWorkload,
  sameRevision,
} from '../read.ts'
import { revisionFields, rolloutFields } from '../rollout-fields.ts'
import { runName, runsOf } from '../runs.ts'
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
      const task = await readTask(client, name)
      return { value: task, text: report(look, taskFields(task, look), { events: await readEvents(client, { object: `task/${name}` }) }) }
    }
    case 'run':
      return runReport(asked)
    case 'agent': {
      const agent = byId(kind, name, await readAgents(client))
      const tasks = (await readTasks(client)).filter((task) => task.agent === name)
      return {
        value: agent,
        text: report(look, agentFields(agent), { tasks, events: await readEvents(client, { object: `agent/${name}` }) }),
      }
    }
    case 'rollout':
      return rolloutReport(asked)
    case 'revision':
      return revisionReport(asked)
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
  const events = await readEvents(client, { object: `${view.kind.toLowerCase()}/${view.namespace}/${name}` })
  const runs = view.kind === 'Deployment' ? {} : { runs: runsOf(view, await readRuns(client)) }
  return { value: view, text: report(look, workloadFields(view, look), { ...runs, tasks, events }) }
}

/** What happened to a run is told as its workload's, and begins with its name. */
async function runReport({ client, name, look }: Asked): Promise<Report> {
  const run = await readRun(client, name)
  const tasks = await readTasksOfRun(client, run.id)
  const object = `${run.cronJob === null ? 'job' : 'cronjob'}/${run.namespace}/${run.job}`
  const events = (await readEvents(client, { object })).filter(({ message }) => message.startsWith(`${runName(run)}: `))
  return { value: run, text: report(look, runFields(run, look), { tasks, events }) }
}

/** With the tasks of its version, and what happened to the workload in its time. */
async function rolloutReport({ client, name, look }: Asked): Promise<Report> {
  const rollout = byId('rollout', name, await readRollouts(client))
  const { namespace, kind, workload, startedAt, finishedAt } = rollout
  const own = (task: TaskView) => task.workload === workload && task.namespace === namespace && task.kind === kind
  const tasks = (await readTasks(client)).filter((task) => own(task) && task.inputsDigest === rollout.inputsDigest)
  const events = await readEvents(client, { object: `${kind.toLowerCase()}/${namespace}/${workload}` })
  const during = events.filter(({ at }) => at >= startedAt && (finishedAt === null || at <= finishedAt))
  return { value: rollout, text: report(look, rolloutFields(rollout, look), { tasks, events: during }) }
}

/** `APP/NUMBER` or `APP/COMMIT`: of a commit that came twice the newest. */
async function revisionReport({ client, name, look }: Asked): Promise<Report> {
  const [app = '', wanted = ''] = name.split('/')
  if (app === '' || wanted === '')
    throw new CliError(EXIT.usage, `"${name}" names no revision`, 'give revision/APP/NUMBER; `drover history APP` lists them')
  await readApp(client, app)
  const items = await readHistory(client, app)
  const item = found(items.find(({ id }) => String(id) === wanted) ?? items.find(({ revision }) => sameRevision(wanted, revision)), {
    kind: 'revision',
    name,
    known: items.map(({ id }) => `${app}/${id}`),
  })
  return { value: item, text: report(look, revisionFields(app, item, look), {}) }
}
