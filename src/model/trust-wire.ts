import { z } from 'zod'
import { AgentId } from './ids.ts'
import { Role, TokenKind, TokenState } from './trust.ts'

/** What servers, agents and people send one another to be trusted. Certificates, requests and bundles are PEM. */

const TokenText = z.string().min(1).max(512)
/** A request for a P-256 key takes some 500 characters. */
const Csr = z.string().min(1).max(8_192)

/** `POST /trust/v1/agents`. */
export const JoinAgent = z.strictObject({ token: TokenText, csr: Csr, agent: AgentId })
export type JoinAgent = z.infer<typeof JoinAgent>

/** `POST /trust/v1/servers`. */
export const JoinServer = z.strictObject({ token: TokenText })

/** Answer to it: the cluster's id, and the key that opens what its store has sealed, in hex. */
export const ServerJoined = z.object({ cluster: z.string(), key: z.string().regex(/^[0-9a-f]{64}$/) })
export type ServerJoined = z.infer<typeof ServerJoined>

/** `POST /agent/v1/certificate`, over mTLS. */
export const RenewAgent = z.strictObject({ csr: Csr })

/** Answer to a join and to a renewal; `key`, in hex, opens the secret values of that agent's assignments. */
export const IssuedCertificate = z.object({ certificate: z.string(), roots: z.string(), key: z.string().regex(/^[0-9a-f]{64}$/) })
export type IssuedCertificate = z.infer<typeof IssuedCertificate>

/** `GET /api/v1/tokens`; never the secret. */
export const TokenView = z.object({
  id: z.string(),
  kind: TokenKind,
  name: z.string(),
  role: Role.nullable(),
  namespaces: z.array(z.string()).nullable(),
  state: TokenState,
  createdAt: z.string(),
  createdBy: z.string(),
  expiresAt: z.string().nullable(),
  usesLeft: z.number().int().nullable(),
  lastUsedAt: z.string().nullable(),
})
export type TokenView = z.infer<typeof TokenView>

/** `POST /api/v1/tokens`: the only time the text is told. */
export const CreatedToken = z.object({ token: TokenView, text: z.string() })
export type CreatedToken = z.infer<typeof CreatedToken>

/** `GET /api/v1/authorities`. */
export const AuthorityView = z.object({
  id: z.string(),
  state: z.enum(['Active', 'Retiring']),
  /** What tokens name it by: base64url SHA-256 of its public key. */
  pin: z.string(),
  createdAt: z.string(),
  expiresAt: z.string(),
  /** When the next root took its place. */
  retiredAt: z.string().nullable(),
  /** From when on nobody can need it any more: certificates that it signed have ended. */
  droppableAt: z.string().nullable(),
})
export type AuthorityView = z.infer<typeof AuthorityView>
