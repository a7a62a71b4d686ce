import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Drover } from '../support/drover.ts'
import { container, job, processes } from '../support/e2e-manifests.ts'
import { portOf } from '../support/etcd.ts'
import { commitFiles, type FixtureRepo, makeRepo, scratchFolder } from '../support/git-repo.ts'
import { taskProcesses } from '../support/task-processes.ts'
import { waitUntil } from '../support/wait-until.ts'

/** 100 for the figure in the README (`DROVER_KILLS=100 npm test e2e`); fewer where everything else runs too. */
const KILLS = Number(process.env.DROVER_KILLS ?? 4)
const EACH = 10
/** A rollout takes a few seconds here, so kills fall into every part of it. */
const KILL_WITHIN_MS = 4_000
const EXIT_CODES = [0, 3, 42]

const scratch = scratchFolder()
const ledgerFile = join(scratch.path, 'ledger')
const overTheNetwork: string[] = []
let server: Server
let repo: FixtureRepo
let drover: Drover

/** What the tasks themselves wrote down; Drover never reads it. */
function ledger(): { starts: string[]; ends: Map<string, number> } {
  const lines = [...readFileSync(ledgerFile, 'utf8').split('\n'), ...overTheNetwork]
  const ends = lines.filter((line) => line.startsWith('end ')).map((line) => line.split(' '))
  return {
    starts: lines.filter((line) => line.startsWith('start ')).map((line) => line.split(' ').slice(1, 3).join(' ')),
    ends: new Map(ends.map(([, task, attempt, code]) => [`${task} ${attempt}`, Number(code)])),
  }
}

function manifests(round: number): Record<string, string> {
  const version = String(round)
  const ledgerPort = portOf(server)
  const marked = (text: string) => text.replace('env: [', `env: [{name: SUITE, value: "${scratch.path}"}, `)
  return {
    'containers.yaml': marked(container('containers', { version, replicas: EACH, ledgerPort })),
    'processes.yaml': marked(processes('processes', { version, replicas: EACH, ledger: ledgerFile })),
    'batch.yaml': job('batch', { version, exitCode: EXIT_CODES[round % EXIT_CODES.length] ?? 0, ledger: ledgerFile }),
  }
}

beforeAll(async () => {
  server = createServer((socket) => {
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
    socket.on('end', () => overTheNetwork.push(...text.split('\n')))
    socket.on('error', () => socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  repo = makeRepo(join(scratch.path, 'repo'))
  commitFiles(repo, { ...manifests(0), 'ledger-is-outside': 'yes\n' }, 'round 0')
  drover = new Drover({ repo: repo.path })
  await drover.start()
  await settled()
})

afterAll(async () => {
  await drover.destroy()
  server.close()
  scratch.remove()
})

/** Both Deployments as git says, and the job's run ended; its exit code may be a failure. */
async function settled(): Promise<void> {
  const there = async () => {
    const app = await drover.app()
    const health = (name: string) => app?.workloads.find((workload) => workload.name === name)?.health
    const run = (await drover.runs())[0]
    return (
      app?.lastAppliedRevision?.endsWith(repo.head()) === true &&
      health('containers') === 'Healthy' &&
      health('processes') === 'Healthy' &&
      run?.finishedAt !== null &&
      run?.revision.endsWith(repo.head()) === true
    )
  }
  await waitUntil(there, { timeoutMs: 60_000 }).catch(async (error: unknown) => {
    throw new Error(
      `did not converge: ${JSON.stringify(await drover.app())} ${JSON.stringify(await drover.tasks())}\n${drover.log.slice(-4000)}`,
      { cause: error },
    )
  })
}

it(
  `P6: ${KILLS} kills at random moments of a rollout of ${EACH} containers and ${EACH} processes: converges, no double start, no orphan, no lost exit code`,
  async () => {
    for (let round = 1; round <= KILLS; round += 1) {
      commitFiles(repo, manifests(round), `round ${round}`)
      await sleep(Math.random() * KILL_WITHIN_MS)
      await drover.end('SIGKILL')
      await drover.start()
      await settled()
    }
    const { starts, ends } = ledger()
    expect(starts.length).toBeGreaterThan(KILLS)
    expect(starts.filter((start, index) => starts.indexOf(start) !== index)).toEqual([])

    const reported = new Map(
      (await drover.runs()).flatMap((run) => run.attempts.map((attempt) => [`${attempt.task} ${attempt.attempt}`, attempt.exitCode])),
    )
    expect(ends.size).toBeGreaterThanOrEqual(1)
    for (const [attempt, code] of ends) expect([attempt, reported.get(attempt)]).toEqual([attempt, code])

    const wanted = new Set((await drover.tasks()).filter((task) => task.phase === 'Running').map((task) => task.id))
    expect(wanted.size).toBe(2 * EACH)
    await waitUntil(() => [...taskProcesses(`SUITE=${scratch.path}`).values()].every((task) => wanted.has(task)), { timeoutMs: 60_000 })
  },
  KILLS * 30_000 + 60_000,
)
