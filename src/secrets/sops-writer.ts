import type { SopsDocument, SopsLeaf } from '../model/secret.ts'
import { encryptText, placeOf } from './cipher.ts'
import { newDataKey, wrapDataKey } from './data-key.ts'
import { encryptionRule } from './encryption-rule.ts'
import { macOf } from './mac.ts'
import { rfc3339 } from './rfc3339.ts'
import { countedOf } from './scalar.ts'
import { SecretError } from './secret-error.ts'

/** The version of SOPS whose files these are like. */
const VERSION = '3.9.0'
/** Half of a surrogate pair has no form in UTF-8: it would come back as another character. */
const UNUSABLE = /\p{Cs}/u

export interface EncryptRequest {
  /** Every value of the document, in order. */
  readonly leaves: readonly SopsLeaf[]
  /** Which values to encrypt: those with a matching name in their path. They must be text. */
  readonly encryptedRegex: string
  readonly recipients: readonly string[]
  /** Milliseconds since 1970. */
  readonly now: number
}

/**
 * The document with the chosen values encrypted by a new key, which each recipient can recover, and sealed.
 * @throws SecretError NoIdentity without recipients, Malformed for what cannot be encrypted.
 */
export async function encryptLeaves({ leaves, encryptedRegex, recipients, now }: EncryptRequest): Promise<SopsDocument> {
  const key = newDataKey()
  const age = await wrapDataKey(key, recipients)
  const lastmodified = rfc3339(now)
  const unsealed = { age, lastmodified, mac: '', encrypted_regex: encryptedRegex, version: VERSION }
  const rule = encryptionRule(unsealed)
  const counted = leaves.map(({ path, value }) => ({ counted: countedOf(value), encrypted: rule(path) === 'encrypted' }))
  return {
    leaves: leaves.map((leaf) => (rule(leaf.path) === 'encrypted' ? encryptLeaf(leaf, key) : leaf)),
    sops: { ...unsealed, mac: encryptText(macOf(counted, 'all'), { key, aad: lastmodified }) },
  }
}

function encryptLeaf({ path, value }: SopsLeaf, key: Buffer): SopsLeaf {
  if (typeof value !== 'string') throw new SecretError('Malformed', `${path.join('.')} is no text: write it in quotes`)
  if (UNUSABLE.test(value)) throw new SecretError('Malformed', `${path.join('.')} holds half of a character: remove it`)
  return { path, value: value === '' ? '' : encryptText(value, { key, aad: placeOf(path) }) }
}
