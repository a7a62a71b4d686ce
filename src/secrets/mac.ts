import { createHash } from 'node:crypto'

/** A value for the seal: in plain, and whether it is an encrypted one. */
export interface Counted {
  readonly counted: string
  readonly encrypted: boolean
}

/** Which values a seal is over: `mac_only_encrypted` of a file. */
export type Scope = 'all' | 'encrypted'

/** SHA-256 of `sops`, so that a seal over some values never is one over all. */
const ONLY_ENCRYPTED = Buffer.from('8a3fd2ad54ce66527b1034f3d147be0b0b975b3bf44f72c6fdadec8176f27d69', 'hex')

/** What SOPS calls the MAC, before it is encrypted: the values alone, one after the other, without anything between. */
export function macOf(values: readonly Counted[], scope: Scope): string {
  const hash = createHash('sha512')
  if (scope === 'encrypted') hash.update(ONLY_ENCRYPTED)
  for (const { counted, encrypted } of values) if (scope === 'all' || encrypted) hash.update(counted)
  return hash.digest('hex').toUpperCase()
}
