import type { SopsDocument, SopsLeaf } from '../../src/model/secret.ts'
import { encryptText, placeOf } from '../../src/secrets/cipher.ts'
import { recoverDataKey } from '../../src/secrets/data-key.ts'
import { type AgeKey, newIdentity } from '../../src/secrets/identities.ts'
import { macOf } from '../../src/secrets/mac.ts'
import { SecretError, type SecretErrorCode } from '../../src/secrets/secret-error.ts'
import { encryptLeaves } from '../../src/secrets/sops-writer.ts'

export const NOW = Date.UTC(2026, 10, 20, 8, 30, 15, 123)
export const REGEX = '^(data|stringData)$'

export const ANN: AgeKey = await newIdentity()
export const BOB: AgeKey = await newIdentity()

/** A Secret's leaves: the values below stringData, and what stands before and after them. */
export const leavesWith = (values: Readonly<Record<string, string>>): SopsLeaf[] => [
  { path: ['apiVersion'], value: 'drover.dev/v1' },
  { path: ['kind'], value: 'Secret' },
  { path: ['metadata', 'name'], value: 'db' },
  ...Object.entries(values).map(([key, value]) => ({ path: ['stringData', key], value })),
]

export const encrypted = (leaves: readonly SopsLeaf[], ...keys: readonly AgeKey[]): Promise<SopsDocument> =>
  encryptLeaves({ leaves, encryptedRegex: REGEX, recipients: keys.map(({ recipient }) => recipient), now: NOW })

/** The error a call ends with. */
export async function failureOf(call: Promise<unknown>): Promise<SecretError> {
  const outcome = await call.then(
    () => 'nothing was wrong',
    (error: unknown) => error,
  )
  if (outcome instanceof SecretError) return outcome
  throw new Error('it did not end with a SecretError', { cause: outcome })
}

export const codeOf = async (call: Promise<unknown>): Promise<SecretErrorCode> => (await failureOf(call)).code

/** All of an error that a log may show. */
export const shownOf = (error: Error): string => [error.name, error.message, error.stack, String(error.cause)].join('\n')

/** What SOPS itself would have written with other settings: values are sealed again with the document's own key. */
export async function rewritten(document: SopsDocument, change: Rewrite): Promise<SopsDocument> {
  const key = await recoverDataKey(document.sops, [ANN.identity])
  const sops = { ...document.sops, ...change.sops }
  const mac = macOf(change.counted, sops.mac_only_encrypted === true ? 'encrypted' : 'all')
  return { leaves: change.leaves(key), sops: { ...sops, mac: encryptText(mac, { key, aad: sops.lastmodified }) } }
}

interface Rewrite {
  readonly sops: Readonly<Record<string, unknown>>
  readonly leaves: (key: Buffer) => SopsLeaf[]
  readonly counted: Parameters<typeof macOf>[0]
}

/** A value of another type than text, as SOPS encrypts it. */
export const typedLeaf = (path: readonly string[], text: string, { key, type }: { key: Buffer; type: string }): SopsLeaf => ({
  path,
  value: encryptText(text, { key, aad: placeOf(path) }).replace(/type:str\]$/, `type:${type}]`),
})
