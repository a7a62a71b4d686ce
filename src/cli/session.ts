import type { Client } from './client.ts'
import type { CliDeps } from './deps.ts'
import { CliError, EXIT, type ExitCode } from './exit.ts'
import type { Printer } from './output/print.ts'

const DEFAULT_SERVER = 'http://127.0.0.1:7420'

/** Options that every command takes. */
export interface GlobalOptions {
  readonly server?: string
  readonly color: boolean
}

/** One run of one command. */
export interface Session {
  readonly deps: CliDeps
  readonly printer: Printer
  /** Opened at first use, for many commands need no server. */
  client(): Promise<Client>
}

export type Command<O> = (session: Session, args: readonly string[], options: O) => Promise<ExitCode | number>

export async function openSession(deps: CliDeps, options: GlobalOptions): Promise<Session> {
  const { Printer } = await import('./output/print.ts')
  const url = serverUrl(options.server ?? deps.env.DROVER_SERVER ?? DEFAULT_SERVER)
  return {
    deps,
    printer: new Printer(deps, !options.color),
    client: async () => {
      const { createClient } = await import('./client.ts')
      return createClient({ url, fetch: deps.fetch, signal: deps.signal })
    },
  }
}

/** @throws CliError 2 for what is no http or https URL. */
function serverUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new CliError(EXIT.usage, `"${text}" is not a server URL`, `for example --server ${DEFAULT_SERVER}`)
  }
  return url.href.replace(/\/+$/, '')
}
