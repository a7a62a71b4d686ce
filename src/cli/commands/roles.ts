import { parseProcessPolicy } from '../../manifest/process-policy.ts'
import { AgentId } from '../../model/ids.ts'
import { DEFAULT_PROCESS_POLICY, type ProcessPolicy } from '../../model/process-policy.ts'
import { givenToken } from '../credentials.ts'
import type { CliDeps, ControlOptions, MachineOptions } from '../deps.ts'
import { type EtcdFlags, etcdOptionsOf } from '../etcd-flags.ts'
import { CliError, EXIT } from '../exit.ts'
import { readManifest } from '../files.ts'
import type { Printer } from '../output/print.ts'
import type { Command, Session } from '../session.ts'
import { sayProblems } from './validate.ts'

interface ControlFlags {
  readonly repo: string
  readonly ref: string
  readonly path: string
  readonly app?: string
  readonly dataDir: string
  readonly listen: { readonly host: string; readonly port: number }
  /** Milliseconds. */
  readonly poll: number
  readonly store: string
  readonly ageKeyFile?: string
}

const controlOptions = (flags: ControlFlags): ControlOptions => ({
  repo: flags.repo,
  ref: flags.ref,
  path: flags.path,
  app: flags.app ?? null,
  dataDir: flags.dataDir,
  host: flags.listen.host,
  port: flags.listen.port,
  pollMs: flags.poll,
  store: flags.store,
  ageKeyFile: flags.ageKeyFile ?? null,
})

interface MachineFlags {
  readonly allowProcesses?: boolean
  readonly processPolicy?: string
  readonly label: Readonly<Record<string, string>>
}

const machineOptions = async (flags: MachineFlags, { deps, printer }: Session): Promise<MachineOptions> => ({
  processes: await processesOf(deps, printer, flags),
  labels: flags.label,
})

/** Null where manifests may run none. @throws CliError 2 for a policy with mistakes, each of which is shown in its place */
async function processesOf(
  deps: CliDeps,
  printer: Printer,
  { allowProcesses, processPolicy }: MachineFlags,
): Promise<ProcessPolicy | null> {
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

export interface UpFlags extends ControlFlags, MachineFlags {
  readonly exitWhenHealthy?: boolean
  /** Milliseconds. */
  readonly timeout: number
}

/** Control plane and agent in one process, in the foreground. */
export const up: Command<UpFlags> = async (session, _, flags) => {
  const machine = await machineOptions(flags, session)
  const { deps } = session
  const ends = { exitWhenHealthy: flags.exitWhenHealthy === true, timeoutMs: flags.timeout }
  return deps.roles.up({ ...controlOptions(flags), ...machine, ...ends }, deps.signal)
}

export interface ServerFlags extends ControlFlags, EtcdFlags {
  readonly advertise?: string
  readonly join?: string
  readonly token?: string
  readonly acceptStore?: string
}

/** A control plane that leads or stands by, in the foreground. */
export const server: Command<ServerFlags> = async (session, _, flags) => {
  const { deps } = session
  const more = {
    advertise: flags.advertise ?? null,
    acceptStore: flags.acceptStore ?? null,
    etcd: etcdOptionsOf(flags),
    join: await joinOf(session, flags),
  }
  return deps.roles.server({ ...controlOptions(flags), ...more }, deps.signal)
}

async function joinOf(session: Session, { join, token, store }: ServerFlags): Promise<{ url: string; token: string } | null> {
  if (join === undefined) return null
  if (!store.startsWith('etcd:'))
    throw new CliError(
      EXIT.usage,
      `a cluster of several servers keeps its state in etcd, not in --store ${store}`,
      'give --store etcd://HOST:2379,HOST/PREFIX, the same as on the others',
    )
  const given = await givenToken(session.tokens, token)
  if (given !== null) return { url: join, token: given }
  throw new CliError(
    EXIT.usage,
    '--join needs a token',
    'make one on a server of the cluster with `drover token create --control-plane`, and give --token-file FILE',
  )
}

export interface AgentFlags extends MachineFlags {
  readonly dataDir: string
  readonly name?: string
  readonly docker?: string
  readonly token?: string
}

/** The agent of this machine, in the foreground. */
export const agent: Command<AgentFlags> = async (session, _, flags) => {
  const { deps } = session
  const { servers } = session
  if (servers.length === 0)
    throw new CliError(
      EXIT.usage,
      'an agent needs to know where the servers are',
      'give --server https://HOST:7420, once for each that there is',
    )
  const options = {
    servers: servers.map(controlPlaneUrl),
    token: await givenToken(session.tokens, flags.token),
    dataDir: flags.dataDir,
    name: flags.name === undefined ? null : agentName(flags.name),
    docker: flags.docker ?? null,
    ...(await machineOptions(flags, session)),
  }
  if (new Set(options.servers.map((url) => new URL(url).protocol)).size > 1)
    throw new CliError(EXIT.usage, '--server addresses with http and with https do not go together')
  return deps.roles.agent(options, deps.signal)
}

function agentName(text: string): string {
  if (AgentId.safeParse(text).success) return text
  throw new CliError(EXIT.usage, `--name ${text} is no name for an agent`, 'lower-case letters, digits and "-", at most 63')
}

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

/** @throws CliError 2: plain HTTP would show everything to whoever is on the way. */
function controlPlaneUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.has(url.hostname))
  if (url !== null && isSafe) return url.href.replace(/\/+$/, '')
  throw new CliError(
    EXIT.usage,
    `--server ${text} is no address for an agent`,
    'for example https://10.0.0.1:7420; plain http only for this machine itself',
  )
}

/** Stops every task that the data directory owns. */
export const down: Command<{ dataDir: string }> = async ({ deps }, _, { dataDir }) => deps.roles.down({ dataDir }, deps.signal)
