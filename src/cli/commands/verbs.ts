import { z } from 'zod'
import { AppView, HistoryView } from '../../model/views.ts'
import type { Client } from '../client.ts'
import type { CliDeps } from '../deps.ts'
import { CliError, EXIT } from '../exit.ts'
import { appVerdict } from '../goals.ts'
import { escapeText } from '../output/escape.ts'
import { readApp, readHistory, shortRevision } from '../read.ts'
import type { Command } from '../session.ts'
import { until } from './wait.ts'

export interface SyncOptions {
  readonly wait?: boolean
  readonly allowDelete?: boolean
  /** Milliseconds. */
  readonly timeout: number
}

/** Printable, as the server asks it to be. */
function actorOf({ env }: CliDeps): string {
  const user = (env.USER ?? env.LOGNAME ?? 'unknown').replace(/[^\x21-\x7e]/g, '').slice(0, 90)
  return `cli:${user === '' ? 'unknown' : user}`
}

const appPath = (app: string, verb: string): string => `/api/v1/apps/${encodeURIComponent(app)}/${verb}`

export const sync: Command<SyncOptions> = async (session, [name = ''], options) => {
  const client = await session.client()
  await readApp(client, name)
  const body = { allowDelete: options.allowDelete === true ? 'Any' : 'WithinBudget', actor: actorOf(session.deps) }
  const app = await client.post(appPath(name, 'sync'), body, AppView)
  const revision = app.lastAttemptedRevision
  if (options.wait === true) {
    const judge = async (at: Client) => appVerdict(await readApp(at, name), await readHistory(at, name), { goal: null, revision })
    return until(session, judge, { timeoutMs: options.timeout, object: name })
  }
  const { printer } = session
  printer.say(`${name} is ${app.sync} at ${shortRevision(app.lastAppliedRevision)}`)
  for (const hold of app.holds) printer.say(escapeText(`held by ${hold.gate}: ${hold.message} (unblock: ${hold.unblockBy})`))
  for (const problem of app.problems) printer.say(escapeText(`${problem.file}:${problem.line}:${problem.column}: ${problem.message}`))
  printer.say(`next: drover wait ${name} --revision ${shortOid(revision)}`)
  return app.problems.length > 0 ? EXIT.usage : EXIT.ok
}

const shortOid = (revision: string | null): string => revision?.split('@sha1:').at(-1)?.slice(0, 12) ?? 'REVISION'

export interface RollbackOptions {
  readonly to: string
  readonly revert?: boolean
  readonly yes?: boolean
}

const RollbackAnswer = z.object({ app: AppView, to: HistoryView, revertCommit: z.string().nullable() })

/** Pins the app to an earlier revision: what it leaves is quarantined, so git does not bring it back. */
export const rollback: Command<RollbackOptions> = async (session, [name = ''], options) => {
  const { deps, printer } = session
  const client = await session.client()
  const app = await readApp(client, name)
  if (options.yes !== true && deps.isTTY.stdin) {
    const from = shortRevision(app.lastAppliedRevision)
    const answer = await deps.ask(
      `roll ${name} back from ${from} to ${escapeText(options.to)}? what changed since then is quarantined. [y/N] `,
    )
    if (!/^y(es)?$/i.test(answer.trim())) throw new CliError(EXIT.error, 'nothing was rolled back')
  }
  const body = { to: options.to, revert: options.revert === true ? 'CommitToGit' : 'No', actor: actorOf(deps) }
  const done = await client.post(appPath(name, 'rollback'), body, RollbackAnswer)
  printer.say(escapeText(`${name} is rolled back to ${shortRevision(done.to.revision)} (${done.to.subject})`))
  printer.say(
    done.revertCommit === null
      ? 'git still holds what was rolled back; a new commit that changes it, or --revert, ends the difference'
      : `a revert was committed to git as ${done.revertCommit.slice(0, 12)}`,
  )
  printer.say(`next: drover wait ${name} --healthy`)
  return EXIT.ok
}
