import { readFileSync } from 'node:fs'
import { taskProcesses } from '../../support/task-processes.ts'
import { STEADY } from './load.ts'
import { MACHINES } from './run-folder.ts'
import { daemonsOf, type World } from './world.ts'

const POLL_MS = 250
const LIVE = new Set(['Preparing', 'Starting', 'Running', 'Stopping', 'Assigned'])

/** How long it took until all was as git says, and what was missing until then. */
export interface Quiet {
  readonly ms: number
  /** Null when it came; what it still waited for otherwise. */
  readonly missing: string | null
  /** What was missing last before it came. */
  readonly last: string | null
  /** What had begun before then is over. Seconds since boot, as in the ledger. */
  readonly upTo: number
}

/** Waits until the cluster has recovered in every respect, or for so long. What ends by itself is started again, as by systemd. */
export async function untilQuiet(world: World, deadlineMs: number): Promise<Quiet> {
  const began = performance.now()
  let last: string | null = null
  for (;;) {
    for (const daemon of daemonsOf(world)) daemon.revive()
    const upTo = uptime()
    const missing = await whatIsMissing(world).catch((error: unknown) => (error instanceof Error ? error.message : String(error)))
    const ms = performance.now() - began
    if (missing === null || ms > deadlineMs) return { ms, missing, last, upTo }
    last = missing
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

const uptime = (): number => Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0])

/** One thing that is not yet as it should be; null: nothing. */
async function whatIsMissing(world: World): Promise<string | null> {
  return (await appIsMissing(world)) ?? (await agentsAreMissing(world)) ?? (await workIsMissing(world))
}

async function appIsMissing({ api, git }: World): Promise<string | null> {
  const app = await api.app()
  const head = git.repo.head()
  if (app.lastAppliedRevision?.endsWith(head) !== true) return `${head} is not applied, but ${app.lastAppliedRevision}`
  if (app.sync === 'Synced' && app.health === 'Healthy') return null
  const ill = app.workloads.filter(({ health }) => health !== 'Healthy').map(({ name, health, reasons }) => ({ name, health, reasons }))
  return `the app is ${app.sync} and ${app.health}: ${JSON.stringify(ill)}`
}

async function agentsAreMissing({ api }: World): Promise<string | null> {
  const ready = (await api.agents()).filter(({ status }) => status === 'Ready')
  return ready.length === MACHINES.length ? null : `only ${ready.map(({ id }) => id).join(', ') || 'no agents'} are ready`
}

async function workIsMissing({ api, root, history, checks, engines }: World): Promise<string | null> {
  await history.catchUp()
  const open = [...checks.table('runs').values()].find(({ phase }) => phase === 'Pending' || phase === 'Running')
  if (open !== undefined) return `run ${open.id} of ${open.workload} is ${open.phase}`
  const tasks = await api.tasks()
  const steady = tasks.filter(({ workload, phase, ready }) => workload === 'steady' && phase === 'Running' && ready)
  if (steady.length !== STEADY) return `${steady.length} of ${STEADY} steady tasks run`
  const live = new Set(tasks.filter(({ phase }) => LIVE.has(phase)).map(({ id }) => id))
  const orphan = [...taskProcesses(`SUITE=${root}`)].find(([, task]) => !live.has(task))
  if (orphan !== undefined) return `orphan: process ${orphan[0]} of task ${orphan[1]}`
  const containers = (await Promise.all([...engines.values()].map((engine) => engine.tasks()))).flat()
  const stray = containers.find((task) => !live.has(task))
  return stray === undefined ? null : `orphan: a container of task ${stray}`
}
