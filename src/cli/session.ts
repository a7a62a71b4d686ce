import type { Client } from './client.ts'
import type { TokenSources } from './credentials.ts'
import type { CliDeps } from './deps.ts'
import { CliError, EXIT, type ExitCode } from './exit.ts'
import type { Printer } from './output/print.ts'

const DEFAULT_SERVER = 'http://127.0.0.1:7420'

/** Options that every command takes. */
export interface GlobalOptions {
  /** As often as given; the last counts but where several are meant. */
  readonly server: readonly string[]
  readonly tokenFile?: string
  readonly color: boolean
}

/** One run of one command. */
export interface Session {
  readonly deps: CliDeps
  readonly printer: Printer
  /** As typed with --server; maybe none. */
  readonly servers: readonly string[]
  /** Where a token may come from but an option of the command itself. */
  readonly tokens: TokenSources
  /** Opened at first use, for many commands need no server. */
  client(): Promise<Client>
}

export type Command<O> = (session: Session, args: readonly string[], options: O) => Promise<ExitCode | number>

export async function openSession(deps: CliDeps, options: GlobalOptions): Promise<Session> {
  const { Printer } = await import('./output/print.ts')
  const named = options.server.at(-1) ?? deps.env.DROVER_SERVER
  if (named !== undefined) serverUrl(named)
  const tokens = { env: deps.env, cwd: deps.cwd, tokenFile: options.tokenFile ?? null }
  return {
    deps,
    printer: new Printer(deps, !options.color),
    servers: options.server,
    tokens,
    client: async () => {
      const { createClient } = await import('./client.ts')
      const url = serverUrl(named ?? (await loggedInto(deps)) ?? DEFAULT_SERVER)
      if (!url.startsWith('https:')) return createClient({ url, fetch: deps.fetch, token: null, signal: deps.signal })
      const { credentialsFor, givenToken } = await import('./credentials.ts')
      const { token, roots } = await credentialsFor(deps, url, await givenToken(tokens, undefined))
      return createClient({ url, fetch: await deps.trustingFetch(roots), token, signal: deps.signal })
    },
  }
}

async function loggedInto(deps: CliDeps): Promise<string | null> {
  const { readLogins } = await import('./login-file.ts')
  return (await readLogins(deps)).current
}

/** @throws CliError 2 for what is no http or https URL. */
export function serverUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new CliError(EXIT.usage, `"${text}" is not a server URL`, `for example --server ${DEFAULT_SERVER}`)
  }
  return url.href.replace(/\/+$/, '')
}
