import { LogLine } from '../../model/protocol.ts'
import type { TaskView } from '../../model/views.ts'
import { type Client, ServerRefusal } from '../client.ts'
import { CliError, EXIT } from '../exit.ts'
import { currentRun } from '../goals.ts'
import { isWorkloadKind, parseOne } from '../objects.ts'
import { escapeText } from '../output/escape.ts'
import { found, isKind, readRuns, readTasks, readWorkload } from '../read.ts'
import type { Command, Session } from '../session.ts'

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
  const several = tasks.length > 1
  const one = async (task: string, signal: AbortSignal) => {
    const stream = await client
      .stream(logPath(task, options), signal)
      .catch(several ? (error: unknown) => missing(session, task, error) : null)
    for await (const json of linesOf(stream)) printer.out(shown({ task, json, several, format: options.output }))
  }
  if (options.follow === true) await together(tasks, deps.signal, one)
  else for (const task of tasks) await one(task, deps.signal)
  return deps.signal.aborted ? EXIT.interrupted : EXIT.ok
}

/** Of several tasks one may be gone already; the others are still worth reading. */
async function missing({ printer }: Session, task: string, error: unknown): Promise<AsyncIterable<string>> {
  if (!(error instanceof ServerRefusal)) throw error
  printer.say(escapeText(`task/${task}: ${error.message}`))
  return nothing()
}

async function* nothing(): AsyncGenerator<string> {
  yield* []
}

/** All at once; when one fails the others end too. */
async function together(
  tasks: readonly string[],
  signal: AbortSignal,
  one: (task: string, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController()
  const all = AbortSignal.any([signal, failed.signal])
  try {
    await Promise.all(tasks.map((task) => one(task, all)))
  } finally {
    failed.abort()
  }
}

async function tasksOf(client: Client, words: readonly string[], namespace: string): Promise<string[]> {
  const { kind, name } = await parseOne(words)
  const tasks = await readTasks(client)
  if (kind === 'task') return [await taskNamed(client, name, tasks)]
  if (kind === 'run') return runTasks(client, name, tasks)
  if (!isWorkloadKind(kind))
    throw new CliError(EXIT.usage, `${kind} has no logs`, 'give task/ID, deployment/NAME, job/NAME, cronjob/NAME or run/ID')
  const view = await readWorkload(client, { kind, name, namespace })
  if (view.schedule !== null) return view.schedule.lastRun === null ? [] : runTasks(client, view.schedule.lastRun, tasks)
  const own = tasks.filter((task) => task.workload === name && task.namespace === namespace && isKind(task, view.kind.toLowerCase()))
  const run = view.kind === 'Job' && own.length === 0 ? currentRun(view, await readRuns(client)) : undefined
  if (run !== undefined) return runTasks(client, run.id, tasks)
  return bySlot(own.filter((task) => task.agent !== null)).map((task) => task.id)
}

/** A task that is gone may still have its logs: the run that it belonged to knows of it. */
async function taskNamed(client: Client, name: string, tasks: readonly TaskView[]): Promise<string> {
  if (tasks.some((task) => task.id === name)) return name
  const past = (await readRuns(client)).flatMap((run) => run.attempts.map((attempt) => attempt.task))
  return found(past.includes(name) ? name : undefined, { kind: 'task', name, known: [...tasks.map((task) => task.id), ...past] })
}

/** Tasks that ran an attempt of it, and those that run one now. */
async function runTasks(client: Client, name: string, tasks: readonly TaskView[]): Promise<string[]> {
  const runs = await readRuns(client)
  const run = found(
    runs.find((item) => item.id === name),
    { kind: 'run', name, known: runs.map((item) => item.id) },
  )
  const own = tasks.filter((task) => task.run === run.id && task.agent !== null)
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
