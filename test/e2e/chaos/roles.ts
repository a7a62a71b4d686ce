import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Agent, fetch } from 'undici'
import { waitUntil } from '../../support/wait-until.ts'
import { Api } from './api.ts'
import { Daemon } from './daemon.ts'
import type { Engine } from './engine.ts'
import type { EtcdCluster, EtcdPlace } from './etcd-cluster.ts'
import type { GitServer } from './git-server.ts'
import { agentData, agentName, MACHINES, type MachineName } from './run-folder.ts'

/** The built program, as users run it. */
export const MAIN = resolve('dist/src/main.js')
/** Where the cluster is in etcd. */
export const PREFIX = '/chaos/'
const PORT = 7420
const START = { timeoutMs: 60_000 }

export interface RolesOptions extends EtcdPlace {
  readonly etcd: EtcdCluster
  readonly git: GitServer
  readonly engines: ReadonlyMap<MachineName, Engine>
}

/** Control planes and agents of the cluster. */
export interface Roles {
  readonly servers: ReadonlyMap<MachineName, Daemon>
  readonly agents: ReadonlyMap<MachineName, Daemon>
  readonly api: Api
}

/** The first server founds the cluster, the others join it, and each machine's agent does, as the README tells users. */
export async function startRoles(options: RolesOptions): Promise<Roles> {
  const [first, ...others] = MACHINES.slice(0, 3)
  if (first === undefined) throw new Error('no machine')
  const found = serverOn(options, first, [])
  found.start()
  const admin = await adminOf(join(serverData(options.root, first), 'admin.token'))
  const api = new Api({
    urls: [first, ...others].map((machine) => urlOf(options, machine)),
    headers: { authorization: `Bearer ${admin}` },
    roots: await rootsOf(urlOf(options, first)),
  })
  await waitUntil(async () => (await api.agents()).length === 0, START)
  const serverToken = await tokenFile(options, { api, kind: 'server', uses: others.length })
  const joins = ['--join', urlOf(options, first), '--token-file', serverToken]
  const servers = new Map([[first, found], ...others.map((machine) => [machine, serverOn(options, machine, joins)] as const)])
  for (const machine of others) servers.get(machine)?.start()
  const agentToken = await tokenFile(options, { api, kind: 'agent', uses: MACHINES.length })
  const agents = new Map(MACHINES.map((machine) => [machine, agentOn(options, machine, agentToken)]))
  for (const agent of agents.values()) agent.start()
  return { servers, agents, api }
}

/** The first server writes it once it leads. */
async function adminOf(file: string): Promise<string> {
  await waitUntil(() => readFileSync(file, 'utf8').length > 0, START)
  return readFileSync(file, 'utf8').trim()
}

const urlOf = ({ network }: EtcdPlace, machine: MachineName): string => `https://${network.addressOf(machine)}:${PORT}`
const serverData = (root: string, machine: MachineName): string => join(root, machine, 'server')

function daemonOn(options: EtcdPlace, machine: MachineName, role: string, args: readonly string[]): Daemon {
  const { root, network, findings } = options
  return new Daemon({
    name: `${role} ${machine}`,
    command: network.on(machine, [process.execPath, MAIN, role, ...args]),
    env: { ...process.env, DROVER_LOG: 'info' },
    logFile: join(root, 'logs', `${machine}.${role}`),
    findings,
  })
}

function serverOn(options: RolesOptions, machine: MachineName, more: readonly string[]): Daemon {
  const { root, network, etcd, git } = options
  const store = `etcd://${etcd.endpoints.join(',')}${PREFIX}`
  const repo = ['--repo', git.url, '--app', 'demo', '--poll', '1s']
  const place = ['--data-dir', serverData(root, machine), '--listen', `${network.addressOf(machine)}:${PORT}`]
  return daemonOn(options, machine, 'server', ['--store', store, ...repo, ...place, ...more])
}

function agentOn(options: RolesOptions, machine: MachineName, token: string): Daemon {
  const { root, engines } = options
  const data = agentData(root, machine)
  mkdirSync(data, { recursive: true, mode: 0o700 })
  const engine = engines.get(machine)
  const servers = MACHINES.slice(0, 3).flatMap((server) => ['--server', urlOf(options, server)])
  const labels = ['--label', 'fleet=yes', '--label', `docker=${engine === undefined ? 'no' : 'yes'}`]
  const docker = ['--docker', engine?.socketPath ?? join(root, machine, 'no-docker.sock')]
  const name = ['--name', agentName(root, machine), '--token-file', token, '--data-dir', data]
  return daemonOn(options, machine, 'agent', [...servers, ...name, ...labels, ...docker, '--allow-processes'])
}

/** A file with a token for so many machines. */
async function tokenFile({ root }: EtcdPlace, { api, kind, uses }: { api: Api; kind: 'agent' | 'server'; uses: number }): Promise<string> {
  const file = join(root, `${kind}.token`)
  writeFileSync(file, await api.mint(kind, uses), { mode: 0o600 })
  return file
}

/** As a browser would get them at its first visit; the CLI checks the same by the pin in its token. */
async function rootsOf(url: string): Promise<string> {
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } })
  const response = await fetch(`${url}/trust/v1/roots`, { dispatcher })
  if (!response.ok) throw new Error(`no roots: ${response.status} ${await response.text()}`)
  return response.text()
}
