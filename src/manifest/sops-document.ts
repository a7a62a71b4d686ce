import type { Secret } from '../model/manifest.ts'
import type { SopsDocument, SopsLeaf } from '../model/secret.ts'
import type { Located } from './issues.ts'
import { broken } from './rule.ts'

/** What SOPS puts in the place of a value. */
const CIPHERTEXT = /^ENC\[AES256_GCM,data:[^,\]]*,iv:[^,\]]+,tag:[^,\]]+,type:\w+\]$/

const isMap = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Every value below, as SOPS walks them: in order, lists without positions, nothing without a value. */
function leavesOf(value: unknown, path: readonly string[]): SopsLeaf[] {
  if (Array.isArray(value)) return value.flatMap((item) => leavesOf(item, path))
  if (isMap(value)) return Object.entries(value).flatMap(([key, item]) => leavesOf(item, [...path, key]))
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? [{ path, value }] : []
}

/** The document as it was written, for whoever has the key: its seal covers every value and their order. */
export function sopsDocumentOf(secret: Secret, written: unknown): SopsDocument | null {
  if (secret.sops === undefined || !isMap(written)) return null
  const { sops: _metadata, ...values } = written
  return { leaves: leavesOf(values, []), sops: secret.sops }
}

const ENCRYPT_IT =
  'encrypt the file: `drover secret encrypt FILE --recipient age1... --in-place`, and take the plain value for known to all'

/** Git keeps what was ever pushed: no value may be there in plain, be it a forgotten one among others. */
export function secretRules(secret: Secret): Located[] {
  const plain = (['data', 'stringData'] as const).flatMap((field) =>
    Object.entries(secret[field])
      .filter(([, value]) => value !== '' && !CIPHERTEXT.test(value))
      .map(([key]) => broken([field, key], 'is not encrypted', ENCRYPT_IT)),
  )
  const twice = Object.keys(secret.data).filter((key) => Object.hasOwn(secret.stringData, key))
  const doubled = twice.map((key) => broken(['data', key], 'is in stringData too', 'keep one of them'))
  if (secret.sops !== undefined) return [...plain, ...doubled]
  return plain.length > 0 ? [...plain, ...doubled] : [broken([], 'a Secret needs its `sops` section', ENCRYPT_IT), ...doubled]
}
