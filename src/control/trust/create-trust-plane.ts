import type { X509Certificate } from 'node:crypto'
import { messageOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { must } from '../../lib/must.ts'
import type { Keyring } from '../../lib/seal.ts'
import { type Millis, parseWorkloadKey, type RunId, type TaskId } from '../../model/ids.ts'
import type { TokenRecord } from '../../model/trust.ts'
import { agentOf } from '../../trust/identity.ts'
import { tokenState } from '../../trust/token.ts'
import { TrustError } from '../../trust/trust-error.ts'
import { authorityViews, finishRotation, rotate } from '../requests/authorities.ts'
import { RequestError } from '../requests/control-plane.ts'
import { accepted, type JoinDeps, joinAgent, joinServer, renewAgent } from '../requests/redeem.ts'
import { inTerm, type Leading } from '../requests/requests.ts'
import { createToken, revokeToken, tokenView } from '../requests/tokens.ts'
import { inTurn } from '../source/source.ts'
import type { ServerTrust } from './server-trust.ts'
import type { Caller, Peer, ScopedObject, TrustPlane } from './trust-plane.ts'

export interface TrustPlaneDeps {
  readonly server: ServerTrust
  readonly keyring: Keyring
  /** The key of the keyring, in hex: what a further server joins with. */
  readonly clusterKey: string
  readonly now: () => Millis
  readonly log: Logger
  readonly newId: () => string
  /** @throws RequestError `Unavailable` when this process does not lead. */
  readonly leading: () => Leading
}

/** Tokens and certificates of a cluster, answered from the leader's memory or done in its next turn. */
export function createTrustPlane(deps: TrustPlaneDeps): TrustPlane {
  const { server, leading, now, newId } = deps
  const joining: JoinDeps = deps
  return {
    roots: () => server.authority.bundle,
    peer: (certificate) => peerOf(certificate, server, now()),
    authenticate: (token) => authenticate(token, deps),
    onEnd: (caller, ended) => onEnd(caller, leading(), ended),
    namespacesOf: (object) => namespacesOf(object, leading()),
    joinAgent: (request) => inTerm(deps, (led) => joinAgent(led, request, joining)),
    joinServer: (token) => inTerm(deps, (led) => joinServer(led, token, joining)),
    renewAgent: (agent, csr) => inTerm(deps, (led) => renewAgent(led, { agent, csr }, joining)),
    createToken: (request) => inTerm(deps, (led) => createToken(led, request, { id: newId(), pin: server.authority.pin })),
    tokens: () => tokensOf(leading()),
    revokeToken: (id, actor) => inTerm(deps, (led) => revokeToken(led, id, actor)),
    authorities: () => authorityViews(leading()),
    rotate: (actor) => inTerm(deps, (led) => rotate(led, { ...deps, actor })),
    finishRotation: (request) => inTerm(deps, (led) => finishRotation(led, request)),
  }
}

function peerOf(certificate: X509Certificate, { authority }: ServerTrust, now: Millis): Peer {
  try {
    return agentOf(certificate, { cluster: authority.cluster, roots: authority.roots, now })
  } catch (error) {
    throw error instanceof TrustError ? new RequestError('Unauthorized', error.message) : error
  }
}

function authenticate(text: string, deps: TrustPlaneDeps): Caller {
  const led = deps.leading()
  const record = accepted('api', text, { ...deps, leading: led, request: null })
  noteUse(record, led, deps)
  return { token: record.id, name: record.name, role: must(record.role, 'an api token has a role'), namespaces: record.namespaces }
}

/** Every request of a busy client is no write: it is enough to see which tokens nobody uses. */
const NOTE_EVERY_MS = 300_000

function noteUse({ id, lastUsedAt }: TokenRecord, led: Leading, { now, log }: TrustPlaneDeps): void {
  if (lastUsedAt !== null && now() - lastUsedAt < NOTE_EVERY_MS) return
  inTurn(led, ({ term, draft, now: at }) => {
    const record = term.cluster.tokens.get(id)
    if (record !== undefined && (record.lastUsedAt ?? 0) < at - NOTE_EVERY_MS)
      draft.write({ table: 'tokens', id, value: { ...record, lastUsedAt: at } })
  }).catch((error: unknown) => log.debug({ token: id, error: messageOf(error) }, 'use of a token not noted'))
}

/** Looked at after every turn that wrote something, so a revoked token ends what it opened at once. */
function onEnd({ token }: Caller, { term }: Leading, ended: () => void): () => void {
  const look = (): void => {
    const record = term.cluster.tokens.get(token)
    if (record === undefined || tokenState(record, term.now()) !== 'Usable') ended()
  }
  term.listeners.add(look)
  look()
  return () => term.listeners.delete(look)
}

const tokensOf = ({ term }: Leading) =>
  [...term.cluster.tokens.values()].toSorted((a, b) => b.createdAt - a.createdAt).map((record) => tokenView(record, term.now()))

function namespacesOf({ kind, id }: ScopedObject, { term: { cluster } }: Leading): readonly string[] {
  const workloads = {
    app: () => cluster.workloadsOfApp(id).map(({ key }) => key),
    task: () => [cluster.tasks.get(id as TaskId)?.workload],
    run: () => [cluster.runs.get(id as RunId)?.workload],
  }
  return [...new Set(workloads[kind]().flatMap((key) => (key === undefined ? [] : [parseWorkloadKey(key).namespace])))]
}
