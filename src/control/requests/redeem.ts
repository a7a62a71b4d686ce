import { randomUUID } from 'node:crypto'
import { digestOf } from '../../lib/canonical.ts'
import type { Logger } from '../../lib/log.ts'
import type { Keyring } from '../../lib/seal.ts'
import type { AgentId, Millis } from '../../model/ids.ts'
import type { TokenKind, TokenRecord } from '../../model/trust.ts'
import type { IssuedCertificate, JoinAgent, ServerJoined } from '../../model/trust-wire.ts'
import { isSecretOf, parseTokenOf, type Token, tokenState } from '../../trust/token.ts'
import { TrustError } from '../../trust/trust-error.ts'
import { forgottenReason } from '../agents/agent-inputs.ts'
import { inTurn } from '../source/source.ts'
import type { ServerTrust } from '../trust/server-trust.ts'
import { RequestError } from './control-plane.ts'
import type { Leading } from './requests.ts'
import { countUse, type Join } from './tokens.ts'

/** Says not which of them it is: whoever has found a token would learn that it was one. */
const REFUSED = 'the token is not accepted: it is unknown, expired, used up or revoked, and the log of the control plane says which'

export interface JoinDeps {
  readonly server: ServerTrust
  readonly keyring: Keyring
  /** The key of the keyring, in hex. */
  readonly clusterKey: string
  readonly now: () => Millis
  readonly log: Logger
}

/**
 * A certificate for a machine that holds a token. The use is counted before the certificate is handed over, and once:
 * a machine that lost the answer asks the same again, with the same key, and is given another for it.
 */
export async function joinAgent(leading: Leading, { token, csr, agent }: JoinAgent, deps: JoinDeps): Promise<IssuedCertificate> {
  const join = { who: `agent ${agent}`, request: digestOf({ agent, csr }) }
  accepted('agent', token, { ...deps, leading, request: join.request })
  refuseForgotten(agent, leading)
  const issued = await issue(agent, csr, deps)
  await spend('agent', token, { ...deps, leading, join })
  deps.log.info({ agent, token: idOf(token) }, 'agent joined')
  return issued
}

/** A newer certificate for a machine that has shown one. @throws RequestError */
export async function renewAgent(
  leading: Leading,
  { agent, csr }: { agent: AgentId; csr: string },
  deps: JoinDeps,
): Promise<IssuedCertificate> {
  refuseForgotten(agent, leading)
  return issue(agent, csr, deps)
}

/** Before a use is counted: no token brings back what a person gave up. @throws RequestError `Conflict` */
function refuseForgotten(agent: AgentId, { term }: Leading): void {
  const forgotten = term.cluster.forgotten.get(agent)
  if (forgotten !== undefined) throw new RequestError('Conflict', forgottenReason(forgotten))
}

/** What a further server needs to open what the store holds. Worth the whole cluster, so it is told once a use, whatever becomes of the answer. */
export async function joinServer(leading: Leading, token: string, deps: JoinDeps): Promise<ServerJoined> {
  await spend('server', token, { ...deps, leading, join: { who: 'a server', request: randomUUID() } })
  deps.log.info({ token: idOf(token) }, 'server joined')
  return { cluster: deps.server.authority.cluster, key: deps.clusterKey }
}

/** @throws RequestError `Invalid` for a request that proves nothing. */
async function issue(agent: AgentId, csr: string, { server, keyring, now }: JoinDeps): Promise<IssuedCertificate> {
  const { authority } = server
  try {
    const certificate = await authority.issueAgent(agent, { csr, now: now() })
    return { certificate, roots: authority.bundle, key: keyring.agentKey(agent).toString('hex') }
  } catch (error) {
    throw error instanceof TrustError ? new RequestError('Invalid', error.message) : error
  }
}

interface Spending extends Omit<Accepting, 'request'> {
  readonly join: Join
}

/** Judged again in the turn: of two that come at the same moment with the last use, one is refused. */
function spend(kind: TokenKind, token: string, { join, ...of }: Spending): Promise<void> {
  return inTurn(of.leading, (turn) => countUse(accepted(kind, token, { ...of, request: join.request }), join, turn))
}

interface Accepting {
  readonly leading: Leading
  readonly now: () => Millis
  readonly log: Logger
  /** Digest of the request, where it may be one that comes again; null: it is no join. */
  readonly request: string | null
}

/** The record of a token that is good now. @throws RequestError `Unauthorized`. */
export function accepted(kind: TokenKind, text: string, { leading, now, log, request }: Accepting): TokenRecord {
  const token = read(kind, text)
  const record = leading.term.cluster.tokens.get(token.id)
  // Compared first, and in the same time for a token that is not there.
  const right = isSecretOf(record, token.secret)
  const state = record === undefined || !right || record.kind !== kind ? 'Unknown' : tokenState(record, now())
  const comesAgain = request !== null && record?.joins.includes(request) === true
  if (record !== undefined && (state === 'Usable' || (state === 'UsedUp' && comesAgain))) return record
  log.warn({ token: token.id, kind, state }, 'token refused')
  throw new RequestError('Unauthorized', REFUSED)
}

function read(kind: TokenKind, text: string): Token {
  try {
    return parseTokenOf(kind, text)
  } catch (error) {
    throw error instanceof TrustError ? new RequestError('Unauthorized', error.message) : error
  }
}

/** The public part; of a token that was accepted. */
const idOf = (text: string): string => text.split('.')[2] ?? ''
