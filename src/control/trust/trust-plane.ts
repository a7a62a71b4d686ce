import type { X509Certificate } from 'node:crypto'
import type { AgentId, Millis } from '../../model/ids.ts'
import type { Role, TokenKind } from '../../model/trust.ts'
import type { AuthorityView, CreatedToken, IssuedCertificate, JoinAgent, ServerJoined, TokenView } from '../../model/trust-wire.ts'

/** Who asks the API, by its token. */
export interface Caller {
  readonly token: string
  /** Goes into history and events. */
  readonly name: string
  readonly role: Role
  /** The only ones it may act in; null: all. */
  readonly namespaces: readonly string[] | null
}

/** Of an agent, by its certificate. */
export interface Peer {
  readonly agent: AgentId
  /** When its certificate ends. */
  readonly expiresAt: Millis
}

export interface NewTokenRequest {
  readonly kind: TokenKind
  /** Null: named after what it is for. */
  readonly name: string | null
  /** Of an api token, and only of one. */
  readonly role: Role | null
  readonly namespaces: readonly string[] | null
  /** Null: the default of the kind. */
  readonly ttlSeconds: number | null
  /** How many may join with it; null: one. An api token has no count. */
  readonly uses: number | null
  readonly actor: string
}

/** An object that belongs to namespaces, by its id. */
export interface ScopedObject {
  readonly kind: 'app' | 'task' | 'run'
  readonly id: string
}

/** Who may what in a cluster. @throws RequestError, `Unauthorized` with nothing that would help a guesser. */
export interface TrustPlane {
  /** Of this server: answered also where another leads. PEM. */
  roots(): string
  /** Likewise. */
  peer(certificate: X509Certificate): Peer
  /** Who the holder of an api token is. */
  authenticate(token: string): Caller
  /** Calls back once the token is no longer good; returns how to stop that. */
  onEnd(caller: Caller, ended: () => void): () => void
  /** Namespaces that an object has to do with; none when it is not there. */
  namespacesOf(object: ScopedObject): readonly string[]
  joinAgent(request: JoinAgent): Promise<IssuedCertificate>
  joinServer(token: string): Promise<ServerJoined>
  renewAgent(agent: AgentId, csr: string): Promise<IssuedCertificate>
  createToken(request: NewTokenRequest): Promise<CreatedToken>
  /** Newest first. */
  tokens(): TokenView[]
  revokeToken(id: string, actor: string): Promise<TokenView>
  authorities(): AuthorityView[]
  /** A new root that signs from now on; the one before it is believed until `finishRotation`. */
  rotate(actor: string): Promise<AuthorityView[]>
  /** Drops the old root. `Anyway`: although certificates that it signed are still good. */
  finishRotation(request: { readonly drop: 'WhenUnused' | 'Anyway'; readonly actor: string }): Promise<AuthorityView[]>
}
