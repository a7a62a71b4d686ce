import type { SopsMetadata } from '../model/secret.ts'
import { type NameTest, namePattern } from './name-pattern.ts'
import { SecretError } from './secret-error.ts'

/** Whether the value at a path is an encrypted one; `unknown` when that has to be told from the value itself. */
export type EncryptionRule = (path: readonly string[]) => 'encrypted' | 'plain' | 'unknown'

/** What a file says about its values when it says nothing. */
const DEFAULT_SUFFIX = '_unencrypted'

interface Kind {
  readonly field: string
  readonly test: (text: string) => NameTest | null
  /** What a path is when the test holds for one of its names. */
  readonly match: 'encrypted' | 'plain'
}

const suffix =
  (text: string): NameTest =>
  (name) =>
    name.endsWith(text)

const KINDS: readonly Kind[] = [
  { field: 'unencrypted_suffix', test: suffix, match: 'plain' },
  { field: 'encrypted_suffix', test: suffix, match: 'encrypted' },
  { field: 'unencrypted_regex', test: namePattern, match: 'plain' },
  { field: 'encrypted_regex', test: namePattern, match: 'encrypted' },
  // Comments are not among the leaves, so these can be told only from the values.
  { field: 'unencrypted_comment_regex', test: () => null, match: 'plain' },
  { field: 'encrypted_comment_regex', test: () => null, match: 'encrypted' },
]

/**
 * The rule by which SOPS chose what to encrypt. It is not protected, but must hold: a plain value in the place of an
 * encrypted one was put there by somebody else.
 * @throws SecretError Malformed for several rules, and for one that cannot be read but has to be.
 */
export function encryptionRule(sops: SopsMetadata): EncryptionRule {
  const given = KINDS.filter(({ field }) => typeof sops[field] === 'string' && sops[field] !== '')
  if (given.length > 1)
    throw new SecretError('Malformed', `the sops section has both ${given.map(({ field }) => field).join(' and ')}: keep one`)
  const [kind] = given
  if (kind === undefined) return ruleOf(suffix(DEFAULT_SUFFIX), 'plain')
  const test = kind.test(String(sops[kind.field]))
  if (test !== null) return ruleOf(test, kind.match)
  // Then the seal leaves out plain values, so a wrong guess here would let one through unseen.
  if (sops.mac_only_encrypted === true)
    throw new SecretError('Malformed', `this ${kind.field} cannot be used together with mac_only_encrypted: use ^(data|stringData)$`)
  return () => 'unknown'
}

const ruleOf =
  (test: NameTest, match: 'encrypted' | 'plain'): EncryptionRule =>
  (path) =>
    path.some(test) === (match === 'encrypted') ? 'encrypted' : 'plain'
