import type { SopsDocument, SopsLeaf, SopsMetadata } from '../model/secret.ts'
import { decryptText, looksEncrypted, placeOf } from './cipher.ts'
import { recoverDataKey } from './data-key.ts'
import { type EncryptionRule, encryptionRule } from './encryption-rule.ts'
import { type Counted, macOf } from './mac.ts'
import { countedOf, readTyped, textOf, utf8Of } from './scalar.ts'
import { SecretError } from './secret-error.ts'

/** A value in plain, and the keys that lead to it. */
export interface PlainLeaf {
  readonly path: readonly string[]
  readonly value: string
}

interface OpenedLeaf extends PlainLeaf, Counted {}

interface Opening {
  readonly key: Buffer
  readonly rule: EncryptionRule
}

/**
 * Every value of a document in plain, in order, after its seal has been checked. SOPS does not seal names: an empty
 * value more or less, and another name for a value that is not encrypted, cannot be found out.
 * @throws SecretError
 */
export async function openSops(document: SopsDocument, identities: readonly string[]): Promise<readonly PlainLeaf[]> {
  const rule = encryptionRule(document.sops)
  const key = await recoverDataKey(document.sops, identities)
  const opened = document.leaves.map((leaf) => openLeaf(leaf, { key, rule }))
  assertSealed(opened, document.sops, key)
  return opened.map(({ path, value }) => ({ path, value }))
}

function openLeaf(leaf: SopsLeaf, { key, rule }: Opening): OpenedLeaf {
  const { path, value } = leaf
  const expected = rule(path)
  const encrypted = expected === 'unknown' ? looksEncrypted(value) : expected === 'encrypted'
  // SOPS leaves an empty text as it is, wherever it stands.
  if (encrypted && value !== '') return decryptLeaf(leaf, key)
  return { path, encrypted, counted: countedOf(value), value: textOf(value) }
}

/** @throws SecretError Tampered, or Malformed for bytes. */
function decryptLeaf({ path, value }: SopsLeaf, key: Buffer): OpenedLeaf {
  if (!looksEncrypted(value)) throw new SecretError('Tampered', `${nameOf(path)} is not encrypted, but must be: ${MEND}`)
  const opened = decryptText(value, { key, aad: placeOf(path) })
  if (opened === null) throw new SecretError('Tampered', `${nameOf(path)} is not what was encrypted there: ${MEND}`)
  const text = utf8Of(opened.bytes)
  if (text === null) throw new SecretError('Malformed', `${nameOf(path)} is no text in UTF-8: write bytes as base64 below \`data\``)
  const typed = readTyped(opened.type, text)
  if (typed === null) throw new SecretError('Tampered', `${nameOf(path)} is not of the type that it names, ${opened.type}: ${MEND}`)
  return { path, encrypted: true, counted: typed.counted, value: typed.text }
}

/** @throws SecretError Tampered. */
function assertSealed(leaves: readonly Counted[], sops: SopsMetadata, key: Buffer): void {
  const mac = decryptText(sops.mac, { key, aad: sops.lastmodified })
  if (mac === null) throw new SecretError('Tampered', `its seal (sops.mac, sops.lastmodified) has been changed: ${MEND}`)
  if (mac.bytes.toString('utf8') === macOf(leaves, sops.mac_only_encrypted === true ? 'encrypted' : 'all')) return
  const why = 'one was added, removed, moved or changed after that, or the file had several documents then'
  throw new SecretError('Tampered', `its values are not those that were sealed (sops.mac): ${why}; ${MEND}`)
}

const MEND = 'take the file back from git, or encrypt it again'

/** Keys may be shown, values never. */
const nameOf = (path: readonly string[]): string => path.join('.').slice(0, 200)
