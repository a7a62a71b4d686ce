import { RunView, type WorkloadView } from '../../model/views.ts'
import { actorOf } from '../actor.ts'
import type { Client } from '../client.ts'
import { CliError, EXIT } from '../exit.ts'
import { runVerdict } from '../goals.ts'
import { parseOne } from '../objects.ts'
import { escapeText } from '../output/escape.ts'
import { readRun, readWorkload, workloadName } from '../read.ts'
import { runName } from '../runs.ts'
import type { Command, Session } from '../session.ts'
import { type Judge, until } from '../until.ts'

export interface RunOptions {
  readonly namespace: string
  readonly output: 'text' | 'json' | 'name'
  readonly wait?: boolean
  /** Milliseconds. */
  readonly timeout: number
}

/** A run of a Job or a CronJob now, or a run again; with `--wait` it ends as `wait run/ID` does. */
export const run: Command<RunOptions> = async (session, words, options) => {
  const client = await session.client()
  const made = await begun(session, client, { words, namespace: options.namespace })
  if (options.output !== 'json') session.printer.out(`${runName(made)}\n`)
  const exit = options.wait === true ? await followed(session, made, options.timeout) : told(session, made, options)
  if (options.output === 'json') await session.printer.value('json', options.wait === true ? await readRun(client, made.id) : made)
  return exit
}

interface Asked {
  readonly words: readonly string[]
  readonly namespace: string
}

/** Names are looked up first: a wrong one is answered with the right one. */
async function begun(session: Session, client: Client, { words, namespace }: Asked): Promise<RunView> {
  const { kind, name } = await parseOne(words)
  const body = { actor: actorOf(session.deps) }
  if (kind === 'run') {
    const { id } = await readRun(client, name)
    return client.post(`/api/v1/runs/${encodeURIComponent(id)}/rerun`, body, RunView)
  }
  if (kind !== 'job' && kind !== 'cronjob' && kind !== 'workload')
    throw new CliError(EXIT.usage, `cannot run ${kind}/${name}`, 'give job/NAME, cronjob/NAME or run/ID')
  const view = await readWorkload(client, { kind, name, namespace })
  const path = [view.namespace, view.kind, view.name].map(encodeURIComponent).join('/')
  const made = await client.post(`/api/v1/workloads/${path}/run`, body, RunView)
  saySuspended(session, view)
  return made
}

function saySuspended({ printer }: Session, view: WorkloadView): void {
  if (view.schedule?.suspend === true)
    printer.say(escapeText(`${workloadName(view)} is suspended: this run was asked for, but no slot starts another`))
}

function followed(session: Session, { id }: RunView, timeoutMs: number): Promise<number> {
  const judge: Judge = async (client) => ({ verdict: runVerdict(await readRun(client, id)), workloads: [] })
  return until(session, judge, { timeoutMs, object: `run/${id}` })
}

/** What to type next, for people. */
function told({ printer }: Session, made: RunView, { output }: RunOptions): number {
  if (output !== 'text') return EXIT.ok
  if (made.phase === 'Pending') printer.say(escapeText(`it waits: \`drover why ${runName(made)}\` tells what for`))
  printer.say(escapeText(`next: drover wait ${runName(made)}`))
  return EXIT.ok
}
