import { createCipheriv, createDecipheriv, createHash, createHmac } from 'node:crypto'
import type { AgentId } from '../model/ids.ts'
import type { SealedValue } from '../model/secret.ts'
import { TerminalError } from './errors.ts'

/** Seals for the store and opens for a task, with the cluster's key. */
export interface Keyring {
  /** Equal text of one place gives an equal seal. */
  seal(of: string, plain: string): SealedValue
  /** @throws TerminalError `SecretUnreadable` when it was sealed with another key, or for another place. */
  open(value: SealedValue): string
  /** The key of one agent, `KEY_BYTES` long: it opens what was sealed for that agent, and tells nothing of this key or another's. */
  agentKey(agent: AgentId): Buffer
}

export const KEY_BYTES = 32
const VERSION = 'v1'
const NONCE_BYTES = 12
const TAG_BYTES = 16
const ID_DIGITS = 8

const derived = (key: Buffer, use: string): Buffer => createHmac('sha256', key).update(`drover ${VERSION} ${use}`).digest()

/**
 * AES-256-GCM, bound to the place of the value. The nonce is a keyed hash of place and text (RFC 8452 §1's
 * "synthetic IV"): a text that comes back, as by a revert, must make the inputs digest of before, and nobody
 * without the key learns more than that two seals of one place hold the same.
 */
export function createKeyring(key: Buffer): Keyring {
  if (key.length !== KEY_BYTES) throw new Error(`a key has ${KEY_BYTES} bytes, not ${key.length}`)
  const [cipherKey, nonceKey] = [derived(key, 'seal'), derived(key, 'nonce')]
  const id = createHash('sha256').update(derived(key, 'id')).digest('hex').slice(0, ID_DIGITS)
  const seal = (of: string, plain: string): string => {
    const nonce = createHmac('sha256', nonceKey).update(`${of}\0${plain}`).digest().subarray(0, NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', cipherKey, nonce).setAAD(Buffer.from(of))
    return Buffer.concat([nonce, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64')
  }
  return {
    seal: (of, plain) => ({ of, sealed: `${VERSION}.${id}.${seal(of, plain)}` }),
    open({ of, sealed }) {
      const [version, by, body = ''] = sealed.split('.')
      if (version !== VERSION || by !== id) throw unreadable(of, `it is sealed with the key ${by}, and the one here is ${id}`)
      try {
        return unseal(cipherKey, of, Buffer.from(body, 'base64'))
      } catch (error) {
        throw unreadable(of, 'what is stored of it was changed', error)
      }
    },
    agentKey: (agent) => derived(key, `agent ${agent}`),
  }
}

function unseal(key: Buffer, of: string, bytes: Buffer): string {
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.from(of)).setAuthTag(bytes.subarray(-TAG_BYTES))
  return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString('utf8')
}

const unreadable = (of: string, why: string, cause?: unknown): TerminalError =>
  new TerminalError('SecretUnreadable', `the secret value ${of} cannot be read here: ${why}`, { cause })
