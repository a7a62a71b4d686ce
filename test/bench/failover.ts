// `npx tsx test/bench/failover.ts --kills 30 --freezes 10` (after `npm run build`): how long a cluster of three servers
// is without a leader that acts, when the leader is killed, frozen beyond its lease, or told to end.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { must } from '../../src/lib/must.ts'
import { Cluster } from '../support/cluster/cluster.ts'
import type { Role } from '../support/cluster/role.ts'
import { staleTurns, Turns } from '../support/cluster/turns.ts'
import { processes } from '../support/e2e-manifests.ts'
import { commitFiles } from '../support/git-repo.ts'
import { waitUntil } from '../support/wait-until.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '30' },
    freezes: { type: 'string', default: '10' },
    ends: { type: 'string', default: '10' },
  },
})
/** Beyond the lease of 10 s. */
const FROZEN_MS = 14_000
const ACT_EVERY_MS = 50
const AGENTS = ['machine-a', 'machine-b']

const say = (line: string) => process.stdout.write(`${line}\n`)

type Fault = 'killed' | 'frozen' | 'told to end'

/** Asks whoever leads for a write, again and again, so that a new leader has something to act on at once. */
async function keepActing(cluster: Cluster, signal: AbortSignal): Promise<void> {
  for (let n = 0; !signal.aborted; n += 1) {
    const verb = n % 2 === 0 ? 'cordon' : 'uncordon'
    const asked = cluster.reachable().map((server) => cluster.postTo(server, `agents/${AGENTS[0]}/${verb}`).catch(() => null))
    await Promise.all([...asked, new Promise((resolve) => setTimeout(resolve, ACT_EVERY_MS))])
  }
}

const FAULTS: Readonly<Record<Fault, (leader: Role) => Promise<void>>> = {
  killed: (leader) => leader.end('SIGKILL'),
  frozen: (leader) => leader.freeze(),
  'told to end': (leader) => leader.end('SIGTERM'),
}

/** Milliseconds from the fault to the first turn that another leader committed. */
async function measure(cluster: Cluster, turns: Turns, fault: Fault): Promise<number> {
  await waitUntil(async () => (await cluster.leader()) !== null)
  const leader = must(cluster.servers[(await cluster.leader()) ?? -1], 'one leads')
  const before = must(turns.seen.at(-1), 'turns were taken').epoch
  const began = performance.now()
  const done = FAULTS[fault](leader)
  await waitUntil(() => (turns.seen.at(-1)?.epoch ?? 0) > before, { timeoutMs: 60_000 })
  const took =
    must(
      turns.seen.find(({ epoch }) => epoch > before),
      'another acted',
    ).at - began
  await done
  if (fault === 'frozen') await new Promise((resolve) => setTimeout(resolve, Math.max(0, FROZEN_MS - took)))
  if (leader.isRunning()) leader.thaw()
  else leader.launch()
  await cluster.allServe()
  await cluster.allReady(AGENTS.length)
  return took
}

const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? 0
const seconds = (ms: number): string => (ms / 1000).toFixed(2).padStart(8)

function row(fault: Fault, times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b)
  const figures = [quantile(sorted, 0.5), quantile(sorted, 0.99), sorted.at(-1) ?? 0].map(seconds).join('')
  return `${fault.padEnd(12)}${String(times.length).padStart(5)}${figures}`
}

const cluster = await Cluster.open(3)
try {
  const ledger = join(cluster.folder('ledger'), 'starts')
  await cluster.begin()
  await cluster.grow({ servers: 3, agents: AGENTS })
  commitFiles(cluster.repo, { 'steady.yaml': processes('steady', { version: '1', replicas: 6, ledger }) }, 'steady')
  await cluster.healthyAt(cluster.repo.head())
  const turns = new Turns(cluster.etcd, cluster.prefix)
  const over = new AbortController()
  const acting = keepActing(cluster, over.signal)
  const times: Record<Fault, number[]> = { killed: [], frozen: [], 'told to end': [] }
  const plan: readonly [Fault, number][] = [
    ['told to end', Number(values.ends)],
    ['killed', Number(values.kills)],
    ['frozen', Number(values.freezes)],
  ]
  for (const [fault, count] of plan) {
    for (let n = 1; n <= count; n += 1) {
      times[fault].push(await measure(cluster, turns, fault))
      process.stderr.write(`${fault} ${n}/${count}: ${seconds(times[fault].at(-1) ?? 0)} s\n`)
    }
  }
  over.abort()
  await acting
  const all = await turns.complete()
  const starts = readFileSync(ledger, 'utf8').trim().split('\n').length
  say('leader        n     p50     p99     max   seconds to the first committed act of the next')
  for (const [fault, count] of plan) if (count > 0) say(row(fault, times[fault]))
  say(
    `turns committed: ${all.length}, of ${new Set(all.map(({ epoch }) => epoch)).size} leaders; stale writes accepted: ${staleTurns(all).length}`,
  )
  say(`task restarts: ${starts - 6}`)
  await turns.close()
} finally {
  await cluster.destroy()
}
