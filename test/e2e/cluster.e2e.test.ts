import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { must } from '../../src/lib/must.ts'
import type { TaskView } from '../../src/model/views.ts'
import { Cluster } from '../support/cluster/cluster.ts'
import { nextVersion } from '../support/cluster/next-version.ts'
import type { Role } from '../support/cluster/role.ts'
import { staleTurns, Turns } from '../support/cluster/turns.ts'
import { fake, processes } from '../support/e2e-manifests.ts'
import { commitFiles } from '../support/git-repo.ts'
import { taskProcesses } from '../support/task-processes.ts'
import { waitUntil } from '../support/wait-until.ts'

const AGENTS = ['machine-a', 'machine-b']

let cluster: Cluster
let ledger = ''
let version = 0

beforeAll(async () => {
  cluster = await Cluster.open(4)
  ledger = join(cluster.folder('ledger'), 'starts')
  await cluster.begin()
  await cluster.grow({ servers: 3, agents: AGENTS })
  commitFiles(cluster.repo, manifests('first'), 'first')
  await cluster.healthyAt(cluster.repo.head())
}, 180_000)

afterAll(() => cluster.destroy())

/** `steady` must never restart; `mover` is what each act of a leader changes. */
function manifests(mark: string): Record<string, string> {
  return {
    'steady.yaml': processes('steady', { version: '1', replicas: 4, ledger }),
    'mover.yaml': fake('mover', { version: mark, replicas: 1 }),
  }
}

/** A new commit; resolves when a leader has rolled it out. */
async function acted(): Promise<void> {
  version += 1
  commitFiles(cluster.repo, manifests(`v${version}`), `version ${version}`)
  await cluster.healthyAt(cluster.repo.head())
}

async function steady(): Promise<TaskView[]> {
  const tasks = await cluster.tasks()
  return tasks.filter(({ workload, desired }) => workload === 'steady' && desired === 'run').toSorted((a, b) => (a.id < b.id ? -1 : 1))
}

