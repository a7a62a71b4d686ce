import { readFileSync } from 'node:fs'
import { readdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type CgroupTree, removeBases } from '../../runtime/drivers/process/cgroup-tree.ts'
import { probeFacts } from '../../runtime/drivers/process/facts.ts'
import { layoutOf } from '../../runtime/drivers/process/names.ts'
import type { TaskView } from '../../src/model/views.ts'
import { createRng } from '../sim/rng.ts'
import { Drover } from '../support/drover.ts'
import { Fleet } from '../support/fleet.ts'
import { commitFiles, makeRepo, scratchFolder } from '../support/git-repo.ts'
import { exitCodeOf, type LedgerEntry, readLedger, shortTasks } from '../support/short-tasks.ts'
import { taskProcesses } from '../support/task-processes.ts'
import { waitUntil } from '../support/wait-until.ts'

/** 60, and with them 2,000 tasks, for the figure in the README (`DROVER_AGENT_KILLS=60 npm test e2e`); fewer where everything else runs too. */
const KILLS = Number(process.env.DROVER_AGENT_KILLS ?? 18)
const KILL_EVERY_MS = 1_000
/** After the last kill. */
const RUNS_END_WITHIN_SECONDS = 180
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
  return Object.fromEntries(JOBS.map((name) => [`${name}.yaml`, shortTasks({ ...shape, name })]))
}

async function cgroupsOf(agent: string): Promise<CgroupTree> {
  const { mark } = layoutOf(join(scratch.path, agent, 'process'))
  return (await probeFacts(`drover-${agent}-${mark}`)).cgroups
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

/** What the tasks wrote, and what Drover says. */
interface Outcome {
  readonly ledger: readonly LedgerEntry[]
  readonly tasks: ReadonlyMap<string, TaskView>
}

async function outcome(): Promise<Outcome> {
  const tasks = new Map((await drover.tasks()).map((task) => [task.id, task]))
  return { ledger: [...readLedger(ledgerFile).values()], tasks }
}

/** Every slot of every job has succeeded once, and each attempt that the ledger knows has one record, with the exit code that its slot asks for. */
function checkTasks({ ledger, tasks }: Outcome): void {
  expect(ledger.filter(({ starts }) => starts !== 1)).toEqual([])
  expect([...tasks.values()].filter(({ phase }) => phase !== 'Succeeded')).toEqual([])
  const places = JOBS.flatMap((job) => Array.from({ length: TASKS_EACH }, (_, slot) => `${job} ${slot}`))
  expect([...tasks.values()].map(({ workload, slot }) => `${workload} ${slot}`).sort()).toEqual(places.sort())
  const recorded = [...tasks.values()].flatMap(({ id, slot, attempts }) =>
    attempts.map(({ attempt, exitCode, reason }) => `${id} slot ${slot} attempt ${attempt}: ${reason} ${exitCode}`),
  )
  const expected = ledger.map(({ task, attempt }) => {
    const slot = Number(tasks.get(task)?.slot)
    const code = exitCodeOf(slot, attempt)
    return `${task} slot ${slot} attempt ${attempt}: ${code === 0 ? 'Completed' : 'Error'} ${code}`
  })
  expect(recorded.sort()).toEqual(expected.sort())
  expect(ledger.filter(({ task, attempt, exitCode }) => exitCode !== exitCodeOf(Number(tasks.get(task)?.slot), attempt))).toEqual([])
}

async function checkRuns({ ledger, tasks }: Outcome): Promise<void> {
  for (const run of await drover.runs()) {
    expect(run).toMatchObject({ phase: 'Succeeded', exitCode: 0, reason: 'Completed' })
    const told = run.attempts.map(({ task, attempt, index, exitCode }) => `${task} ${attempt} ${index} ${exitCode}`)
    const written = ledger
      .filter(({ task }) => tasks.get(task)?.workload === run.job)
      .map(({ task, attempt, exitCode }) => `${task} ${attempt} ${tasks.get(task)?.slot} ${exitCode}`)
    expect(told.sort()).toEqual(written.sort())
  }
}

/** Neither a process of a task nor a cgroup of an attempt. */
async function checkNothingLeft(): Promise<void> {
  await waitUntil(() => taskProcesses(`SUITE=${scratch.path}`).size === 0)
  const bases = (await Promise.all(AGENTS.map(cgroupsOf))).flat()
  expect((await Promise.all(bases.map(({ base }) => leavesIn(base)))).flat()).toEqual([])
}

/** Attempts whose agent was killed while they ran, each as often as that happened. */
function countAdoptions({ ledger, tasks }: Outcome, kills: readonly Kill[]): number {
  const survived = kills.map(
    ({ agent, at }) =>
      ledger.filter(
        ({ task, startedAt, endedAt }) => tasks.get(task)?.agent === agent && startedAt < at && endedAt !== null && at < endedAt,
      ).length,
  )
  return survived.reduce((sum, one) => sum + one, 0)
}

const peakMiB = (pid: number): number => Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024

it(
  `${KILLS} kills of ${AGENTS.length} agents under ${JOBS.length * TASKS_EACH} short tasks (seed ${SEED}): each attempt started and recorded once, nothing left, no stranger hit`,
  async () => {
    const began = performance.now()
    commitFiles(repo, manifests(), 'work')
    await waitUntil(async () => (await drover.tasks()).some(({ phase }) => phase === 'Running'))
    const kills = await killAgents()
    await allRunsEnded()
    const seconds = Math.round((performance.now() - began) / 1000)
    const controlPlaneMiB = Math.round(peakMiB(drover.pid))
    const found = await outcome()
    checkTasks(found)
    await checkRuns(found)
    await checkNothingLeft()
    const { strangers, endedStrangers } = await fleet.end()
    expect(strangers.length).toBeGreaterThan(0)
    expect(endedStrangers).toEqual([])
    const adopted = countAdoptions(found, kills)
    expect(adopted).toBeGreaterThan(0)
    const figures = { seed: SEED, kills: kills.length, tasks: found.tasks.size, starts: found.ledger.length }
    const more = { adopted, strangers: strangers.length, seconds, controlPlaneMiB }
    process.stdout.write(`${JSON.stringify({ ...figures, ...more })}\n`)
  },
  KILLS * KILL_EVERY_MS + RUNS_END_WITHIN_SECONDS * 1_000 + 60_000,
)
