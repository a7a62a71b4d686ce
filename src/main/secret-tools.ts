import type { SecretTools } from '../cli/deps.ts'
import { CliError, EXIT } from '../cli/exit.ts'
import { keyFileText, loadIdentities, newIdentity, recipientsOf } from '../secrets/identities.ts'
import { decryptManifest, encryptManifest } from '../secrets/manifest-text.ts'
import { SecretError, type SecretErrorCode } from '../secrets/secret-error.ts'

type Env = Readonly<Record<string, string | undefined>>

/** What `drover secret` does, for a user with this environment. */
export const secretTools = (env: Env): SecretTools => ({
  newKey: async (now) => {
    const key = await newIdentity()
    return { recipient: key.recipient, keyFile: keyFileText(key, now) }
  },
  encrypt: async ({ path, text }, { recipients, now }) => {
    const chosen = recipients.length > 0 ? recipients : await forPeople('', () => ownRecipients(env))
    return forPeople(`${path}: `, () => encryptManifest(text, { recipients: chosen, now }))
  },
  decrypt: async ({ path, text }, { ageKeyFile }) => {
    const identities = await forPeople('', () => loadIdentities({ env, file: ageKeyFile }))
    return forPeople(`${path}: `, () => decryptManifest(text, identities))
  },
})

/** @throws CliError 2 when there is none. */
async function ownRecipients(env: Env): Promise<string[]> {
  const recipients = await recipientsOf(await loadIdentities({ env, file: null }))
  if (recipients.length > 0) return recipients
  const hint = 'name one with --recipient age1..., or make a key: drover secret keygen --out ~/.config/sops/age/keys.txt'
  throw new CliError(EXIT.usage, 'there is nobody to encrypt for: no --recipient, and no age key of your own', hint)
}

const EXIT_OF: Readonly<Record<SecretErrorCode, number>> = {
  Malformed: EXIT.usage,
  NoIdentity: EXIT.usage,
  NotAge: EXIT.error,
  WrongIdentity: EXIT.error,
  Tampered: EXIT.error,
}

const KEYS_ARE_IN = 'keys are read from --age-key-file, SOPS_AGE_KEY, SOPS_AGE_KEY_FILE and ~/.config/sops/age/keys.txt'

/** @throws CliError instead of SecretError. */
async function forPeople<T>(about: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (!(error instanceof SecretError)) throw error
    const hint = /Identity$/.test(error.code) ? KEYS_ARE_IN : null
    throw new CliError(EXIT_OF[error.code], `${about}${error.message}`, hint)
  }
}
