import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { AgentView, AppView, HistoryView, RunView, TaskView } from '../../src/model/views.ts'
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

  /** Waits until the commit is applied and everything is healthy. */
  async healthyAt(commit: string, timeoutMs = 60_000): Promise<AppView> {
    let last: AppView | null = null
    const there = async () => {
      last = await this.app()
      return last !== null && last.lastAppliedRevision?.endsWith(commit) === true && last.health === 'Healthy'
    }
    await waitUntil(there, { timeoutMs }).catch((error: unknown) => {
      throw new Error(`not healthy at ${commit}: ${JSON.stringify(last)}\n${this.log.slice(-4000)}`, { cause: error })
    })
    return last as unknown as AppView
  }

  async running(workload: string): Promise<TaskView[]> {
    return (await this.tasks()).filter((task) => task.workload === workload && task.phase === 'Running')
  }
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
