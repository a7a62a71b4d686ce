import { AppView, VersionView } from '../../model/views.ts'
import { actorOf } from '../actor.ts'
import { type Client, ServerRefusal } from '../client.ts'
import { CliError, EXIT } from '../exit.ts'
import { planColors } from '../output/colors.ts'
import { escapeLines, escapeText } from '../output/escape.ts'
import { ageOf } from '../output/time.ts'
import { type PlanFile, readPlanFile } from '../plan-file.ts'
import { readApp, shortRevision } from '../read.ts'
import type { Command, Session } from '../session.ts'
import { until } from '../until.ts'
import { appJudge } from './wait.ts'

export interface SyncOptions {
  readonly wait?: boolean
  readonly allowDelete?: boolean
  /** File that `drover plan --out` wrote. */
  readonly plan?: string
  readonly retry?: boolean
  /** Milliseconds. */
  readonly timeout: number
}

/** Looks at git now and applies what it says, or exactly what a plan said. */
export const sync: Command<SyncOptions> = async (session, [name = ''], options) => {
  if (options.plan !== undefined && options.retry === true)
    throw new CliError(EXIT.usage, 'give --plan or --retry, not both', 'a plan was made with what is held, which --retry lifts')
  const client = await session.client()
  await readApp(client, name)
  const plan = options.plan === undefined ? null : await planFor(session, { client, app: name, path: options.plan })
  const body = {
    allowDelete: options.allowDelete === true ? 'Any' : 'WithinBudget',
    plan: plan === null ? null : { revision: plan.revision, fingerprint: plan.fingerprint },
    retry: options.retry === true ? 'Quarantined' : 'No',
    actor: actorOf(session.deps),
  }
  const path = `/api/v1/apps/${encodeURIComponent(name)}/sync`
  const app = await client.post(path, body, AppView).catch((error: unknown) => {
    throw plan === null ? error : movedOn(error)
  })
  const revision = plan?.revision ?? app.lastAttemptedRevision
  if (options.wait === true) return until(session, appJudge(name, { goal: null, revision }), { timeoutMs: options.timeout, object: name })
  return told(session, app, revision)
}

function told({ printer }: Session, app: AppView, revision: string | null): number {
  printer.say(`${app.name} is ${app.sync} at ${shortRevision(app.lastAppliedRevision)}`)
  for (const hold of app.holds) printer.say(escapeText(`held by ${hold.gate}: ${hold.message} (unblock: ${hold.unblockBy})`))
  for (const problem of app.problems) printer.say(escapeText(`${problem.file}:${problem.line}:${problem.column}: ${problem.message}`))
  printer.say(escapeText(`next: drover wait ${app.name} --revision ${shortOid(revision)}`))
  return app.problems.length > 0 ? EXIT.usage : EXIT.ok
}

const shortOid = (revision: string | null): string => revision?.split('@sha1:').at(-1)?.slice(0, 12) ?? 'REVISION'

interface PlanAsked {
  readonly client: Client
  readonly app: string
  readonly path: string
}

/** Reads a plan, checks that it is for this app of this cluster, and prints what it will do. @throws CliError 2. */
async function planFor({ deps, printer }: Session, { client, app, path }: PlanAsked): Promise<PlanFile> {
  const plan = await readPlanFile(deps, path)
  if (plan.app !== app) throw new CliError(EXIT.usage, `${path} is a plan for app "${plan.app}", not for "${app}"`)
  const { cluster } = await client.get('/api/v1/version', VersionView)
  if (plan.cluster !== cluster)
    throw new CliError(EXIT.usage, `${path} is a plan for cluster ${plan.cluster}, and ${client.url} is ${cluster}`)
  printer.say(escapeText(`applying the plan of ${ageOf(plan.createdAt, deps.clock.now())} ago, at ${shortRevision(plan.revision)}:`))
  printer.say(planColors(printer.asideColors, escapeLines(plan.text.trimEnd())))
  return plan
}

/** The server says what has moved since the plan was made; what to do about it is always the same. */
function movedOn(error: unknown): unknown {
  if (!(error instanceof ServerRefusal) || error.code !== 'Conflict') return error
  return new CliError(error.exitCode, error.message, '`drover plan --out FILE` makes a new plan; look at it and sync again')
}
