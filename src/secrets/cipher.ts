import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

/** SOPS: AES-256 in GCM, with a nonce longer than usual and a full tag. In bytes. */
export const KEY_BYTES = 32
const NONCE_BYTES = 32
const TAG_BYTES = 16
const ALGORITHM = 'aes-256-gcm'

const START = 'ENC[AES256_GCM,'
const BASE64 = '([A-Za-z0-9+/]*={0,2})'
const SHAPE = new RegExp(`^ENC\\[AES256_GCM,data:${BASE64},iv:${BASE64},tag:${BASE64},type:([a-z0-9]{1,16})\\]$`)

/** What a value was before it was encrypted. The type is what the file says of it. */
export interface Opened {
  readonly type: string
  readonly bytes: Buffer
}

export interface Lock {
  /** `KEY_BYTES` long. */
  readonly key: Buffer
  /** What the ciphertext is bound to. */
  readonly aad: string
}

export const looksEncrypted = (value: unknown): value is string => typeof value === 'string' && value.startsWith(START)

/** A value's place in the document, as SOPS binds it: the same ciphertext elsewhere does not open. */
export const placeOf = (path: readonly string[]): string => `${path.join(':')}:`

export function encryptText(text: string, { key, aad }: Lock): string {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(aad))
  const data = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  const [body, iv, tag] = [data, nonce, cipher.getAuthTag()].map((bytes) => bytes.toString('base64'))
  return `${START}data:${body},iv:${iv},tag:${tag},type:str]`
}

/** Null for what no encoder writes: Node reads base64 with parts missing too. */
function bytesOf(base64: string): Buffer | null {
  const bytes = Buffer.from(base64, 'base64')
  return bytes.toString('base64') === base64 ? bytes : null
}

/** Null for what this key did not make for this place, or what has changed since; which of these cannot be told. */
export function decryptText(text: string, { key, aad }: Lock): Opened | null {
  const [, data = '', iv = '', tag = '', type = ''] = SHAPE.exec(text) ?? []
  const [body, nonce, seal] = [data, iv, tag].map(bytesOf)
  // A shorter tag would be accepted by the engine, and is quickly guessed.
  if (!body || !nonce?.length || seal?.length !== TAG_BYTES) return null
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(aad)).setAuthTag(seal)
  const plain = decipher.update(body)
  try {
    decipher.final()
  } catch {
    // The engine has one error for this, and it says no more than the null.
    return null
  }
  return { type, bytes: plain }
}
