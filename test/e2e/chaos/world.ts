import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Strangers } from '../../support/strangers.ts'
import { waitUntil } from '../../support/wait-until.ts'
import type { Daemon } from './daemon.ts'
import { Engine } from './engine.ts'
import { EtcdCluster } from './etcd-cluster.ts'
import type { Findings } from './findings.ts'
import { GitServer } from './git-server.ts'
import { History } from './history.ts'
import { HistoryChecks } from './history-checks.ts'
import { Load } from './load.ts'
import { Network } from './network.ts'
import { PREFIX, type Roles, startRoles } from './roles.ts'
import { agentData, MACHINES, type MachineName } from './run-folder.ts'

/** The data of this machine's agent are on a file system of their own, small enough to be filled. */
export const SMALL_DISK: MachineName = 'm4'
const SMALL_DISK_SIZE = '48m'
const START = { timeoutMs: 60_000 }

/** Everything of one run: four machines, three with a member of etcd and a server, all with an agent, two with an engine. */
export interface World extends Roles {
  readonly root: string
  readonly network: Network
  readonly findings: Findings
  readonly etcd: EtcdCluster
  readonly engines: ReadonlyMap<MachineName, Engine>
  readonly git: GitServer
  readonly load: Load
  readonly ledger: string
  readonly history: History
  readonly checks: HistoryChecks
  /** Processes on the machines that are none of Drover's business. */
  readonly bystanders: readonly ChildProcess[]
  /** And those that got the pids of tasks that ended while no agent looked. */
  readonly strangers: Strangers
}

export async function startWorld(root: string, findings: Findings): Promise<World> {
  const network = await Network.create(MACHINES)
  const place = { root, network, findings }
  mountSmallDisk(agentData(root, SMALL_DISK))
  const bystanders = MACHINES.map((machine) => startBystander(network.on(machine, ['sleep', 'infinity'])))
  const etcd = new EtcdCluster(MACHINES.slice(0, 3), place)
  await etcd.start()
  const checks = new HistoryChecks(findings)
  const history = new History(etcd, PREFIX, (change) => checks.see(change))
  history.start()
  const engines = new Map<MachineName, Engine>([
    ['m1', new Engine({ ...place, machine: 'm1', liveRestore: 'Yes' })],
    ['m4', new Engine({ ...place, machine: 'm4', liveRestore: 'No' })],
  ])
  for (const engine of engines.values()) await engine.start()
  const git = await GitServer.start(root)
  const ledger = join(root, 'ledger')
  const load = new Load({ git, ledger, mark: root })
  load.commit()
  const roles = await startRoles({ ...place, etcd, git, engines })
  await waitUntil(async () => (await roles.api.agents()).filter(({ status }) => status === 'Ready').length === MACHINES.length, START)
  return { ...place, ...roles, etcd, engines, git, load, ledger, history, checks, bystanders, strangers: new Strangers() }
}

export const daemonsOf = (world: World): Daemon[] => [
  ...world.etcd.members.values(),
  ...world.servers.values(),
  ...world.agents.values(),
  ...[...world.engines.values()].map(({ daemon }) => daemon),
]

/** A tmpfs in our own mount namespace. */
function mountSmallDisk(folder: string): void {
  mkdirSync(folder, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SMALL_DISK_SIZE},mode=700`, 'tmpfs', folder])
}

/** Its session is its own, as that of a program that somebody else has started. */
function startBystander([program = '', ...args]: readonly string[]): ChildProcess {
  return spawn(program, args, { detached: true, stdio: 'ignore' })
}
