import { z } from 'zod'
import { SealedValue } from './secret.ts'

/** What a token may be used for: to join as an agent, to join as a server, or to ask the API. */
export const TokenKind = z.enum(['agent', 'server', 'api'])
export type TokenKind = z.infer<typeof TokenKind>

/** What a caller of the API may do; each includes the ones before it. */
export const ROLES = ['viewer', 'deployer', 'operator', 'admin'] as const
export const Role = z.enum(ROLES)
export type Role = z.infer<typeof Role>

/** One root certificate of the cluster, with the key that signs in its name. */
export const AuthorityRecord = z.object({
  /** SHA-256 of the certificate (DER), in hex. */
  id: z.string().regex(/^[0-9a-f]{64}$/),
  /** Certificate, PEM. */
  certificate: z.string(),
  /** The same key certified by the root before it, for those who know only that one; null for the first. PEM. */
  crossSigned: z.string().nullable(),
  /** Private key (PKCS #8, PEM), sealed with the cluster's key. */
  key: SealedValue,
  /** `Active` signs; `Retiring` is still believed. */
  state: z.enum(['Active', 'Retiring']),
  createdAt: z.number(),
  expiresAt: z.number(),
  /** When the next root took its place; null while it is active. */
  retiredAt: z.number().nullable(),
})
export type AuthorityRecord = z.infer<typeof AuthorityRecord>

/** A token as the store has it: enough to know the secret again, and not the secret. */
export const TokenRecord = z.object({
  id: z.string().regex(/^[a-z0-9]{10}$/),
  kind: TokenKind,
  /** Whom or what it is for; the actor in history and events. */
  name: z.string(),
  /** SHA-256 of the secret, in hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Of an api token; null for the others. */
  role: Role.nullable(),
  /** The only ones it may act in; null: all. */
  namespaces: z.array(z.string()).nullable(),
  createdAt: z.number(),
  createdBy: z.string(),
  /** Null: never. */
  expiresAt: z.number().nullable(),
  /** How often it can still be used to join; null: as often as wanted. */
  usesLeft: z.number().int().nonnegative().nullable(),
  /** To within a few minutes; null: never. */
  lastUsedAt: z.number().nullable(),
  revokedAt: z.number().nullable(),
  /** Digests of the latest requests that joined with it: one whose answer was lost may come again, and is the same join. */
  joins: z.array(z.string()).default([]),
})
export type TokenRecord = z.infer<typeof TokenRecord>

export const TokenState = z.enum(['Usable', 'Expired', 'UsedUp', 'Revoked'])
export type TokenState = z.infer<typeof TokenState>
