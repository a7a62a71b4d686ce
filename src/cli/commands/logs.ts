import { LogLine } from '../../model/protocol.ts'
import type { TaskView } from '../../model/views.ts'
import type { Client } from '../client.ts'
import { CliError, EXIT } from '../exit.ts'
import { parseOne } from '../objects.ts'
import { escapeText } from '../output/escape.ts'
import { found, isKind, readRuns, readTasks, readWorkload } from '../read.ts'
import type { Command } from '../session.ts'

export interface LogsOptions {
  readonly namespace: string
  readonly container?: string
  readonly follow?: boolean
  readonly tail?: number
  readonly attempt?: number
  readonly output: 'text' | 'json'
}

/** Output of one task, or of every task of a workload or run, each line then begins with its task. */
export const logs: Command<LogsOptions> = async (session, words, options) => {
  const { deps, printer } = session
  const client = await session.client()
  const tasks = await tasksOf(client, words, options.namespace)
  if (tasks.length === 0) {
    printer.say(`${words.join(' ')} has no task yet`)
    return EXIT.ok
  }
  const print = (task: string, json: string) => printer.out(shown({ task, json, several: tasks.length > 1, format: options.output }))
  const one = async (task: string) => {
    for await (const line of linesOf(await client.stream(logPath(task, options), deps.signal))) print(task, line)
  }
  if (options.follow === true) await Promise.all(tasks.map(one))
  else for (const task of tasks) await one(task)
  return deps.signal.aborted ? EXIT.interrupted : EXIT.ok
}

async function tasksOf(client: Client, words: readonly string[], namespace: string): Promise<string[]> {
  const { kind, name } = await parseOne(words)
  const tasks = await readTasks(client)
  if (kind === 'task')
    return [
      found(
        tasks.find((task) => task.id === name),
        { kind, name, known: tasks.map((task) => task.id) },
      ).id,
    ]
  if (kind === 'run') return runTasks(client, name, tasks)
  if (kind !== 'workload' && kind !== 'deployment' && kind !== 'job') {
    throw new CliError(EXIT.usage, `${kind} has no logs`, 'give task/ID, deployment/NAME, job/NAME or run/ID')
  }
  const view = await readWorkload(client, { kind, name, namespace })
  const own = tasks.filter((task) => task.workload === name && task.namespace === namespace && isKind(task, view.kind.toLowerCase()))
  return bySlot(own.filter((task) => task.agent !== null)).map((task) => task.id)
}

/** Tasks that ran an attempt of it, and those of its job that run the same inputs now. */
async function runTasks(client: Client, name: string, tasks: readonly TaskView[]): Promise<string[]> {
  const runs = await readRuns(client)
  const run = found(
    runs.find((item) => item.id === name),
    { kind: 'run', name, known: runs.map((item) => item.id) },
  )
  const own = tasks.filter(
    (task) =>
      task.workload === run.job && task.namespace === run.namespace && task.kind === 'Job' && task.inputsDigest === run.inputsDigest,
  )
  return [...new Set([...run.attempts.map((attempt) => attempt.task), ...bySlot(own).map((task) => task.id)])]
}

const bySlot = (tasks: readonly TaskView[]): TaskView[] => tasks.toSorted((a, b) => a.slot.localeCompare(b.slot, 'en', { numeric: true }))

function logPath(task: string, { container, attempt, tail, follow }: LogsOptions): string {
  const query = new URLSearchParams()
  if (container !== undefined) query.set('unit', container)
  if (attempt !== undefined) query.set('attempt', String(attempt))
  if (tail !== undefined) query.set('tail', String(tail))
  if (follow === true) query.set('follow', 'true')
  return `/api/v1/tasks/${encodeURIComponent(task)}/logs?${query}`
}

async function* linesOf(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  if (rest !== '') yield rest
}

interface Shown {
  readonly task: string
  readonly json: string
  readonly several: boolean
  readonly format: LogsOptions['output']
}

function shown({ task, json, several, format }: Shown): string {
  const line = LogLine.parse(JSON.parse(json))
  if (format === 'json') return `${JSON.stringify({ task, ...line })}\n`
  return `${several ? `${task} ` : ''}${escapeText(line.text.replace(/\n$/, ''))}\n`
}
