import type { WorkloadView } from '../model/views.ts'
import { type Client, isAway } from './client.ts'
import type { CliClock } from './deps.ts'
import { CliError, EXIT } from './exit.ts'
import type { Verdict } from './goals.ts'
import { escapeText } from './output/escape.ts'
import { type Progress, progressOn } from './progress-writer.ts'
import type { Session } from './session.ts'
import { changes } from './watch.ts'

interface Judgement {
  readonly verdict: Verdict
  /** Whose progress is shown meanwhile. */
  readonly workloads: readonly WorkloadView[]
}

/** Reads the present state and judges it. @throws CliError 5 for what is not there and will not come. */
export type Judge = (client: Client) => Promise<Judgement>

export interface Patience {
  readonly timeoutMs: number
  /** What is waited for, as `drover why` takes it; a bare name is an app. */
  readonly object: string
}

const TIMED_OUT = new Error('timed out')
const TICK_MS = 1_000

/** Judges now and after every change, until it is over or `timeoutMs` have passed; shows how it comes along. */
export async function until(session: Session, judge: Judge, patience: Patience): Promise<number> {
  const { deps, printer } = session
  const client = await session.client()
  const progress = progressOn(deps, printer.asideColors)
  const ended = new AbortController()
  const deadline = deps.clock.sleep(patience.timeoutMs, ended.signal).then(
    () => ended.abort(TIMED_OUT),
    () => undefined,
  )
  const signal = AbortSignal.any([deps.signal, ended.signal])
  const ticking = ticks(progress, deps.clock, signal)
  let last: Judgement = { verdict: { exit: null, about: 'nothing is known yet' }, workloads: [] }
  try {
    for await (const _ of changes({ client, clock: deps.clock, signal })) {
      last = await judged(judge, client, last)
      if (last.verdict.exit !== null) break
      progress.show(last.workloads)
    }
  } finally {
    ended.abort()
    await Promise.all([deadline, ticking])
    progress.end(last.workloads)
  }
  return exitOf(session, last.verdict, patience)
}

function exitOf({ deps, printer }: Session, { exit, about }: Verdict, { timeoutMs, object }: Patience): number {
  if (exit === null && deps.signal.aborted) return EXIT.interrupted
  if (exit === null) {
    const hint = `\`drover why ${object.includes('/') ? object : `app/${object}`}\` tells what it waits for`
    throw new CliError(EXIT.timeout, `timed out after ${timeoutMs / 1000}s: ${about}`, hint)
  }
  printer.say(escapeText(about))
  return exit
}

/** A server that goes away between two changes, or is to be led by another, is no verdict: the watch connects again and then it is asked again. */
async function judged(judge: Judge, client: Client, last: Judgement): Promise<Judgement> {
  try {
    return await judge(client)
  } catch (error) {
    if (isAway(error)) return last
    throw error
  }
}

/** Time goes on in what is shown, though nothing changes. */
async function ticks(progress: Progress, clock: CliClock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(TICK_MS, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
    if (!signal.aborted) progress.tick()
  }
}
