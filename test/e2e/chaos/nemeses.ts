import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { hasCode } from '../../../src/lib/errors.ts'
import { must } from '../../../src/lib/must.ts'
import type { Rng } from '../../sim/rng.ts'
import { attemptsLeft } from '../../support/attempts-left.ts'
import { taskProcesses } from '../../support/task-processes.ts'
import { waitUntil } from '../../support/wait-until.ts'
import type { Daemon } from './daemon.ts'
import type { Engine } from './engine.ts'
import type { Fault, Nemesis } from './fault.ts'
import type { GitMood } from './git-server.ts'
import type { Cut } from './network.ts'
import { agentData, agentState, MACHINES, type MachineName } from './run-folder.ts'
import { SMALL_DISK, type World } from './world.ts'

const STRANGERS_AT_ONCE = 4
/** The lease of a leader is 10 s. */
const BEYOND_LEASE_MS = 12_000

type Daemons = ReadonlyMap<MachineName, Daemon>

/** Whoever led when all was quiet. */
function pickLeader({ servers, network, api }: World): Daemon {
  const leader = [...servers].find(([machine]) => api.leader?.includes(`//${network.addressOf(machine)}:`))
  return must(leader, `a server at ${api.leader}`)[1]
}

const pickFrom =
  (choose: (world: World) => Daemons) =>
  (world: World, rng: Rng): Daemon =>
    rng.pick([...choose(world).values()])

const pickServer = pickFrom(({ servers }) => servers)
const pickMember = pickFrom(({ etcd }) => etcd.members)
const pickAgent = pickFrom(({ agents }) => agents)

type Pick = (world: World, rng: Rng) => Daemon

const killed = (daemon: Daemon, signal: 'SIGKILL' | 'SIGTERM'): Fault => ({
  title: `${signal} ${daemon.name}`,
  toll: 'Nothing',
  begin: () => daemon.end(signal),
  heal: async () => daemon.revive(),
})

const frozen = (daemon: Daemon): Fault => ({
  title: `freeze ${daemon.name}`,
  toll: 'Nothing',
  begin: async () => daemon.freeze(),
  heal: async () => daemon.thaw(),
})

/** While it is away some of its tasks end, and others get their pids. */
const agentKilled: Nemesis = {
  kind: 'kill agent',
  plan: (world, rng) => {
    const machine = rng.pick([...world.agents.keys()])
    const agent = must(world.agents.get(machine), machine)
    const left = () => attemptsLeft(agentState(world.root, machine)).flatMap(({ pids }) => pids)
    return {
      ...killed(agent, 'SIGKILL'),
      begin: async () => {
        await shortly(() => [...taskProcesses(`SUITE=${world.root}`).values()].some((task) => task.startsWith('short-')))
        await agent.end('SIGKILL')
      },
      heal: async () => {
        await shortly(() => left().length > 0)
        for (const pid of left().slice(0, STRANGERS_AT_ONCE)) await world.strangers.take(pid, rng.pick(['login', 'daemon']))
        agent.revive()
      },
    }
  },
}

/** What does not come in that time need not come. */
const shortly = (holds: () => boolean): Promise<void> => waitUntil(holds, { timeoutMs: 3_000 }).catch(() => undefined)

