import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { must } from '../../src/lib/must.ts'
import type { AgentView, AppView, HistoryView, RolloutView, RunView, TaskView, WorkloadView } from '../../src/model/views.ts'
import { freePorts } from './etcd.ts'
import { waitUntil } from './wait-until.ts'

/** The built program, as users run it. */
const MAIN = resolve('dist/src/main.js')

export interface UpFlags {
  readonly repo: string
  readonly store?: string
  readonly pollMs?: number
  readonly more?: readonly string[]
}

export interface CliResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** One data directory, and the `drover up` that uses it now. */
export class Drover {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'drover-e2e-'))
  readonly #flags: UpFlags
  #child: ChildProcess | null = null
  #port = 0
  log = ''

  constructor(flags: UpFlags) {
    this.#flags = flags
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Starts `up` and returns once it leads and its agent is connected. */
  async start(): Promise<void> {
    this.launch((await freePorts(1))[0] ?? 0)
    await waitUntil(async () => (await this.agents()).some((agent) => agent.status === 'Ready'), { timeoutMs: 30_000 })
  }

  launch(port: number): void {
    const { repo, store, pollMs = 200, more = [] } = this.#flags
    this.#port = port
    const storeArgs = store === undefined ? [] : ['--store', store]
    const args = [
      'up',
      '--repo',
      repo,
      '--app',
      'demo',
      '--data-dir',
      this.dataDir,
      '--allow-processes',
      '--listen',
      `127.0.0.1:${port}`,
      '--poll',
      `${pollMs}ms`,
      ...storeArgs,
      ...more,
    ]
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'ignore', 'pipe'], env: environment() })
    child.stderr?.on('data', (chunk: Buffer) => {
      this.log = (this.log + chunk.toString()).slice(-200_000)
    })
    this.#child = child
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child
    if (child === null) return
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal)
      await once(child, 'exit')
    }
    this.#child = null
  }

  /** Ends everything this directory ever started, and the directory. */
  async destroy(): Promise<void> {
    await this.end('SIGTERM')
    const result = await cli(['down', '--data-dir', this.dataDir])
    if (result.code !== 0) throw new Error(`drover down failed: ${result.stderr}`)
    rmSync(this.dataDir, { recursive: true, force: true })
  }

  cli(...args: readonly string[]): Promise<CliResult> {
    return cli(['--server', this.url, ...args])
  }

  /** Null while nobody answers. */
  async get<T>(path: string): Promise<T | null> {
    try {
      const response = await fetch(`${this.url}/api/v1/${path}`)
      return response.ok ? ((await response.json()) as T) : null
    } catch {
      return null
    }
  }

  app = async (): Promise<AppView | null> => this.get<AppView>('apps/demo')
  tasks = async (): Promise<TaskView[]> => (await this.get<{ items: TaskView[] }>('tasks'))?.items ?? []
  runs = async (): Promise<RunView[]> => (await this.get<{ items: RunView[] }>('runs'))?.items ?? []
  agents = async (): Promise<AgentView[]> => (await this.get<{ items: AgentView[] }>('agents'))?.items ?? []
  history = async (): Promise<HistoryView[]> => (await this.get<{ items: HistoryView[] }>('apps/demo/history'))?.items ?? []

  /** Newest first. */
  rollouts = async (workload: string): Promise<RolloutView[]> =>
    ((await this.get<{ items: RolloutView[] }>('rollouts'))?.items ?? []).filter((rollout) => rollout.workload === workload)

  /** Looks at git at once, as a poll does. */
  async poll(): Promise<void> {
    const body = JSON.stringify({ allowDelete: 'WithinBudget', plan: null, retry: 'No', actor: 'e2e' })
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${this.url}/api/v1/apps/demo/sync`, { method: 'POST', headers, body })
    if (!response.ok) throw new Error(`sync: ${response.status} ${await response.text()}`)
  }

  /** Waits until the app is so; what it was instead, and the last words of the program, are in the error. */
  async until(what: string, holds: (app: AppView) => boolean, timeoutMs = 60_000): Promise<AppView> {
    const seen: { app: AppView | null } = { app: null }
    const there = async () => {
      seen.app = await this.app()
      return seen.app !== null && holds(seen.app)
    }
    await waitUntil(there, { timeoutMs }).catch((error: unknown) => {
      throw new Error(`not ${what}: ${JSON.stringify(seen.app)}\n${this.log.slice(-4000)}`, { cause: error })
    })
    if (seen.app === null) throw new Error(`not ${what}`)
    return seen.app
  }

  /** Waits until a poll has seen the commit. */
  async observed(commit: string): Promise<AppView> {
    return this.until(`aware of ${commit}`, (app) => app.observedRevision?.endsWith(commit) === true, 10_000)
  }

  /** Waits until the commit is applied and everything is healthy. */
  async healthyAt(commit: string, timeoutMs = 60_000): Promise<AppView> {
    const healthy = (app: AppView) => app.lastAppliedRevision?.endsWith(commit) === true && app.health === 'Healthy'
    return this.until(`healthy at ${commit}`, healthy, timeoutMs)
  }

  /** Waits until what the commit brought to this workload was taken back and the version before serves in full. */
  async rolledBackFrom(commit: string, name: string, timeoutMs = 60_000): Promise<WorkloadView> {
    const back = ({ workloads }: AppView) => workloads.some((workload) => workload.name === name && isBackFrom(workload, commit))
    const app = await this.until(`rolled back from ${commit}`, back, timeoutMs)
    return must(workloadOf(app, name), name)
  }

  /** No Deployment has a rollout that is not over: what is well has shown that it stays so. */
  async proved(): Promise<AppView> {
    return this.until('proved', ({ workloads }) =>
      workloads.every(({ kind, rollout }) => kind !== 'Deployment' || ['Complete', 'Failed'].includes(rollout?.phase ?? '')),
    )
  }

  async running(workload: string): Promise<TaskView[]> {
    return (await this.tasks()).filter((task) => task.workload === workload && task.phase === 'Running')
  }
}

export const workloadOf = (app: AppView | null, name: string): WorkloadView | undefined =>
  app?.workloads.find((workload) => workload.name === name)

function isBackFrom({ quarantine, health, ready, desired }: WorkloadView, commit: string): boolean {
  return quarantine?.badRevision.endsWith(commit) === true && health === 'Healthy' && ready === desired
}

export async function cli(args: readonly string[], stdin = ''): Promise<CliResult> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['pipe', 'pipe', 'pipe'], env: environment() })
  const out = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => (out.stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (out.stderr += chunk.toString()))
  child.stdin.end(stdin)
  const [code] = (await once(child, 'close')) as [number | null]
  return { code: code ?? 128, ...out }
}

function environment(): NodeJS.ProcessEnv {
  const socket = process.env.DROVER_TEST_DOCKER
  return { ...process.env, NO_COLOR: '1', DROVER_LOG: 'info', ...(socket === undefined ? {} : { DOCKER_HOST: `unix://${socket}` }) }
}
