import { CliError, EXIT } from '../exit.ts'
import { type LogFlags, printLogs, printLogsIfThere } from '../log-lines.ts'
import { type LogTarget, logTarget, lookAtRun, type RunTask } from '../log-targets.ts'
import type { Command, Session } from '../session.ts'
import { Together } from '../together.ts'
import { changes } from '../watch.ts'

export interface LogsOptions extends LogFlags {
  readonly namespace: string
}

/** Output of one task, or of several, each line then begins with its task. */
export const logs: Command<LogsOptions> = async (session, words, options) => {
  if (options.follow === true && options.until !== undefined)
    throw new CliError(EXIT.usage, '--until ends what --follow goes on with', 'leave one of them out')
  const { deps, printer } = session
  const target = await logTarget(await session.client(), words, options.namespace)
  const tasks = await printTarget(session, target, options)
  if (tasks === 0) printer.say(`${words.join(' ')} has no task yet`)
  return deps.signal.aborted ? EXIT.interrupted : EXIT.ok
}

/** With how many tasks there were. */
async function printTarget(session: Session, target: LogTarget, flags: LogFlags): Promise<number> {
  if (target.type === 'tasks') return printTasks(session, target.tasks, flags)
  const { run, tasks } = await lookAtRun(await session.client(), target.run)
  if (tasks.length === 0 && run.finishedAt !== null)
    throw new CliError(
      EXIT.notFound,
      `run/${run.id} left no logs that are still kept`,
      `\`drover describe run/${run.id}\` tells how it ended`,
    )
  if (flags.follow === true && run.finishedAt === null) return followRun(session, { id: run.id, tasks }, flags)
  return printTasks(
    session,
    tasks.map(({ task }) => task),
    flags,
  )
}

async function printTasks(session: Session, tasks: readonly string[], flags: LogFlags): Promise<number> {
  const { signal } = session.deps
  const print = tasks.length > 1 ? printLogsIfThere : printLogs
  const one = (task: string, until: AbortSignal) => print(session, { task, flags, among: () => tasks.length }, until)
  if (flags.follow !== true) {
    for (const task of tasks) await one(task, signal)
    return tasks.length
  }
  const group = new Together(signal)
  for (const task of tasks) group.add((until) => one(task, until))
  await group.ended()
  return tasks.length
}

interface RunSeen {
  readonly id: string
  readonly tasks: readonly RunTask[]
}

/** Each task's newest attempt, or the one that is asked for, and then every task and attempt as it begins, until the run has ended. */
async function followRun(session: Session, { id, tasks }: RunSeen, flags: LogFlags): Promise<number> {
  const { clock, signal } = session.deps
  const client = await session.client()
  const group = new Together(signal)
  const newest = new Map<string, number>()
  const open = ({ task, attempts }: RunTask, asked: LogFlags): void => {
    for (const attempt of attempts.filter((one) => one === (flags.attempt ?? one)))
      group.add((until) => printLogsIfThere(session, { task, flags: { ...asked, attempt }, among: () => newest.size }, until))
  }
  for (const { task, attempts } of tasks) {
    const last = attempts.at(-1)
    if (last === undefined) continue
    newest.set(task, last)
    open({ task, attempts: [Math.min(flags.attempt ?? last, last)] }, flags)
  }
  // Of what begins from now on every line is new.
  const { tail: _, ...whole } = flags
  for await (const _ of changes({ client, clock, signal: group.signal, whenLost: 'End' })) {
    const look = await lookAtRun(client, id)
    for (const { task, attempts } of look.tasks) {
      const begun = attempts.filter((attempt) => attempt > (newest.get(task) ?? 0))
      if (begun.length > 0) newest.set(task, Math.max(...begun))
      open({ task, attempts: begun }, whole)
    }
    if (look.run.finishedAt === null) continue
    await group.ended()
    return newest.size
  }
  // A server that stops ends the logs as if they had come to their end.
  if (!signal.aborted) group.fail(new CliError(EXIT.error, `the connection ended before run/${id} did`, 'follow it again, with --since'))
  await group.ended()
  return newest.size
}
