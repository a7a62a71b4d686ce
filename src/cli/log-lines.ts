import { LogLine } from '../model/protocol.ts'
import { ServerRefusal } from './client.ts'
import type { Moment } from './options.ts'
import { escapeText } from './output/escape.ts'
import type { Session } from './session.ts'

export interface LogFlags {
  readonly container?: string
  readonly follow?: boolean
  readonly tail?: number
  readonly since?: Moment
  readonly until?: Moment
  readonly timestamps?: boolean
  readonly attempt?: number
  readonly output: 'text' | 'json'
}

/** One task's lines to be printed. `among`: of how many tasks, as far as is known when a line comes. */
export interface LogPrint {
  readonly task: string
  readonly flags: LogFlags
  readonly among: () => number
}

/** Prints the lines of one task until they end. @throws ServerRefusal for what has none. */
export async function printLogs(session: Session, { task, flags, among }: LogPrint, signal: AbortSignal): Promise<void> {
  const client = await session.client()
  const chunks = await client.stream(pathOf(task, flags, session.deps.clock.now()), signal)
  for await (const json of linesOf(chunks)) {
    const line = LogLine.parse(JSON.parse(json))
    session.printer.out(
      flags.output === 'json' ? `${JSON.stringify({ task, ...line })}\n` : `${among() > 1 ? `${task} ` : ''}${shown(line, flags)}\n`,
    )
  }
}

/** As `printLogs`; of several tasks one may be gone already, and the others are still worth reading. */
export async function printLogsIfThere(session: Session, print: LogPrint, signal: AbortSignal): Promise<void> {
  try {
    await printLogs(session, print, signal)
  } catch (error) {
    if (!(error instanceof ServerRefusal)) throw error
    session.printer.say(escapeText(`task/${print.task}: ${error.message}`))
  }
}

function pathOf(task: string, { container, attempt, tail, since, until, follow }: LogFlags, now: number): string {
  const query = new URLSearchParams()
  if (container !== undefined) query.set('unit', container)
  if (attempt !== undefined) query.set('attempt', String(attempt))
  if (tail !== undefined) query.set('tail', String(tail))
  if (since !== undefined) query.set('since', isoOf(since, now))
  if (until !== undefined) query.set('until', isoOf(until, now))
  if (follow === true) query.set('follow', 'true')
  return `/api/v1/tasks/${encodeURIComponent(task)}/logs?${query}`
}

const isoOf = (moment: Moment, now: number): string => new Date('at' in moment ? moment.at : now - moment.ago).toISOString()

async function* linesOf(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  if (rest !== '') yield rest
}

/** `-` for a line of which nobody knows when it was written. */
function shown({ at, text }: LogLine, { timestamps }: LogFlags): string {
  const time = at === null ? '-' : new Date(at).toISOString()
  return `${timestamps === true ? `${time} ` : ''}${escapeText(text.replace(/\n$/, ''))}`
}
