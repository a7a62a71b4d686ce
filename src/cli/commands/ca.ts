import { z } from 'zod'
import { AuthorityView } from '../../model/trust-wire.ts'
import { actorOf } from '../actor.ts'
import { CliError, EXIT } from '../exit.ts'
import type { Format, Listing } from '../output/print.ts'
import { ageOf, span } from '../output/time.ts'
import type { Command, Session } from '../session.ts'

const Roots = z.object({ items: z.array(AuthorityView) })

export const status: Command<{ output: Format }> = async (session, _, { output }) => {
  const client = await session.client()
  await show(session, output, (await client.get('/api/v1/authorities', Roots)).items)
  return EXIT.ok
}

export interface RotateOptions {
  readonly finish?: true
  readonly force?: true
  readonly output: Format
}

/** First a new root beside the old, then, with --finish, the new one alone. */
export const rotate: Command<RotateOptions> = async (session, _, { finish, force, output }) => {
  if (force === true && finish !== true) throw new CliError(EXIT.usage, '--force has no meaning without --finish', 'give both')
  const client = await session.client()
  const actor = actorOf(session.deps)
  const { items } =
    finish === true
      ? await client.post('/api/v1/authorities/finish', { drop: force === true ? 'Anyway' : 'WhenUnused', actor }, Roots)
      : await client.post('/api/v1/authorities/rotate', { actor }, Roots)
  await show(session, output, items)
  if (finish !== true)
    session.printer.say('both roots are trusted; agents take the new one by themselves, within a day. Then: drover ca rotate --finish')
  return EXIT.ok
}

const show = ({ printer, deps }: Session, output: Format, roots: readonly AuthorityView[]): Promise<void> =>
  printer.list(output, roots, listing(deps.clock.now()))

const listing = (now: number): Listing<AuthorityView> => ({
  name: ({ id }) => `authority/${id}`,
  columns: [
    { header: 'ROOT', value: ({ id }) => id.slice(0, 12) },
    { header: 'STATE', value: ({ state }) => state },
    { header: 'AGE', value: ({ createdAt }) => ageOf(createdAt, now) },
    { header: 'EXPIRES IN', value: ({ expiresAt }) => span(Math.max(0, Date.parse(expiresAt) - now)) },
    { header: 'NEEDED FOR', value: ({ droppableAt }) => (droppableAt === null ? '' : span(Math.max(0, Date.parse(droppableAt) - now))) },
    { header: 'PIN', value: ({ pin }) => pin, wide: true },
  ],
})
