import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generateIdentity, identityToRecipient } from 'age-encryption'
import { hasCode } from '../lib/errors.ts'
import { rfc3339 } from './rfc3339.ts'
import { SecretError } from './secret-error.ts'

type Env = Readonly<Record<string, string | undefined>>

/** Where identities come from; what is only looked for may be missing. */
export type IdentitySource =
  | { readonly kind: 'text'; readonly name: string; readonly text: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'file if there'; readonly path: string }

export interface AgeKey {
  /** Secret: `AGE-SECRET-KEY-1...`. */
  readonly identity: string
  /** Public: `age1...`. */
  readonly recipient: string
}

/** Every place that SOPS looks into, and the flag before them. All that are there count. An empty variable is none. */
export function identitySources(env: Env, flagPath: string | null): IdentitySource[] {
  const set = (name: string): string | null => (env[name] === undefined || env[name] === '' ? null : env[name])
  const text = set('SOPS_AGE_KEY')
  const path = set('SOPS_AGE_KEY_FILE')
  const home = set('HOME')
  const config = set('XDG_CONFIG_HOME') ?? (home === null ? null : join(home, '.config'))
  return [
    flagPath === null ? [] : [{ kind: 'file' as const, path: flagPath }],
    text === null ? [] : [{ kind: 'text' as const, name: 'SOPS_AGE_KEY', text }],
    path === null ? [] : [{ kind: 'file' as const, path }],
    config === null ? [] : [{ kind: 'file if there' as const, path: join(config, 'sops/age/keys.txt') }],
  ].flat()
}

/** @throws SecretError NoIdentity for a named file that cannot be read, Malformed for a line that is no identity. */
export async function loadIdentities({ env, file }: { readonly env: Env; readonly file: string | null }): Promise<string[]> {
  const found = await Promise.all(identitySources(env, file).map(readSource))
  return [...new Set(found.flat())]
}

async function readSource(source: IdentitySource): Promise<string[]> {
  if (source.kind === 'text') return parseIdentities(source.text, source.name)
  try {
    return await parseIdentities(await readFile(source.path, 'utf8'), source.path)
  } catch (error) {
    if (source.kind === 'file if there' && hasCode(error, 'ENOENT', 'ENOTDIR')) return []
    if (error instanceof SecretError) throw error
    throw new SecretError('NoIdentity', `the age key file ${source.path} ${whyUnreadable(error)}`)
  }
}

function whyUnreadable(error: unknown): string {
  if (hasCode(error, 'ENOENT')) return 'is not there: `drover secret keygen --out FILE` makes one'
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
  return `cannot be read (${code}): it must be a file that this user may read`
}

/**
 * The identities in the text of an age key file, in order.
 * @param origin what to call the text in errors
 * @throws SecretError Malformed, with the line's number and never the line.
 */
export async function parseIdentities(text: string, origin: string): Promise<string[]> {
  const lines = text.split('\n').map((line, index) => ({ text: line.trim(), number: index + 1 }))
  const given = lines.filter((line) => line.text !== '' && !line.text.startsWith('#'))
  for (const line of given) {
    if ((await recipientOf(line.text)) === null) throw new SecretError('Malformed', `${origin}, line ${line.number}: ${whyNone(line.text)}`)
  }
  return given.map((line) => line.text)
}

function whyNone(line: string): string {
  if (line.startsWith('AGE-PLUGIN-')) return 'identities of age plugins are not supported; use AGE-SECRET-KEY-1...'
  if (line.startsWith('-----BEGIN')) return 'key files with a passphrase and ssh keys are not supported; use a plain age key file'
  if (line.startsWith('age1')) return 'this is a recipient, the public half; the file must hold the identity, AGE-SECRET-KEY-1...'
  return 'this is no age identity; it must be AGE-SECRET-KEY-1..., whole and without a typing error'
}

/** The public half of an identity; null for what is none. */
async function recipientOf(identity: string): Promise<string | null> {
  try {
    return await identityToRecipient(identity)
  } catch {
    // age's error may quote the identity.
    return null
  }
}

/** The public halves of identities that `loadIdentities` has read. */
export const recipientsOf = (identities: readonly string[]): Promise<string[]> => Promise.all(identities.map(identityToRecipient))

export async function newIdentity(): Promise<AgeKey> {
  const identity = await generateIdentity()
  return { identity, recipient: await identityToRecipient(identity) }
}

/** An age key file as age-keygen writes it. `now` in milliseconds since 1970. */
export const keyFileText = ({ identity, recipient }: AgeKey, now: number): string =>
  `# created: ${rfc3339(now)}\n# public key: ${recipient}\n${identity}\n`
