import { readFileSync } from 'node:fs'
import { readdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type CgroupTree, probeCgroups, removeBases } from '../../runtime/drivers/process/cgroup-tree.ts'
import { layoutOf } from '../../runtime/drivers/process/names.ts'
import type { RunView } from '../../src/model/views.ts'
import { createRng } from '../sim/rng.ts'
import { Drover } from '../support/drover.ts'
import { Fleet } from '../support/fleet.ts'
import { commitFiles, makeRepo, scratchFolder } from '../support/git-repo.ts'
import { exitCodeOf, type LedgerEntry, readLedger, shortTasks } from '../support/short-tasks.ts'
import { taskProcesses } from '../support/task-processes.ts'
import { waitUntil } from '../support/wait-until.ts'

/** 60, and with them 2,000 tasks, for the figure in the README (`DROVER_AGENT_KILLS=60 npm test e2e`); fewer where everything else runs too. */
const KILLS = Number(process.env.DROVER_AGENT_KILLS ?? 3)
const KILL_EVERY_MS = 1_000
/** After the last kill. */
const RUNS_END_WITHIN_SECONDS = 300
const SEED = Number(process.env.DROVER_SEED ?? Date.now() % 1_000_000)
const AGENTS = ['agent-1', 'agent-2', 'agent-3']
const TASKS_EACH = 100
const JOBS = Array.from({ length: Math.ceil(KILLS / 3) }, (_, index) => `short-${index}`)
const AT_ONCE = 80

const scratch = scratchFolder()
const ledgerFile = join(scratch.path, 'ledger')
const repo = makeRepo(join(scratch.path, 'repo'))
const drover = new Drover({ repo: repo.path })
let fleet: Fleet

beforeAll(async () => {
  commitFiles(repo, { README: 'no workload yet\n' })
  await drover.start()
  fleet = await Fleet.start({ root: scratch.path, url: drover.url, names: AGENTS })
  await waitUntil(async () => (await drover.agents()).filter(({ status }) => status === 'Ready').length === 1 + AGENTS.length)
})

afterAll(async () => {
  await fleet.destroy()
  for (const agent of AGENTS) await removeCgroups(await cgroupsOf(agent))
  await drover.destroy()
  scratch.remove()
})

function manifests(): Record<string, string> {
  const shape = { completions: TASKS_EACH, parallelism: Math.ceil(AT_ONCE / JOBS.length), ledger: ledgerFile, mark: scratch.path }
  const isolationOf = (index: number) => (index % 4 === 1 ? 'none' : 'cgroup')
  return Object.fromEntries(JOBS.map((name, index) => [`${name}.yaml`, shortTasks({ ...shape, name, isolation: isolationOf(index) })]))
}

async function cgroupsOf(agent: string): Promise<CgroupTree> {
  const { mark } = layoutOf(join(scratch.path, agent, 'process'))
  return (await probeCgroups(`drover-${agent}-${mark}`)).tree
}

/** What a failed test left in them ended with the namespace. */
async function removeCgroups(tree: CgroupTree): Promise<void> {
  for (const { base } of tree) for (const leaf of await leavesIn(base)) await rmdir(join(base, leaf))
  await removeBases(tree)
}

const leavesIn = async (base: string): Promise<string[]> =>
  (await readdir(base, { withFileTypes: true })).filter((entry) => entry.isDirectory()).map(({ name }) => name)

interface Kill {
  readonly agent: string
  /** Seconds since boot. */
  readonly at: number
}

/** Kills agents at random, one a second. */
async function killAgents(): Promise<Kill[]> {
  const rng = createRng(SEED)
  const kills: Kill[] = []
  for (let left = KILLS; left > 0; left -= 1) {
    const next = sleep(KILL_EVERY_MS)
    const agent = rng.pick(AGENTS)
    kills.push({ agent, at: Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) })
    await fleet.kill(agent)
    await next
  }
  return kills
}

/** The command waits for events; asking for thousands of attempts again and again would be most of the work here. */
async function allRunsEnded(): Promise<void> {
  const { code, stderr } = await drover.cli('wait', 'demo', '--healthy', '--timeout', `${RUNS_END_WITHIN_SECONDS}s`)
  if (code === 0) return
  const open = (await drover.tasks()).filter(({ phase }) => phase !== 'Succeeded')
  throw new Error(
    `not ended: ${stderr.slice(-2000)}\n${JSON.stringify(open.slice(0, 10))}\n${drover.log.slice(-4000)}\n${fleet.log.slice(-4000)}`,
  )
}

