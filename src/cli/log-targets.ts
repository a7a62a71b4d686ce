import type { RunView, TaskView, WorkloadView } from '../model/views.ts'
import type { Client } from './client.ts'
import { CliError, EXIT } from './exit.ts'
import { currentRun } from './goals.ts'
import { isWorkloadKind, parseOne } from './objects.ts'
import { found, isKind, readRun, readRuns, readTasks, readTasksOfRun, readWorkload } from './read.ts'

/** Whose output is asked for. The tasks of a run come and go, so they are looked up again while it lasts. */
export type LogTarget = { readonly type: 'tasks'; readonly tasks: readonly string[] } | { readonly type: 'run'; readonly run: string }

/** @throws CliError 2 for what has no logs, 5 for what is not there. */
export async function logTarget(client: Client, words: readonly string[], namespace: string): Promise<LogTarget> {
  const { kind, name } = await parseOne(words)
  if (kind === 'task') return { type: 'tasks', tasks: [await taskNamed(client, name)] }
  if (kind === 'run') return { type: 'run', run: (await readRun(client, name)).id }
  if (!isWorkloadKind(kind))
    throw new CliError(EXIT.usage, `${kind} has no logs`, 'give task/ID, deployment/NAME, job/NAME, cronjob/NAME or run/ID')
  const view = await readWorkload(client, { kind, name, namespace })
  const run = view.schedule?.lastRun ?? null
  return run === null ? { type: 'tasks', tasks: await tasksOfWorkload(client, view) } : { type: 'run', run }
}

/** A task that is gone may still have its logs: the run that it belonged to knows of it. */
async function taskNamed(client: Client, name: string): Promise<string> {
  const tasks = (await readTasks(client)).map(({ id }) => id)
  if (tasks.includes(name)) return name
  const past = (await readRuns(client)).flatMap((run) => run.attempts.map((attempt) => attempt.task))
  return found(past.includes(name) ? name : undefined, { kind: 'task', name, known: [...tasks, ...past] })
}

/** All of a Deployment; of a Job the newest, also when the Job is done and only its run knows of it. */
async function tasksOfWorkload(client: Client, view: WorkloadView): Promise<string[]> {
  const isOwn = (task: TaskView) =>
    task.workload === view.name && task.namespace === view.namespace && isKind(task, view.kind.toLowerCase())
  const own = (await readTasks(client)).filter((task) => isOwn(task) && task.agent !== null)
  if (view.kind === 'Deployment') return bySlot(own).map(({ id }) => id)
  const [newest] = own.toSorted((a, b) => b.createdAt.localeCompare(a.createdAt))
  if (newest !== undefined) return [newest.id]
  const last = currentRun(view, await readRuns(client))?.attempts.at(-1)
  return last === undefined ? [] : [last.task]
}

const bySlot = (tasks: readonly TaskView[]): TaskView[] => tasks.toSorted((a, b) => a.slot.localeCompare(b.slot, 'en', { numeric: true }))

/** A task of a run, and its attempts that have begun, as far as anybody knows; oldest first. */
export interface RunTask {
  readonly task: string
  readonly attempts: readonly number[]
}

export interface RunLook {
  readonly run: RunView
  readonly tasks: readonly RunTask[]
}

/** The tasks of a run as they are now, and those that it has outlived. */
export async function lookAtRun(client: Client, id: string): Promise<RunLook> {
  const run = await readRun(client, id)
  const present = bySlot(await readTasksOfRun(client, id))
  const ids = new Set([...run.attempts.map(({ task }) => task), ...present.map((task) => task.id)])
  const attemptsOf = (task: string): number[] => {
    const recorded = run.attempts.filter((attempt) => attempt.task === task)
    const now = present.find((one) => one.id === task)
    return [...new Set([...recorded.map(({ attempt }) => attempt), ...begun(now)])].sort((a, b) => a - b)
  }
  return { run, tasks: [...ids].map((task) => ({ task, attempts: attemptsOf(task) })) }
}

const RUNS: ReadonlySet<TaskView['phase']> = new Set<TaskView['phase']>(['Running', 'Stopping'])

function begun(task: TaskView | undefined): number[] {
  if (task === undefined) return []
  const ended = task.attempts.map(({ attempt }) => attempt)
  return RUNS.has(task.phase) && task.attempt > 0 ? [...ended, task.attempt] : ended
}
