import type { UpOptions } from '../deps.ts'
import type { Command } from '../session.ts'

export interface UpFlags {
  readonly repo: string
  readonly ref: string
  readonly path: string
  readonly app?: string
  readonly dataDir: string
  readonly listen: { readonly host: string; readonly port: number }
  /** Milliseconds. */
  readonly poll: number
  readonly allowProcesses?: boolean
  readonly store: string
  readonly label: Readonly<Record<string, string>>
  readonly ageKeyFile?: string
  readonly exitWhenHealthy?: boolean
  /** Milliseconds. */
  readonly timeout: number
}

/** Control plane and agent in one process, in the foreground. */
export const up: Command<UpFlags> = async ({ deps }, _, flags) => {
  const options: UpOptions = {
    repo: flags.repo,
    ref: flags.ref,
    path: flags.path,
    app: flags.app ?? null,
    dataDir: flags.dataDir,
    host: flags.listen.host,
    port: flags.listen.port,
    pollMs: flags.poll,
    allowProcesses: flags.allowProcesses === true,
    store: flags.store,
    labels: flags.label,
    ageKeyFile: flags.ageKeyFile ?? null,
    exitWhenHealthy: flags.exitWhenHealthy === true,
    timeoutMs: flags.timeout,
  }
  return deps.roles.up(options, deps.signal)
}

/** Stops every task that the data directory owns. */
export const down: Command<{ dataDir: string }> = async ({ deps }, _, { dataDir }) => deps.roles.down({ dataDir }, deps.signal)
