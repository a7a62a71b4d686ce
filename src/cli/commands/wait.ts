import type { AppView } from '../../model/views.ts'
import type { Client } from '../client.ts'
import { Unreachable } from '../client.ts'
import { CliError, EXIT } from '../exit.ts'
import { type AppGoal, appVerdict, currentRun, type Goal, runVerdict, type Verdict, workloadVerdict } from '../goals.ts'
import { parseOne } from '../objects.ts'
import { escapeText } from '../output/escape.ts'
import { found, isKind, pickWorkload, readApp, readApps, readHistory, readRuns, sameRevision } from '../read.ts'
import type { Command, Session } from '../session.ts'
import { changes } from '../watch.ts'

export interface WaitOptions {
  readonly namespace: string
  readonly healthy?: boolean
  readonly synced?: boolean
  readonly complete?: boolean
  readonly revision?: string
  /** Milliseconds. */
  readonly timeout: number
}

export const wait: Command<WaitOptions> = async (session, words, options) => {
  const goal = goalOf(options)
  const judge = await judgeOf(words, goal, options)
  return until(session, judge, { timeoutMs: options.timeout, object: words.join('/') })
}

/** @throws CliError 2 when two goals are asked at once. */
function goalOf(options: WaitOptions): Goal | null {
  const goals = (['healthy', 'synced', 'complete'] as const).filter((goal) => options[goal] === true)
  if (goals.length > 1) throw new CliError(EXIT.usage, `wait for one thing: --${goals.join(' or --')}`)
  return goals[0] ?? null
}

/** Reads the present state and judges it. @throws CliError 5 for what is not there and will not come. */
type Judge = (client: Client) => Promise<Verdict>

async function judgeOf(words: readonly string[], goal: Goal | null, options: WaitOptions): Promise<Judge> {
  const [first = ''] = words
  if (words.length === 1 && !first.includes('/')) return appJudge(first, appGoal(goal, options))
  const { kind, name } = await parseOne(words)
  switch (kind) {
    case 'app':
      return appJudge(name, appGoal(goal, options))
    case 'run':
      return async (client) => {
        const runs = await readRuns(client)
        return runVerdict(
          found(
            runs.find((run) => run.id === name),
            { kind, name, known: runs.map((run) => run.id) },
          ),
        )
      }
    case 'deployment':
    case 'job':
    case 'workload':
      return workloadJudge({ kind, name, goal }, options)
    default:
      throw new CliError(EXIT.usage, `cannot wait for ${kind}/${name}`, 'wait for APP, deployment/NAME, job/NAME or run/ID')
  }
}

function appGoal(goal: Goal | null, options: WaitOptions): AppGoal {
  if (goal === 'complete')
    throw new CliError(EXIT.usage, 'an app never completes', 'wait for --healthy or --synced, or for job/NAME --complete')
  return { goal, revision: options.revision ?? null }
}

const appJudge =
  (name: string, goal: AppGoal): Judge =>
  async (client) => {
    const app = await readApp(client, name)
    const history = goal.revision === null ? [] : await readHistory(client, name)
    return appVerdict(app, history, goal)
  }

interface WorkloadAsked {
  readonly kind: string
  readonly name: string
  readonly goal: Goal | null
}

function workloadJudge({ kind, name, goal }: WorkloadAsked, { namespace, revision: given }: WaitOptions): Judge {
  const revision = given ?? null
  if (goal === 'synced') throw new CliError(EXIT.usage, 'an app is synced, not a workload', 'wait for APP --synced')
  return async (client) => {
    // One read for both: a workload that comes between two reads would look as if it never came.
    const apps = await readApps(client)
    const views = apps.flatMap((app) => app.workloads)
    const view = views.find((item) => isKind(item, kind) && item.name === name && item.namespace === namespace)
    if (view === undefined) {
      if (!mayCome(apps, revision)) pickWorkload(views, { kind, name, namespace })
      return { exit: null, about: `there is no ${kind} "${name}" yet` }
    }
    const app = apps.find((item) => item.name === view.app)
    if (app !== undefined && revision !== null && !sameRevision(revision, app.lastAppliedRevision)) {
      return appVerdict(app, await readHistory(client, app.name), { goal: 'synced', revision })
    }
    if (view.kind !== 'Job' || goal === 'healthy') return workloadVerdict(view, revision)
    const run = currentRun(view, await readRuns(client))
    return run === undefined ? { exit: null, about: `job/${name} has no run yet` } : runVerdict(run)
  }
}

/** What is not there may come with a revision that is not applied yet; once all is applied, or stuck, it will not. */
function mayCome(apps: readonly AppView[], revision: string | null): boolean {
  if (revision !== null) return !apps.some((app) => sameRevision(revision, app.lastAppliedRevision))
  const stuck = (app: AppView) => app.problems.length > 0 || app.holds.length > 0
  const tried = (app: AppView) => app.lastAttemptedRevision !== null && app.lastAttemptedRevision === app.observedRevision
  return !apps.every((app) => tried(app) && (app.sync === 'Synced' || stuck(app)))
}

const TIMED_OUT = new Error('timed out')

export interface Patience {
  readonly timeoutMs: number
  /** What is waited for, as `drover why` takes it; a bare name is an app. */
  readonly object: string
}

/** Judges now and after every change, until it is over or `timeoutMs` have passed. */
export async function until(session: Session, judge: Judge, { timeoutMs, object }: Patience): Promise<number> {
  const { deps, printer } = session
  const client = await session.client()
  const ended = new AbortController()
  const deadline = deps.clock.sleep(timeoutMs, ended.signal).then(
    () => ended.abort(TIMED_OUT),
    () => undefined,
  )
  const signal = AbortSignal.any([deps.signal, ended.signal])
  let last: Verdict = { exit: null, about: 'nothing is known yet' }
  try {
    for await (const _ of changes({ client, clock: deps.clock, signal })) {
      last = await judged(judge, client, last)
      if (last.exit !== null) break
    }
  } finally {
    ended.abort()
    await deadline
  }
  if (last.exit === null && deps.signal.aborted) return EXIT.interrupted
  if (last.exit === null) {
    const hint = `\`drover why ${object.includes('/') ? object : `app/${object}`}\` tells what it waits for`
    throw new CliError(EXIT.timeout, `timed out after ${timeoutMs / 1000}s: ${last.about}`, hint)
  }
  printer.say(escapeText(last.about))
  return last.exit
}

/** A server that goes away between two changes is no verdict: the watch connects again and then it is asked again. */
async function judged(judge: Judge, client: Client, last: Verdict): Promise<Verdict> {
  try {
    return await judge(client)
  } catch (error) {
    if (error instanceof Unreachable) return last
    throw error
  }
}
