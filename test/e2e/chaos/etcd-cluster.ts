import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { waitUntil } from '../../support/wait-until.ts'
import { Daemon } from './daemon.ts'
import type { Findings } from './findings.ts'
import type { Network } from './network.ts'
import type { MachineName } from './run-folder.ts'

const run = promisify(execFile)
const CLIENT = 2379
const PEER = 2380

export interface EtcdPlace {
  readonly root: string
  readonly network: Network
  readonly findings: Findings
}

/** Three members, one a machine, with etcd's own defaults for heartbeats and elections. */
export class EtcdCluster {
  readonly members: ReadonlyMap<MachineName, Daemon>
  readonly endpoints: readonly string[]

  constructor(machines: readonly MachineName[], place: EtcdPlace) {
    const { network } = place
    const peers = machines.map((machine) => `${machine}=http://${network.addressOf(machine)}:${PEER}`).join(',')
    this.members = new Map(machines.map((machine) => [machine, memberOf(machine, peers, place)]))
    this.endpoints = machines.map((machine) => `${network.addressOf(machine)}:${CLIENT}`)
  }

  async start(): Promise<void> {
    for (const member of this.members.values()) member.start()
    await waitUntil(async () => (await this.revision()) > 0, { timeoutMs: 60_000 })
  }

  /** Of the newest change of the store. @throws Error while no majority answers. */
  async revision(): Promise<number> {
    const args = ['--endpoints', this.endpoints.join(','), '--command-timeout', '3s', 'get', 'nothing', '-w', 'json']
    const { stdout } = await run('etcdctl', args, { env: { ...process.env, ETCDCTL_API: '3' } })
    const answer: { header: { revision: number } } = JSON.parse(stdout)
    return answer.header.revision
  }
}

function memberOf(machine: MachineName, peers: string, { root, network, findings }: EtcdPlace): Daemon {
  const address = network.addressOf(machine)
  const dataDir = join(root, machine, 'etcd')
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const options = {
    name: machine,
    'data-dir': dataDir,
    'listen-client-urls': `http://${address}:${CLIENT}`,
    'advertise-client-urls': `http://${address}:${CLIENT}`,
    'listen-peer-urls': `http://${address}:${PEER}`,
    'initial-advertise-peer-urls': `http://${address}:${PEER}`,
    'initial-cluster': peers,
    'log-level': 'warn',
  }
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])
  const logFile = join(root, 'logs', `${machine}.etcd`)
  return new Daemon({ name: `etcd ${machine}`, command: network.on(machine, ['etcd', ...args]), logFile, findings })
}
