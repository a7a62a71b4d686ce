import { parseProcessPolicy } from '../../manifest/process-policy.ts'
import { DEFAULT_PROCESS_POLICY, type ProcessPolicy } from '../../model/process-policy.ts'
import type { CliDeps, UpOptions } from '../deps.ts'
import { CliError, EXIT } from '../exit.ts'
import { readManifest } from '../files.ts'
import type { Printer } from '../output/print.ts'
import type { Command } from '../session.ts'
import { sayProblems } from './validate.ts'

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
  readonly processPolicy?: string
  readonly store: string
  readonly label: Readonly<Record<string, string>>
  readonly ageKeyFile?: string
  readonly exitWhenHealthy?: boolean
  /** Milliseconds. */
  readonly timeout: number
}

/** Control plane and agent in one process, in the foreground. */
export const up: Command<UpFlags> = async ({ deps, printer }, _, flags) => {
  const processes = await processesOf(deps, printer, flags)
  const options: UpOptions = {
    repo: flags.repo,
    ref: flags.ref,
    path: flags.path,
    app: flags.app ?? null,
    dataDir: flags.dataDir,
    host: flags.listen.host,
    port: flags.listen.port,
    pollMs: flags.poll,
    processes,
    store: flags.store,
    labels: flags.label,
    ageKeyFile: flags.ageKeyFile ?? null,
    exitWhenHealthy: flags.exitWhenHealthy === true,
    timeoutMs: flags.timeout,
  }
  return deps.roles.up(options, deps.signal)
}

/** Null where manifests may run none. @throws CliError 2 for a policy with mistakes, each of which is shown in its place */
async function processesOf(deps: CliDeps, printer: Printer, { allowProcesses, processPolicy }: UpFlags): Promise<ProcessPolicy | null> {
  if (allowProcesses !== true) {
    if (processPolicy === undefined) return null
    throw new CliError(EXIT.usage, '--process-policy has no meaning without --allow-processes', 'give both')
  }
  if (processPolicy === undefined) return DEFAULT_PROCESS_POLICY
  const file = await readManifest(deps, processPolicy)
  const parsed = parseProcessPolicy(file)
  if (parsed.ok) return parsed.policy
  sayProblems(printer, parsed.problems, { files: [file] })
  throw new CliError(EXIT.usage, `${processPolicy} is no policy for processes`)
}

/** Stops every task that the data directory owns. */
export const down: Command<{ dataDir: string }> = async ({ deps }, _, { dataDir }) => deps.roles.down({ dataDir }, deps.signal)