const kill = (kind: string, pick: Pick, signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Nemesis => ({
  kind,
  plan: (world, rng) => killed(pick(world, rng), signal),
})
const freeze = (kind: string, pick: Pick): Nemesis => ({ kind, plan: (world, rng) => frozen(pick(world, rng)) })

const SLOW = { stoppedMs: 160, runningMs: 40 }

/** It gets a fifth of the time, as on a disk that is busy with something else. */
function slowed(daemon: Daemon): Fault {
  let timer: NodeJS.Timeout | undefined
  const stop = (): void => {
    daemon.freeze()
    timer = setTimeout(go, SLOW.stoppedMs)
  }
  const go = (): void => {
    daemon.thaw()
    timer = setTimeout(stop, SLOW.runningMs)
  }
  return {
    title: `slow ${daemon.name}`,
    toll: 'Nothing',
    begin: async () => stop(),
    heal: async () => {
      clearTimeout(timer)
      daemon.thaw()
    },
  }
}

async function killAll(daemons: readonly Daemon[]): Promise<void> {
  await Promise.all(daemons.map((daemon) => daemon.end('SIGKILL')))
}

function reviveAll(daemons: readonly Daemon[]): void {
  for (const daemon of daemons) daemon.revive()
}

/** Two of three members: nothing can be written, and nothing read that is sure. */
function quorumLost({ etcd }: World, rng: Rng): Fault {
  const spared = rng.pick([...etcd.members.keys()])
  const members = [...etcd.members].filter(([machine]) => machine !== spared).map(([, member]) => member)
  return {
    title: `SIGKILL ${members.map(({ name }) => name).join(' and ')}`,
    toll: 'Nothing',
    begin: () => killAll(members),
    heal: async () => reviveAll(members),
  }
}

/** Everything of Drover and etcd on one machine at once; tasks stay, as they do when a package is upgraded badly. */
function machineDown({ servers, agents, etcd }: World, rng: Rng): Fault {
  const machine = rng.pick([...agents.keys()])
  const daemons = [etcd.members, servers, agents].flatMap((daemonsOf) => daemonsOf.get(machine) ?? [])
  return {
    title: `SIGKILL all of ${machine}`,
    toll: 'Nothing',
    begin: () => killAll(daemons),
    heal: async () => reviveAll(daemons),
  }
}

/** All servers, or all agents, at the same moment. */
const allKilled = (kind: string, choose: (world: World) => Daemons): Nemesis => ({
  kind,
  plan: (world) => {
    const daemons = [...choose(world).values()]
    return {
      title: `SIGKILL ${daemons.map(({ name }) => name).join(', ')}`,
      toll: 'Nothing',
      begin: () => killAll(daemons),
      heal: async () => reviveAll(daemons),
    }
  },
})

const CUT_TITLES: Readonly<Record<Cut, string>> = {
  unheard: 'nobody hears',
  deaf: 'deaf',
  apart: 'cut off',
  refused: 'refused',
  lossy: 'loses 30 % of packets',
}

const cutOff = (how: Cut): Nemesis => ({
  kind: `network: ${CUT_TITLES[how]}`,
  plan: ({ network }, rng) => {
    const machine = rng.pick(MACHINES)
    return {
      title: `${CUT_TITLES[how]} ${machine}`,
      toll: 'Nothing',
      begin: async () => network.cut(machine, how),
      heal: async () => network.heal(machine),
    }
  },
})

/** Longer than services are waited for: they are replaced elsewhere, and no two may ever run where one must. */
function silent({ network, agents }: World, rng: Rng): Fault {
  const machine = rng.pick([...agents.keys()])
  const how = rng.pick<Cut>(['apart', 'deaf', 'unheard'])
  return {
    title: `${CUT_TITLES[how]} ${machine}, for long`,
    toll: 'Replacement',
    begin: async () => network.cut(machine, how),
    heal: async () => network.heal(machine),
  }
}

/** Two machines that do not reach each other, while everybody else reaches both. */
function pairApart({ network }: World, rng: Rng): Fault {
  const machine = rng.pick(MACHINES)
  const other = rng.pick(MACHINES.filter((one) => one !== machine))
  return {
    title: `${machine} and ${other} apart`,
    toll: 'Nothing',
    begin: async () => network.cut(machine, 'apart', [other]),
    heal: async () => network.heal(machine),
  }
}

function engineKilled({ engines }: World, rng: Rng, signal: 'SIGKILL' | 'SIGTERM'): Fault {
  const engine = rng.pick([...engines.values()])
  return {
    title: `${signal} ${engine.daemon.name}`,
    toll: tollOf(engine),
    begin: () => engine.end(signal),
    heal: () => engine.start(),
  }
}

/** Without live-restore a daemon ends its containers when it ends, or when it begins again. */
const tollOf = ({ liveRestore }: Engine): Fault['toll'] => (liveRestore === 'Yes' ? 'Nothing' : 'Containers')

function engineFrozen({ engines }: World, rng: Rng): Fault {
  return frozen(rng.pick([...engines.values()]).daemon)
}

const CHUNK = Buffer.alloc(64 * 1024)

function diskFull({ root }: World): Fault {
  const ballast = join(agentData(root, SMALL_DISK), 'ballast')
  return {
    title: `disk of agent ${SMALL_DISK} full`,
    toll: 'Nothing',
    begin: async () => fill(ballast),
    heal: async () => rmSync(ballast),
  }
}

function fill(path: string): void {
  const file = openSync(path, 'w')
  try {
    for (;;) writeSync(file, CHUNK)
  } catch (error) {
    if (!hasCode(error, 'ENOSPC')) throw error
  } finally {
    closeSync(file)
  }
}

const gitIs = (mood: GitMood): Nemesis => ({
  kind: `git ${mood}`,
  plan: ({ git }) => ({
    title: `git ${mood}`,
    toll: 'Nothing',
    begin: async () => {
      git.mood = mood
    },
    heal: async () => {
      git.mood = 'serves'
    },
  }),
})

export const NEMESES: readonly Nemesis[] = [
  kill('kill leader', pickLeader),
  { ...freeze('freeze leader', pickLeader), holdMs: BEYOND_LEASE_MS },
  kill('restart leader', pickLeader, 'SIGTERM'),
  kill('kill server', pickServer),
  freeze('freeze server', pickServer),
  allKilled('kill all servers', ({ servers }) => servers),
  agentKilled,
  freeze('freeze agent', pickAgent),
  kill('restart agent', pickAgent, 'SIGTERM'),
  allKilled('kill all agents', ({ agents }) => agents),
  kill('kill etcd', pickMember),
  freeze('freeze etcd', pickMember),
  { kind: 'slow etcd', plan: (world, rng) => slowed(pickMember(world, rng)) },
  { kind: 'etcd without quorum', plan: quorumLost },
  { kind: 'kill all of a machine', plan: machineDown },
  cutOff('apart'),
  cutOff('deaf'),
  cutOff('unheard'),
  cutOff('refused'),
  cutOff('lossy'),
  { kind: 'network: two machines apart', plan: pairApart },
  { kind: 'network: silent for long', holdMs: 80_000, plan: silent },
  { kind: 'kill dockerd', plan: (world, rng) => engineKilled(world, rng, 'SIGKILL') },
  { kind: 'restart dockerd', plan: (world, rng) => engineKilled(world, rng, 'SIGTERM') },
  { kind: 'freeze dockerd', plan: engineFrozen },
  { kind: 'disk full', plan: diskFull },
  gitIs('fails'),
  gitIs('hangs'),
  gitIs('slow'),
]
