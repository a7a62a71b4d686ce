import { z } from 'zod'
import { AppView, HistoryView } from '../../model/views.ts'
import { actorOf } from '../actor.ts'
import { CliError, EXIT } from '../exit.ts'
import { escapeText } from '../output/escape.ts'
import { readApp, shortRevision } from '../read.ts'
import type { Command } from '../session.ts'

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
  const done = await client.post(`/api/v1/apps/${encodeURIComponent(name)}/rollback`, body, RollbackAnswer)
  printer.say(escapeText(`${name} is rolled back to ${shortRevision(done.to.revision)} (${done.to.subject})`))
  printer.say(
    done.revertCommit === null
      ? 'git still holds what was rolled back; a new commit that changes it, or --revert, ends the difference'
      : `a revert was committed to git as ${done.revertCommit.slice(0, 12)}`,
  )
  printer.say(`next: drover wait ${name} --healthy`)
  return EXIT.ok
}
