import { must } from '../../lib/must.ts'
import type { Millis } from '../../model/ids.ts'
import type { TokenKind, TokenRecord } from '../../model/trust.ts'
import type { CreatedToken, TokenView } from '../../model/trust-wire.ts'
import { newToken, secretHash, type Token, tokenState, tokenText } from '../../trust/token.ts'
import type { LeadingTerm } from '../leader/lead.ts'
import type { TurnContext } from '../leader/term.ts'
import { inTurn } from '../source/source.ts'
import type { NewTokenRequest } from '../trust/trust-plane.ts'
import { RequestError } from './control-plane.ts'
import { iso, isoOrNull } from './times.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** kubeadm's 24 hours for what joins machines; a quarter of a year for what people and scripts use. */
const LIFE: Readonly<Record<TokenKind, Millis>> = { agent: DAY, server: DAY, api: 90 * DAY }
/** Tokens that are of no more use are shown for so long, and then forgotten. */
const REMEMBERED = 30 * DAY
const TOKENS_MAX = 1_000

/** A token, which is told this once; the store keeps its hash. @throws RequestError `Invalid`, `Conflict` when there are too many. */
export async function createToken(leading: LeadingTerm, request: NewTokenRequest, of: { id: string; pin: string }): Promise<CreatedToken> {
  assertMeaning(request)
  const token = newToken({ kind: request.kind, ...of })
  await inTurn(leading, (turn) => recordToken(token, request, turn))
  const { cluster, now } = leading.term
  return { token: tokenView(must(cluster.tokens.get(token.id), 'the token was recorded'), now()), text: tokenText(token) }
}

function assertMeaning({ kind, role, namespaces, uses }: NewTokenRequest): void {
  if (kind === 'api' && role === null) throw new RequestError('Invalid', 'a token for the API needs a role')
  if (kind === 'api' && uses !== null) throw new RequestError('Invalid', 'uses are counted of tokens that join agents or servers')
  if (kind !== 'api' && (role !== null || namespaces !== null))
    throw new RequestError('Invalid', `a token that joins ${kind}s has no role and no namespaces`)
  if (namespaces !== null && role !== null && !NAMESPACED.has(role))
    throw new RequestError(
      'Invalid',
      `what ${role} may do beyond deployer is not in any namespace: leave out the namespaces, or choose deployer`,
    )
}

/** Machines, tokens and roots belong to no namespace. */
const NAMESPACED: ReadonlySet<string> = new Set(['viewer', 'deployer'])

/** Writes what is to be known of a token. */
export function recordToken(token: Token, request: NewTokenRequest, { term, draft, now }: TurnContext): void {
  const { tokens } = term.cluster
  const old = [...tokens.values()].filter((record) => isOld(record, now))
  if (tokens.size - old.length >= TOKENS_MAX)
    throw new RequestError('Conflict', `there are ${TOKENS_MAX} tokens: revoke some; they are forgotten after 30 days`)
  for (const { id } of old) draft.write({ table: 'tokens', id, value: null })
  const { kind, role, ttlSeconds, actor } = request
  const record: TokenRecord = {
    id: token.id,
    kind,
    name: request.name ?? (kind === 'api' ? `${role}-${token.id}` : `${kind}s`),
    sha256: secretHash(token.secret),
    role,
    namespaces: request.namespaces === null ? null : [...request.namespaces],
    createdAt: now,
    createdBy: actor,
    expiresAt: now + (ttlSeconds === null ? LIFE[kind] : ttlSeconds * 1000),
    usesLeft: kind === 'api' ? null : (request.uses ?? 1),
    lastUsedAt: null,
    revokedAt: null,
    joins: [],
  }
  draft.write({ table: 'tokens', id: record.id, value: record })
  tell({ draft, now }, record, { reason: 'TokenCreated', message: `${purpose(record)} created`, actor })
}

function isOld(record: TokenRecord, now: Millis): boolean {
  const ended = record.revokedAt ?? record.expiresAt ?? now
  return tokenState(record, now) !== 'Usable' && now - ended > REMEMBERED
}

const purpose = ({ kind, name, role, namespaces }: TokenRecord): string =>
  kind === 'api'
    ? `${role} token "${name}"${namespaces === null ? '' : ` for ${namespaces.join(', ')}`}`
    : `token "${name}" for joining ${kind}s`

/** Good for nothing from this turn on; said again it changes nothing. @throws RequestError `NotFound`. */
export async function revokeToken(leading: LeadingTerm, id: string, actor: string): Promise<TokenView> {
  await inTurn(leading, ({ term, draft, now }) => {
    const record = term.cluster.tokens.get(id)
    if (record === undefined) throw new RequestError('NotFound', `no token ${id}; drover token list names them`)
    if (record.revokedAt !== null) return
    draft.write({ table: 'tokens', id, value: { ...record, revokedAt: now } })
    tell({ draft, now }, record, { reason: 'TokenRevoked', message: `${purpose(record)} revoked`, actor })
  })
  const { cluster, now } = leading.term
  return tokenView(must(cluster.tokens.get(id), 'a revoked token is kept'), now())
}

/** Requests remembered of a token. One comes again within seconds or not at all. */
const JOINS_KEPT = 20

/** Who came with a token: for people, and as the digest of the request. */
export interface Join {
  readonly who: string
  readonly request: string
}

/** One more that joined with it; the same request again counts as nothing new. */
export function countUse(record: TokenRecord, { who, request }: Join, { draft, now }: Pick<TurnContext, 'draft' | 'now'>): void {
  if (record.joins.includes(request)) return
  const usesLeft = record.usesLeft === null ? null : record.usesLeft - 1
  const joins = [...record.joins, request].slice(-JOINS_KEPT)
  draft.write({ table: 'tokens', id: record.id, value: { ...record, usesLeft, joins, lastUsedAt: now } })
  const left = usesLeft === null ? '' : `, ${usesLeft} left`
  tell({ draft, now }, record, { reason: 'TokenUsed', message: `${who} joined${left}`, actor: record.name })
}

function tell(
  { draft, now }: Pick<TurnContext, 'draft' | 'now'>,
  { id }: TokenRecord,
  event: { reason: string; message: string; actor: string },
): void {
  draft.event({ object: `token/${id}`, app: null, level: 'Normal', ...event }, now)
}

export function tokenView(record: TokenRecord, now: Millis): TokenView {
  const { id, kind, name, role, namespaces, createdBy, usesLeft } = record
  return {
    id,
    kind,
    name,
    role,
    namespaces,
    state: tokenState(record, now),
    createdAt: iso(record.createdAt),
    createdBy,
    expiresAt: isoOrNull(record.expiresAt),
    usesLeft,
    lastUsedAt: isoOrNull(record.lastUsedAt),
  }
}
