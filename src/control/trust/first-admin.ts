import type { TokenRecord } from '../../model/trust.ts'
import { newToken, tokenState, tokenText } from '../../trust/token.ts'
import type { LeadingTerm } from '../leader/lead.ts'
import { recordToken } from '../requests/tokens.ts'
import { inTurn } from '../source/source.ts'

const YEAR_SECONDS = 365 * 86_400

/**
 * Somebody must be able to make the first token. Whoever begins to lead a cluster in which no admin token is good writes
 * one to a place that only the machine's owner reads, which is also the way back in when the last was lost or has expired.
 * It is kept before it is good: a crash in between leaves a text that opens nothing, and not a token that nobody has.
 */
export async function ensureAdmin(
  leading: LeadingTerm,
  { id, pin, keep }: { id: string; pin: string; keep: (text: string) => Promise<void> },
): Promise<void> {
  const { cluster, now } = leading.term
  const isAdmin = (record: TokenRecord): boolean => record.role === 'admin' && tokenState(record, now()) === 'Usable'
  if ([...cluster.tokens.values()].some(isAdmin)) return
  const token = newToken({ kind: 'api', id, pin })
  await keep(tokenText(token))
  const request = { kind: 'api', name: 'first-admin', role: 'admin', namespaces: null, ttlSeconds: YEAR_SECONDS, uses: null } as const
  await inTurn(leading, (turn) => recordToken(token, { ...request, actor: 'drover' }, turn))
}