/** As written by the tasks: each attempt started once, and ended as its slot wants it. */
function checkLedger(ledger: readonly LedgerEntry[]): void {
  expect(ledger.filter(({ starts }) => starts !== 1)).toEqual([])
  expect(ledger.filter(({ slot, attempt, exitCode }) => exitCode !== exitCodeOf(slot, attempt))).toEqual([])
}

const byText = <T>(items: readonly T[], textOf: (item: T) => string): string[] => items.map(textOf).sort()

/** Each run has one record of every attempt in the ledger and no other, and succeeded once in every slot. */
function checkRuns(runs: readonly RunView[], ledger: readonly LedgerEntry[]): void {
  for (const run of runs) {
    expect(run).toMatchObject({ phase: 'Succeeded', succeeded: TASKS_EACH, exitCode: 0, reason: 'Completed' })
    const told = byText(run.attempts, ({ task, attempt, index, exitCode, reason }) => `${task} ${attempt} ${index} ${exitCode} ${reason}`)
    const ofRun = ledger.filter(({ task }) => task.startsWith(`${run.job}-`))
    const reason = (code: number | null) => (code === 0 ? 'Completed' : 'Error')
    const written = byText(ofRun, ({ task, attempt, slot, exitCode }) => `${task} ${attempt} ${slot} ${exitCode} ${reason(exitCode)}`)
    expect(told).toEqual(written)
    const slots = run.attempts.flatMap(({ index, exitCode }) => (exitCode === 0 ? [index ?? -1] : []))
    expect(slots.sort((x, y) => x - y)).toEqual(Array.from({ length: TASKS_EACH }, (_, slot) => slot))
  }
}

/** Neither a process of a task nor a cgroup of an attempt. */
async function checkNothingLeft(): Promise<void> {
  await waitUntil(() => taskProcesses(`SUITE=${scratch.path}`).size === 0)
  const bases = (await Promise.all(AGENTS.map(cgroupsOf))).flat()
  expect((await Promise.all(bases.map(({ base }) => leavesIn(base)))).flat()).toEqual([])
}

/** Attempts whose agent was killed while they ran, each as often as that happened. */
function countAdoptions(ledger: readonly LedgerEntry[], kills: readonly Kill[]): number {
  const survived = ({ agent, at }: Kill): LedgerEntry[] =>
    ledger.filter(
      ({ home, startedAt, endedAt }) => home.startsWith(join(scratch.path, agent)) && startedAt < at && endedAt !== null && at < endedAt,
    )
  return kills.flatMap(survived).length
}

const peakMiB = (pid: number): number => Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024

it(
  `P4: ${KILLS} kills of ${AGENTS.length} agents under ${JOBS.length * TASKS_EACH} short tasks (seed ${SEED}): each attempt started and recorded once, nothing left, no stranger hit`,
  async () => {
    const began = performance.now()
    commitFiles(repo, manifests(), 'work')
    await waitUntil(async () => (await drover.tasks()).some(({ phase }) => phase === 'Running'))
    const kills = await killAgents()
    await allRunsEnded()
    const seconds = Math.round((performance.now() - began) / 1000)
    const controlPlaneMiB = Math.round(peakMiB(drover.pid))
    const runs = await drover.runs()
    const ledger = readLedger(ledgerFile)
    checkLedger(ledger)
    expect(byText(runs, ({ job }) => job)).toEqual(JOBS.toSorted())
    checkRuns(runs, ledger)
    await checkNothingLeft()
    const { strangers, endedStrangers } = await fleet.end()
    expect(strangers.length).toBeGreaterThan(0)
    expect(endedStrangers).toEqual([])
    const adopted = countAdoptions(ledger, kills)
    expect(adopted).toBeGreaterThan(0)
    const figures = { seed: SEED, kills: kills.length, tasks: runs.length * TASKS_EACH, starts: ledger.length }
    process.stdout.write(`${JSON.stringify({ ...figures, adopted, strangers: strangers.length, seconds, controlPlaneMiB })}\n`)
  },
  KILLS * KILL_EVERY_MS + RUNS_END_WITHIN_SECONDS * 1_000 + 60_000,
)
