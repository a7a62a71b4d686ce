import { Decrypter, Encrypter } from 'age-encryption'
import { SecretError } from './secret-error.ts'

const MAGIC = 'age-encryption.org/v1\n'

export const isAgeFile = (bytes: Uint8Array): boolean => Buffer.from(bytes.subarray(0, MAGIC.length)).toString('latin1') === MAGIC

/** The bytes as an age file for each of the recipients. @throws SecretError Malformed for one that is none. */
export async function sealAgeFile(bytes: Uint8Array, recipients: readonly string[]): Promise<Uint8Array> {
  const encrypter = new Encrypter()
  for (const [index, recipient] of recipients.entries()) {
    try {
      encrypter.addRecipient(recipient)
    } catch {
      // age's error quotes what may be the secret half of a key.
      throw new SecretError('Malformed', `recipient ${index + 1} is no age recipient: give the public key, which begins with age1`)
    }
  }
  return encrypter.encrypt(bytes)
}

/** @param identities as `loadIdentities` gives them. @throws SecretError NoIdentity, WrongIdentity. */
export async function openAgeFile(bytes: Uint8Array, identities: readonly string[]): Promise<Uint8Array> {
  if (identities.length === 0)
    throw new SecretError('NoIdentity', 'the file is encrypted, and there is no age key here: give --age-key-file')
  const decrypter = new Decrypter()
  for (const identity of identities) decrypter.addIdentity(identity)
  try {
    return await decrypter.decrypt(bytes)
  } catch {
    throw new SecretError('WrongIdentity', 'the file cannot be opened: it is for other age keys than those here, or it is torn')
  }
}
