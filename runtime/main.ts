import { lookup } from 'node:dns'
import { statfs } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../src/lib/clock.ts'
import type { Logger } from '../src/lib/log.ts'
import type { AgentId } from '../src/model/ids.ts'
import type { ProcessPolicy } from '../src/model/process-policy.ts'
import { type AgentDeps, runAgent } from './agent.ts'
import { createFileDownloadCache, FETCH_LIMITS } from './artifacts/file-downloads.ts'
import { createDisks } from './disks.ts'
import { createDockerDriver } from './drivers/docker/driver.ts'
import { createFakeDriver } from './drivers/fake/driver.ts'
import { createFileFakeMachine } from './drivers/fake/machine.ts'
import { createProcessDriver } from './drivers/process/driver.ts'
import { createFileJournal } from './file-journal.ts'
import { createFileTreeCache } from './file-trees.ts'
import { type Machine, readMachine } from './machine.ts'
import { spareFromOomKiller } from './oom.ts'
import type { Drivers } from './recover.ts'
import type { OpenSecret } from './secrets.ts'
import { stopAll } from './stop-all.ts'
import type { Uplink } from './uplink.ts'

export interface AgentOptions {
  /** A folder of the agent's own; holds its journal, its tasks' files and its identity. */
  readonly stateDir: string
  /** Null: what the state directory knows, or the host's. */
  readonly name: AgentId | null
  readonly version: string
  readonly cluster: string
  readonly labels: Readonly<Record<string, string>>
  /** What manifests may run as plain processes; null: nothing. */
  readonly processes: ProcessPolicy | null
  /** With state of others of this program, which no sandbox shows. */
  readonly privateDirs: readonly string[]
  readonly dockerSocket: string
  readonly openSecret: OpenSecret
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
}

export interface Agent {
  readonly id: AgentId
  /** Runs until the signal aborts and leaves the tasks running then. */
  run(uplink: Uplink, signal: AbortSignal): Promise<void>
  /** Stops every task this agent owns and keeps only how they ended; resolves with their number, and tells now and then what is left. */
  stopAll(waiting: (left: number) => void, signal: AbortSignal): Promise<number>
  close(): Promise<void>
}

/** Builds the agent of this machine with its real drivers. */
export async function createAgent(options: AgentOptions): Promise<Agent> {
  const { stateDir, version, clock, random, log } = options
  await spareFromOomKiller(log)
  const { id, instance, bootId, capacity, labels } = await readMachine({ stateDir, labels: options.labels, name: options.name })
  const drivers = driversOf(options, { id, instance })
  const deps: Omit<AgentDeps, 'uplink'> = {
    identity: { id, instance, bootId, version },
    capacity,
    labels,
    drivers,
    journal: await createFileJournal(join(stateDir, 'journal')),
    trees: createFileTreeCache(join(stateDir, 'trees')),
    downloads: createFileDownloadCache(join(stateDir, 'downloads'), { limits: FETCH_LIMITS, lookup, log }),
    disks: createDisks({ stateDir, statfs, log }),
    openSecret: options.openSecret,
    clock,
    random,
    log,
    startLimit: 2 * availableParallelism(),
  }
  return {
    id,
    run: (uplink, signal) => runAgent({ ...deps, uplink }, signal),
    stopAll: (waiting, signal) => stopAll({ ...deps, waiting }, signal),
    close: async () => {
      for (const driver of Object.values(drivers)) await driver.close()
    },
  }
}

/**
 * Containers carry the agent's instance beside the cluster's name: two agents that share an engine, as two data
 * directories on one machine do, must never take each other's containers for orphans.
 */
function driversOf(options: AgentOptions, machine: Pick<Machine, 'id' | 'instance'>): Drivers {
  const { stateDir, clock, log } = options
  const agent = machine.id
  const cluster = `${options.cluster}-${machine.instance.slice(0, 8)}`
  return {
    docker: createDockerDriver({ socketPath: options.dockerSocket, cluster, agent, stateDir: join(stateDir, 'docker'), clock, log }),
    process: createProcessDriver({
      stateDir: join(stateDir, 'process'),
      agent,
      clock,
      log,
      policy: options.processes,
      privateDirs: [stateDir, ...options.privateDirs],
    }),
    fake: createFakeDriver({ machine: createFileFakeMachine(join(stateDir, 'fake')), clock }),
  }
}