/** Field 22 of /proc/PID/stat: pids begin anew after the largest, so the smaller is not the older. Infinity: it is gone. */
function startedAt(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

/** The pid that each task's own shell has; what it starts again and again is younger. */
async function steadyPids(): Promise<Record<string, number>> {
  const all = [...taskProcesses('VERSION=1')].map(([pid, task]) => ({ pid, task, since: startedAt(pid) }))
  const pids = new Map(all.toSorted((a, b) => b.since - a.since).map(({ pid, task }) => [task, pid]))
  return Object.fromEntries((await steady()).map(({ id }) => [id, must(pids.get(id), `${id} runs`)]))
}

const starts = (): string[] => readFileSync(ledger, 'utf8').trim().split('\n').toSorted()

async function leading(): Promise<Role> {
  const seen: { leader: number | null } = { leader: null }
  await waitUntil(async () => {
    seen.leader = await cluster.leader()
    return seen.leader !== null
  })
  return must(cluster.servers[seen.leader ?? -1], 'a server leads')
}

/** What runs is untouched by what `fault` does to the leader, and another leads. */
async function survives(fault: (leader: Role) => Promise<void>): Promise<void> {
  const before = await steady()
  const began = starts()
  const leader = await leading()
  await fault(leader)
  await waitUntil(async () => (await leading()) !== leader)
  await cluster.allReady(AGENTS.length)
  await acted()
  expect((await steady()).map(({ id, attempt }) => ({ id, attempt }))).toEqual(before.map(({ id, attempt }) => ({ id, attempt })))
  expect(starts()).toEqual(began)
}

/** Epoch of the lead that etcd holds now; null while nobody leads. */
async function epochHeld(): Promise<number | null> {
  const { kvs = [] } = JSON.parse(await cluster.etcd.etcdctl('get', '-w', 'json', `/${cluster.prefix}/leader`)) as {
    kvs?: { create_revision: number }[]
  }
  return kvs[0]?.create_revision ?? null
}

describe('a cluster of three servers and two agents', () => {
  it('spreads over the agents, and each server but the leader sends callers there', async () => {
    expect(new Set((await steady()).map(({ agent }) => agent))).toEqual(new Set(AGENTS))
    const leader = await cluster.leader()
    for (const [index] of cluster.servers.entries()) {
      const { status, location } = await cluster.get(index, '/api/v1/apps?x=1')
      expect({ status, location }).toEqual(
        index === leader ? { status: 400, location: null } : { status: 307, location: `${cluster.urlOf(leader ?? 0)}/api/v1/apps?x=1` },
      )
    }
    const { code, stdout } = await cluster.cli('status', 'demo', '-o', 'json')
    expect({ code, health: JSON.parse(stdout).items[0].health }).toEqual({ code: 0, health: 'Healthy' })
  })

  it('gives the lead up before it ends when it is told to, so that nobody waits for its lease, and nothing restarts', async () => {
    await survives(async (leader) => {
      const epoch = await epochHeld()
      expect(epoch).not.toBeNull()
      await leader.end('SIGTERM')
      expect(await epochHeld()).not.toBe(epoch)
    })
    for (const server of cluster.servers) if (!server.isRunning()) server.launch()
  })

  it('P1: has another leader when one is killed, and nothing restarts', async () => {
    await survives((leader) => leader.end('SIGKILL'))
    for (const server of cluster.servers) if (!server.isRunning()) server.launch()
  })

  it('has another leader when one freezes; awake again it neither answers nor writes as leader', async () => {
    const frozen: { leader: Role | null } = { leader: null }
    await survives(async (leader) => {
      frozen.leader = leader
      await leader.freeze()
    })
    const server = must(frozen.leader, 'one was frozen')
    server.thaw()
    await waitUntil(async () => (await cluster.get(cluster.servers.indexOf(server), '/api/v1/tasks')).status === 307)
    await acted()
    const turns = new Turns(cluster.etcd, cluster.prefix)
    const all = await turns.complete()
    await turns.close()
    expect(new Set(all.map(({ epoch }) => epoch)).size).toBeGreaterThan(3)
    expect(staleTurns(all)).toEqual([])
  })

  it('P3: keeps what runs when its agents are killed and started again', async () => {
    const [before, began] = [await steady(), starts()]
    for (const agent of cluster.agents) await agent.end('SIGKILL')
    for (const agent of cluster.agents) agent.launch()
    await cluster.allReady(AGENTS.length)
    await acted()
    expect((await steady()).map(({ id, attempt }) => ({ id, attempt }))).toEqual(before.map(({ id, attempt }) => ({ id, attempt })))
    expect(starts()).toEqual(began)
  })

  it('upgrades its agents one after another while it rolls out: the same processes run on, and all are of the new version', async () => {
    const [before, began, pids] = [await steady(), starts(), await steadyPids()]
    const next = nextVersion('9.9.9')
    try {
      for (const agent of cluster.agents) {
        agent.program = next.program
        await Promise.all([acted(), agent.end('SIGTERM').then(() => agent.launch())])
        await cluster.allReady(AGENTS.length)
      }
      await waitUntil(async () => (await cluster.agentViews()).every(({ version: own }) => own === next.version))
    } finally {
      next.remove()
    }
    expect(await steadyPids()).toEqual(pids)
    expect((await steady()).map(({ id, attempt }) => ({ id, attempt }))).toEqual(before.map(({ id, attempt }) => ({ id, attempt })))
    expect(starts()).toEqual(began)
    const { stdout } = await cluster.cli('doctor', '-o', 'json')
    expect(stdout).toContain('it is of version 9.9.9, the server of')
  })

  it('takes in no server with another key or without a token, and no agent with a token that is used up', async () => {
    const stranger = cluster.server()
    stranger.launch()
    expect(await stranger.ended()).toBe(1)
    expect(stranger.log).toContain('was never in it')
    expect(stranger.log).toContain('--join URL --token-file FILE')
    stranger.launch('--accept-store', must(await cluster.membership(0), 'the first server remembers').cluster)
    expect(await stranger.ended()).toBe(1)
    expect(stranger.log).toContain('secrets.key is not the key of cluster')
    const token = await cluster.token('--agent', '--uses', '1')
    const [first, second] = ['machine-c', 'machine-d'].map((name) => cluster.agent(name, '--token-file', token))
    first?.launch()
    await cluster.allReady(AGENTS.length + 1)
    second?.launch()
    expect(await second?.ended()).toBe(1)
    expect(second?.log).toContain('token')
  })
})
