import { randomBytes } from 'node:crypto'
import { armor, Decrypter, Encrypter } from 'age-encryption'
import type { SopsMetadata } from '../model/secret.ts'
import { KEY_BYTES } from './cipher.ts'
import { SecretError } from './secret-error.ts'

/** The data key, encrypted for a recipient, in age's armour. */
type WrappedKey = { readonly recipient: string; readonly enc: string }

/**
 * Each try to open a key takes a millisecond, so a file must not hold thousands. A key for one recipient is one stanza
 * (a line `-> ...`; age may add one without meaning) of 500 characters, for a post-quantum recipient of 2700.
 */
const MAX_ENC_LENGTH = 8192
const MAX_STANZAS = 3
const MAX_RECIPIENTS = 100

/** What age says when none of the identities is meant; its other errors mean that the text is broken. */
const NO_MATCH = "no identity matched any of the file's recipients"

export const newDataKey = (): Buffer => randomBytes(KEY_BYTES)

/** @throws SecretError NoIdentity without recipients, Malformed for one that is none. */
export async function wrapDataKey(key: Buffer, recipients: readonly string[]): Promise<WrappedKey[]> {
  const unique = [...new Set(recipients)]
  if (unique.length === 0) throw new SecretError('NoIdentity', 'there is no recipient to encrypt for: name an age recipient (age1...)')
  return Promise.all(
    unique.map(async (recipient, index) => {
      const encrypter = encrypterFor(recipient, index + 1)
      return { recipient, enc: armor.encode(await encrypter.encrypt(key)) }
    }),
  )
}

function encrypterFor(recipient: string, position: number): Encrypter {
  const encrypter = new Encrypter()
  try {
    encrypter.addRecipient(recipient)
    return encrypter
  } catch {
    // Neither the text nor age's error, which quotes it, may be shown: people mix up the two halves of a key.
    const mixedUp = recipient.toUpperCase().startsWith('AGE-SECRET-KEY')
    const why = mixedUp ? 'is an identity, which is secret' : 'is no age recipient'
    throw new SecretError('Malformed', `recipient ${position} ${why}: give the public key, which begins with age1`)
  }
}

/**
 * The key of all values of a file, by any of the identities.
 * @throws SecretError NotAge, NoIdentity, WrongIdentity, Malformed, Tampered.
 */
export async function recoverDataKey({ age = [] }: SopsMetadata, identities: readonly string[]): Promise<Buffer> {
  if (age.length === 0)
    throw new SecretError('NotAge', 'it is not encrypted for an age recipient: add one with `sops rotate --add-age age1...`')
  if (age.length > MAX_RECIPIENTS) throw new SecretError('Malformed', `sops.age has more than ${MAX_RECIPIENTS} recipients`)
  if (identities.length === 0) throw new SecretError('NoIdentity', `there is no age identity to open it with; it is for ${namesOf(age)}`)
  const decrypter = decrypterFor(identities)
  const damaged: WrappedKey[] = []
  for (const wrapped of age) {
    const outcome = await unwrap(wrapped.enc, decrypter)
    if (outcome === 'damaged') damaged.push(wrapped)
    else if (outcome !== 'not meant') return checkedKey(outcome)
  }
  if (damaged.length > 0) throw new SecretError('Tampered', `the data key for ${namesOf(damaged)} has been changed: ${AGAIN}`)
  throw new SecretError('WrongIdentity', `none of the ${identities.length} age identities opens it: it is for ${namesOf(age)}`)
}

const AGAIN = 'take the file back from git, or encrypt it again'

/** Recipients are public. */
const namesOf = (keys: readonly { readonly recipient: string }[]): string =>
  keys
    .slice(0, 5)
    .map(({ recipient }) => recipient.slice(0, 70))
    .join(', ')

function decrypterFor(identities: readonly string[]): Decrypter {
  const decrypter = new Decrypter()
  for (const [index, identity] of identities.entries()) {
    try {
      decrypter.addIdentity(identity)
    } catch {
      // age's error may quote the identity.
      throw new SecretError('Malformed', `age identity ${index + 1} cannot be read: it must be AGE-SECRET-KEY-1... without a typing error`)
    }
  }
  return decrypter
}

async function unwrap(enc: string, decrypter: Decrypter): Promise<Uint8Array | 'not meant' | 'damaged'> {
  if (enc.length > MAX_ENC_LENGTH) return 'damaged'
  try {
    const file = armor.decode(enc)
    return stanzasIn(file) > MAX_STANZAS ? 'damaged' : await decrypter.decrypt(file)
  } catch (error) {
    return error instanceof Error && error.message === NO_MATCH ? 'not meant' : 'damaged'
  }
}

const stanzasIn = (file: Uint8Array): number => Buffer.from(file).toString('latin1').match(/^-> /gm)?.length ?? 0

function checkedKey(key: Uint8Array): Buffer {
  if (key.length === KEY_BYTES) return Buffer.from(key)
  throw new SecretError(
    'Malformed',
    'its data key has another length: it was split among key groups, or SOPS did not write it; use one key group',
  )
}
