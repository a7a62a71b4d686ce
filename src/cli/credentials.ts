import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pinOf, rootsByPin, rootsIn } from '../trust/roots.ts'
import { parseTokenOf, type Token } from '../trust/token.ts'
import { TrustError } from '../trust/trust-error.ts'
import { unreachable } from './client.ts'
import type { CliDeps } from './deps.ts'
import { CliError, EXIT, messageOf } from './exit.ts'
import { keepLogin, type Login, readLogins } from './login-file.ts'

/** What a command was given of a token. */
export interface TokenSources {
  readonly env: CliDeps['env']
  readonly cwd: string
  /** `--token-file`, which every command takes. */
  readonly tokenFile: string | null
}

/** The token of --token, --token-file, DROVER_TOKEN or DROVER_TOKEN_FILE, the first that is there; null: none. @throws CliError 2 */
export async function givenToken({ env, cwd, tokenFile }: TokenSources, token: string | undefined): Promise<string | null> {
  if (token !== undefined) return token
  if (tokenFile !== null) return tokenIn(resolve(cwd, tokenFile))
  if (env.DROVER_TOKEN !== undefined && env.DROVER_TOKEN !== '') return env.DROVER_TOKEN
  if (env.DROVER_TOKEN_FILE !== undefined && env.DROVER_TOKEN_FILE !== '') return tokenIn(resolve(cwd, env.DROVER_TOKEN_FILE))
  return null
}

async function tokenIn(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    throw new CliError(EXIT.usage, `the token cannot be read: ${messageOf(error)}`)
  }
}

/** What TLS with a server needs. */
export interface Credentials {
  readonly token: string
  /** Of the server's cluster, PEM. */
  readonly roots: string
}

/** How long roots are taken for fresh: a rotation leaves more than a day to learn the new one. Milliseconds. */
const ROOTS_FRESH = 3_600_000

/**
 * The token and roots for a server that is spoken to over TLS. A token that was given brings the pin of its roots; else
 * those of `drover login` serve. @throws CliError with the command that helps
 */
export async function credentialsFor(deps: CliDeps, url: string, given: string | null): Promise<Credentials> {
  const kept = (await readLogins(deps)).servers[url]
  if (given !== null) {
    const token = apiToken(given)
    if (kept !== undefined && rootsIn(kept.roots).some((root) => pinOf(root) === token.pin)) return { token: given, roots: kept.roots }
    return { token: given, roots: await rootsOf(deps, url, token) }
  }
  if (kept === undefined) throw new CliError(EXIT.error, `there is no token for ${url}`, `drover login ${url} --token-file FILE`)
  return deps.clock.now() - kept.checkedAt < ROOTS_FRESH ? kept : fresh(deps, url, kept)
}

/** A token for the API. @throws CliError 2 */
export function apiToken(text: string): Token {
  try {
    return parseTokenOf('api', text)
  } catch (error) {
    throw error instanceof TrustError ? new CliError(EXIT.usage, error.message) : error
  }
}

/** The roots of the cluster that a token is of. @throws CliError 1 when the server has none of them */
export async function rootsOf(deps: CliDeps, url: string, token: Token): Promise<string> {
  try {
    return await rootsByPin(token.pin, (trusted) => bundleAt(deps, url, trusted))
  } catch (error) {
    throw error instanceof TrustError ? new CliError(EXIT.error, `${url}: ${error.message}`) : error
  }
}

/** A server answers this from memory, whether it leads or not. */
const ROOTS_MS = 10_000

async function bundleAt(deps: CliDeps, url: string, trusted: string | null): Promise<string> {
  const send = await deps.trustingFetch(trusted)
  try {
    const answer = await send(`${url}/trust/v1/roots`, { signal: AbortSignal.any([deps.signal, AbortSignal.timeout(ROOTS_MS)]) })
    return answer.ok ? await answer.text() : ''
  } catch (error) {
    throw unreachable(url, error)
  }
}

/** Learns of a rotation from a server that is already believed. While that cannot answer, what is known serves. */
async function fresh(deps: CliDeps, url: string, kept: Login): Promise<Login> {
  try {
    const bundle = await bundleAt(deps, url, kept.roots)
    rootsIn(bundle)
    const login = { ...kept, roots: bundle, checkedAt: deps.clock.now() }
    await keepLogin(deps, url, login)
    return login
  } catch (error) {
    if (error instanceof CliError || error instanceof TrustError) return kept
    throw error
  }
}
