import type { X509Certificate } from 'node:crypto'
import { AgentId } from '../model/ids.ts'
import { TrustError } from './trust-error.ts'

export const agentUri = (cluster: string, agent: AgentId): string => `drover://${cluster}/agent/${agent}`
export const serverUri = (cluster: string): string => `drover://${cluster}/server`

/** RFC 5280 §4.2.1.12 id-kp-clientAuth. */
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
/** The whole extension: a second name in it would be somebody else's. */
const AGENT_NAME = /^URI:drover:\/\/([A-Za-z0-9-]+)\/agent\/([a-z0-9-]+)$/

export interface AgentIdentity {
  readonly agent: AgentId
  /** When its certificate ends, milliseconds since 1970. */
  readonly expiresAt: number
}

export interface Judging {
  readonly cluster: string
  readonly roots: readonly X509Certificate[]
  /** Milliseconds since 1970. */
  readonly now: number
}

/** Whose certificate it is; that the caller holds its key is for TLS to prove. @throws TrustError `NotTrusted` with what is wrong. */
export function agentOf(certificate: X509Certificate, { cluster, roots, now }: Judging): AgentIdentity {
  if (!roots.some((root) => now < endOf(root) && certificate.checkIssued(root) && certificate.verify(root.publicKey)))
    throw new TrustError('NotTrusted', 'the certificate was not issued by this cluster: join with a token of it')
  if (now >= endOf(certificate)) throw new TrustError('NotTrusted', 'the certificate has expired: join again with a new token')
  if (now < Date.parse(certificate.validFrom))
    throw new TrustError('NotTrusted', 'the certificate is not valid yet: compare the clocks of this machine and the servers')
  const [, of, name] = AGENT_NAME.exec(certificate.subjectAltName ?? '') ?? []
  const agent = AgentId.safeParse(name)
  if (of !== cluster || !agent.success || !certificate.keyUsage?.includes(CLIENT_AUTH))
    throw new TrustError('NotTrusted', 'the certificate is not that of an agent of this cluster')
  return { agent: agent.data, expiresAt: endOf(certificate) }
}

/** When a certificate ends, milliseconds since 1970. */
export const endOf = (certificate: X509Certificate): number => Date.parse(certificate.validTo)

/** Whose certificate it claims to be; null for any that is no agent's. Nothing is proved by that. */
export function claimOf({ subjectAltName }: X509Certificate): { readonly cluster: string; readonly agent: AgentId } | null {
  const [, cluster, name] = AGENT_NAME.exec(subjectAltName ?? '') ?? []
  const agent = AgentId.safeParse(name)
  return cluster === undefined || !agent.success ? null : { cluster, agent: agent.data }
}
