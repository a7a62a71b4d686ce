import type { AppView, WorkloadView } from '../../model/views.ts'
import type { Client } from '../client.ts'
import { CliError, EXIT } from '../exit.ts'
import { type AppGoal, appVerdict, currentRun, type Goal, runVerdict, takenBack, type Verdict, workloadVerdict } from '../goals.ts'
import { parseOne } from '../objects.ts'
import { isKind, pickWorkload, readApp, readApps, readHistory, readRun, readRuns, sameRevision } from '../read.ts'
import { inNamespace } from '../rollouts.ts'
import type { Command } from '../session.ts'
import { type Judge, until } from '../until.ts'

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
  return until(session, judge, { timeoutMs: options.timeout, object: objectOf(words, options) })
}

/** As `drover why` takes it. */
function objectOf(words: readonly string[], { namespace }: WaitOptions): string {
  const object = words.join('/')
  return object.includes('/') ? `${object}${inNamespace(namespace)}` : object
}

/** @throws CliError 2 when two goals are asked at once. */
function goalOf(options: WaitOptions): Goal | null {
  const goals = (['healthy', 'synced', 'complete'] as const).filter((goal) => options[goal] === true)
  if (goals.length > 1) throw new CliError(EXIT.usage, `wait for one thing: --${goals.join(' or --')}`)
  return goals[0] ?? null
}

async function judgeOf(words: readonly string[], goal: Goal | null, options: WaitOptions): Promise<Judge> {
  const [first = ''] = words
  if (words.length === 1 && !first.includes('/')) return appJudge(first, appGoal(goal, options))
  const { kind, name } = await parseOne(words)
  switch (kind) {
    case 'app':
      return appJudge(name, appGoal(goal, options))
    case 'run':
      return async (client) => ({ verdict: runVerdict(await readRun(client, name)), workloads: [] })
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

/** Waits for an app as a whole. */
export const appJudge =
  (name: string, goal: AppGoal): Judge =>
  async (client) => {
    const app = await readApp(client, name)
    const history = goal.revision === null ? [] : await readHistory(client, name)
    return { verdict: appVerdict(app, history, goal), workloads: app.workloads }
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
      return { verdict: { exit: null, about: `there is no ${kind} "${name}" yet` }, workloads: [] }
    }
    const app = apps.find((item) => item.name === view.app)
    return { verdict: await verdictOf(client, { view, app, revision, goal }), workloads: [view] }
  }
}

interface Found {
  readonly view: WorkloadView
  readonly app: AppView | undefined
  readonly revision: string | null
  readonly goal: Goal | null
}

async function verdictOf(client: Client, { view, app, revision, goal }: Found): Promise<Verdict> {
  const back = takenBack(view, revision)
  if (back !== null) return back
  // What runs the revision is judged by itself: others of it may have been taken back.
  const isThere = (at: string | null | undefined): boolean => revision === null || sameRevision(revision, at ?? null)
  if (app !== undefined && revision !== null && !isThere(view.revision) && !isThere(app.lastAppliedRevision)) {
    return appVerdict(app, await readHistory(client, app.name), { goal: 'synced', revision })
  }
  if (view.kind !== 'Job' || goal === 'healthy') return workloadVerdict(view, revision)
  const run = currentRun(view, await readRuns(client))
  return run === undefined ? { exit: null, about: `job/${view.name} has no run yet` } : runVerdict(run)
}

/** What is not there may come with a revision that is not applied yet; once all is applied, or stuck, it will not. */
function mayCome(apps: readonly AppView[], revision: string | null): boolean {
  if (revision !== null) return !apps.some((app) => sameRevision(revision, app.lastAppliedRevision))
  const stuck = (app: AppView) => app.problems.length > 0 || app.holds.length > 0
  const tried = (app: AppView) => app.lastAttemptedRevision !== null && app.lastAttemptedRevision === app.observedRevision
  return !apps.every((app) => tried(app) && (app.sync === 'Synced' || stuck(app)))
}
