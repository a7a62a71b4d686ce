import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { TokenKind, type TokenRecord, type TokenState } from '../model/trust.ts'
import { TrustError } from './trust-error.ts'

/** The parts of `drv1.<kind>.<id>.<secret>.<pin>.<check>`. */
export interface Token {
  readonly kind: TokenKind
  readonly id: string
  /** 32 random bytes, base64url. */
  readonly secret: string
  /** Of the root that was active when it was made; see `pinOf`. */
  readonly pin: string
}

const VERSION = 'drv1'
const SECRET_BYTES = 32
const CHECK_LENGTH = 6
/** 32 bytes in base64url. */
const HASH_TEXT = /^[A-Za-z0-9_-]{43}$/
const ID = /^[a-z0-9]{10}$/
const MAKE_ANOTHER = 'copy it again, whole, or make another: drover token create'

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()
const checkOf = (body: string): string => sha256(body).toString('base64url').slice(0, CHECK_LENGTH)

/** A token with a new secret. `id` has 10 lower-case letters and digits. */
export const newToken = (of: Omit<Token, 'secret'>): Token => ({ ...of, secret: randomBytes(SECRET_BYTES).toString('base64url') })

/** Known by its beginning to secret scanners, and by its end to be whole. */
export function tokenText({ kind, id, secret, pin }: Token): string {
  const body = [VERSION, kind, id, secret, pin].join('.')
  return `${body}.${checkOf(body)}`
}

/** @throws TrustError `BadToken` that says what is wrong with it, and repeats nothing of it. */
export function parseToken(text: string): Token {
  const trimmed = text.trim()
  if (trimmed === '') throw bad('the token is empty')
  const [version = '', kind = '', id = '', secret = '', pin = '', check = ''] = trimmed.split('.')
  if (version !== VERSION) throw bad(versionProblem(version))
  if (/\s/.test(trimmed)) throw bad(`the token has a space or a line break in it: ${MAKE_ANOTHER}`)
  const parts = trimmed.split('.').length
  if (parts !== 6) throw bad(`the token has ${parts} parts where 6 are due, so it is not whole: ${MAKE_ANOTHER}`)
  if (checkOf(trimmed.slice(0, -1 - check.length)) !== check) throw bad(`the token is mistyped or cut short: ${MAKE_ANOTHER}`)
  const known = TokenKind.safeParse(kind)
  if (!known.success || !ID.test(id) || !HASH_TEXT.test(secret) || !HASH_TEXT.test(pin))
    throw bad('the token is of a form that this version of drover does not know')
  return { kind: known.data, id, secret, pin }
}

/** As `parseToken`, of the one kind that serves. @throws TrustError `BadToken`. */
export function parseTokenOf(kind: TokenKind, text: string): Token {
  const token = parseToken(text)
  if (token.kind === kind) return token
  throw bad(`this is a token for ${USE[token.kind]}, and one for ${USE[kind]} is needed: ${HOW[kind]}`)
}

const USE: Readonly<Record<TokenKind, string>> = { agent: 'joining agents', server: 'joining servers', api: 'the API' }
const HOW: Readonly<Record<TokenKind, string>> = {
  agent: 'drover token create --agent',
  server: 'drover token create --control-plane',
  api: 'drover token create --role viewer',
}

function versionProblem(version: string): string {
  if (/^drv\d+$/.test(version)) return 'the token is of another version of drover'
  return `this is no token of drover: one begins with ${VERSION}.`
}

const bad = (message: string): TrustError => new TrustError('BadToken', message)

/** What the store keeps of the secret, in hex. */
export const secretHash = (secret: string): string => sha256(secret).toString('hex')

/** Compared in constant time; against nothing it takes as long, so that the clock does not tell which ids exist. */
export function isSecretOf(record: Pick<TokenRecord, 'sha256'> | undefined, secret: string): boolean {
  const known = Buffer.from(record?.sha256 ?? '0'.repeat(64), 'hex')
  return timingSafeEqual(known, sha256(secret)) && record !== undefined
}

/** What is left of it at `now`, milliseconds since 1970. */
export function tokenState({ revokedAt, expiresAt, usesLeft }: TokenRecord, now: number): TokenState {
  if (revokedAt !== null) return 'Revoked'
  if (expiresAt !== null && now >= expiresAt) return 'Expired'
  return usesLeft === 0 ? 'UsedUp' : 'Usable'
}
