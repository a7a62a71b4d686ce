import { z } from 'zod'
import { CreatedToken, TokenView } from '../../model/trust-wire.ts'
import { actorOf } from '../actor.ts'
import { CliError, EXIT } from '../exit.ts'
import { escapeText } from '../output/escape.ts'
import type { Format, Listing } from '../output/print.ts'
import { ageOf, span } from '../output/time.ts'
import type { Command } from '../session.ts'

export interface CreateOptions {
  readonly agent?: true
  readonly controlPlane?: true
  readonly role?: string
  readonly namespace: readonly string[]
  readonly name?: string
  /** Milliseconds. */
  readonly ttl?: number
  readonly uses?: number
  readonly output: 'text' | 'json'
}

/** Data is the token alone, so that it can go straight into a file. */
export const create: Command<CreateOptions> = async (session, _, options) => {
  const { deps, printer } = session
  const client = await session.client()
  const body = { ...asked(options), actor: actorOf(deps) }
  const created = await client.post('/api/v1/tokens', body, CreatedToken)
  if (options.output === 'json') await printer.value('json', created)
  else printer.out(`${created.text}\n`)
  printer.say(escapeText(`${purpose(created.token)}; ${lifeOf(created.token, deps.clock.now())}. It is shown this once`))
  return EXIT.ok
}

function asked({ agent, controlPlane, role, namespace, name, ttl, uses }: CreateOptions): object {
  const kinds = [agent && 'agent', controlPlane && 'server', role !== undefined && 'api'].filter((kind) => typeof kind === 'string')
  const [kind] = kinds
  if (kind === undefined || kinds.length > 1)
    throw new CliError(EXIT.usage, 'say what it is for: one of --agent, --control-plane, --role ROLE')
  return {
    kind,
    name: name ?? null,
    role: role ?? null,
    namespaces: namespace.length === 0 ? null : namespace,
    ttlSeconds: ttl === undefined ? null : Math.ceil(ttl / 1000),
    uses: uses ?? null,
  }
}

const purpose = ({ id, kind, role, namespaces }: TokenView): string =>
  kind === 'api'
    ? `token ${id} for a ${role}${namespaces === null ? '' : ` of ${namespaces.join(', ')}`}`
    : `token ${id} for joining ${kind}s`

function lifeOf({ expiresAt, usesLeft }: TokenView, now: number): string {
  const life = expiresAt === null ? 'it does not expire' : `good for ${span(Date.parse(expiresAt) - now)}`
  return usesLeft === null ? life : `${life} and ${usesLeft} ${usesLeft === 1 ? 'use' : 'uses'}`
}

export const list: Command<{ output: Format }> = async (session, _, { output }) => {
  const client = await session.client()
  const { items } = await client.get('/api/v1/tokens', z.object({ items: z.array(TokenView) }))
  await session.printer.list(output, items, listing(session.deps.clock.now()))
  return EXIT.ok
}

const listing = (now: number): Listing<TokenView> => ({
  name: ({ id }) => `token/${id}`,
  columns: [
    { header: 'ID', value: ({ id }) => id },
    { header: 'NAME', value: ({ name }) => name },
    { header: 'FOR', value: ({ kind, role }) => role ?? `joining ${kind}s` },
    { header: 'NAMESPACES', value: ({ namespaces }) => namespaces?.join(',') ?? '' },
    { header: 'STATE', value: ({ state }) => state },
    { header: 'USES LEFT', value: ({ usesLeft }) => (usesLeft === null ? '' : String(usesLeft)) },
    { header: 'EXPIRES IN', value: ({ expiresAt }) => (expiresAt === null ? 'never' : span(Math.max(0, Date.parse(expiresAt) - now))) },
    { header: 'LAST USED', value: ({ lastUsedAt }) => (lastUsedAt === null ? 'never' : ageOf(lastUsedAt, now)) },
    { header: 'CREATED BY', value: ({ createdBy }) => createdBy, wide: true },
  ],
})

export const revoke: Command<object> = async (session, [id = '']) => {
  const { deps, printer } = session
  const client = await session.client()
  const view = await client.post(`/api/v1/tokens/${encodeURIComponent(id)}/revoke`, { actor: actorOf(deps) }, TokenView)
  printer.say(escapeText(`${purpose(view)} is revoked`))
  return EXIT.ok
}
