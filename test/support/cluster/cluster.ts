import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Agent, fetch } from 'undici'
import { readMembership } from '../../../src/main/cluster-file.ts'
import type { AgentView, AppView, TaskView } from '../../../src/model/views.ts'
import { type CliResult, cli } from '../drover.ts'
import { type EtcdServer, freePorts, startEtcd } from '../etcd.ts'
import { commitFiles, type FixtureRepo, makeRepo, type Scratch, scratchFolder } from '../git-repo.ts'
import { waitUntil } from '../wait-until.ts'
import { Role } from './role.ts'

const APP = 'demo'
/** Servers and agents start side by side, on a machine that may have other work. */
const UP_WITHIN_MS = 90_000

interface Answer {
  readonly status: number
  readonly location: string | null
  readonly body: unknown
}

/** Servers and agents as processes on loopback, with TLS and tokens, on a real etcd and a real repository. */
export class Cluster {
  readonly prefix = 'drover-cluster'
  readonly etcd: EtcdServer
  readonly repo: FixtureRepo
  readonly servers: Role[] = []
  readonly agents: Role[] = []
  readonly #scratch: Scratch
  readonly #ports: readonly number[]
  #trusting: Agent | null = null
  #admin = ''

  /** With room for so many servers; none is started yet. */
  static async open(servers: number): Promise<Cluster> {
    return new Cluster({ etcd: await startEtcd(), ports: await freePorts(servers) })
  }

  private constructor({ etcd, ports }: { etcd: EtcdServer; ports: readonly number[] }) {
    this.etcd = etcd
    this.#ports = ports
    this.#scratch = scratchFolder()
    this.repo = makeRepo(join(this.#scratch.path, 'repo'))
    // A branch that is not there would be looked for ever more rarely.
    commitFiles(this.repo, { README: 'no workload yet\n' }, 'begin')
  }

  dataDir(name: string): string {
    return join(this.#scratch.path, name)
  }

  urlOf(server: number): string {
    return `https://127.0.0.1:${this.#ports[server]}`
  }

  get urls(): string[] {
    return this.servers.map((_, index) => this.urlOf(index))
  }

  /** A server that is not started yet. */
  server(...more: readonly string[]): Role {
    const index = this.servers.length
    const name = `server-${index}`
    const where = ['--data-dir', this.dataDir(name), '--listen', `127.0.0.1:${this.#ports[index]}`, '--store', this.etcd.url(this.prefix)]
    const role = new Role(name, ['server', '--repo', this.repo.path, '--app', APP, '--poll', '200ms', ...where, ...more])
    this.servers.push(role)
    return role
  }

  /** An agent that is not started yet; it knows all servers that are there now. */
  agent(name: string, ...more: readonly string[]): Role {
    const servers = this.urls.flatMap((url) => ['--server', url])
    const role = new Role(name, ['agent', ...servers, '--data-dir', this.dataDir(name), '--name', name, '--allow-processes', ...more])
    this.agents.push(role)
    return role
  }

  /** The first server of a new cluster, and the admin's credentials. */
  async begin(): Promise<void> {
    const first = this.server()
    first.launch()
    const tokenFile = join(this.dataDir(first.name), 'admin.token')
    await first.says(/admin\.token/)
    this.#admin = readFileSync(tokenFile, 'utf8').trim()
    const anybody = new Agent({ connect: { rejectUnauthorized: false } })
    const ca = await (await fetch(`${this.urlOf(0)}/trust/v1/roots`, { dispatcher: anybody })).text()
    await anybody.close()
    this.#trusting = new Agent({ connect: { ca } })
  }

  /** `drover token create`, into a file. */
  async token(...flags: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.cli('token', 'create', ...flags)
    if (code !== 0) throw new Error(`no token: ${stderr}`)
    const path = join(this.#scratch.path, `token-${Math.random().toString(36).slice(2)}`)
    writeFileSync(path, stdout)
    return path
  }

  /** Three servers and these agents, all of them up. */
  async grow({ servers, agents }: { servers: number; agents: readonly string[] }): Promise<void> {
    const serverToken = await this.token('--control-plane', '--uses', String(servers))
    while (this.servers.length < servers) this.server('--join', this.urlOf(0), '--token-file', serverToken).launch()
    await this.allServe()
    const agentToken = await this.token('--agent', '--uses', String(agents.length))
    for (const name of agents) this.agent(name, '--token-file', agentToken).launch()
    await this.allReady(agents.length)
  }

  /** Every server answers. */
  async allServe(): Promise<void> {
    for (const [index] of this.servers.entries())
      await waitUntil(async () => (await this.get(index, '/livez')).status === 200, { timeoutMs: UP_WITHIN_MS })
  }

  /** Servers that run, and are not frozen. */
  reachable(): number[] {
    return [...this.servers.keys()].filter((index) => this.servers[index]?.isRunning() === true && !this.servers[index].isFrozen)
  }

  async allReady(count: number): Promise<void> {
    const ready = async () => (await this.agentViews()).filter(({ status }) => status === 'Ready').length === count
    await waitUntil(ready, { timeoutMs: UP_WITHIN_MS }).catch((cause: unknown) => {
      throw new Error(`not ${count} agents ready\n${this.logs()}`, { cause })
    })
  }

  /** As the admin, at one server; redirects are not followed. */
  async get(server: number, path: string): Promise<Answer> {
    return this.#ask(`${this.urlOf(server)}${path}`, {})
  }

  async #ask(url: string, init: { method?: string; body?: string }): Promise<Answer> {
    const headers = { authorization: `Bearer ${this.#admin}`, 'content-type': 'application/json' }
    const dispatcher = this.#trusting ?? undefined
    const signal = AbortSignal.timeout(3_000)
    const answer = await fetch(url, { ...init, headers, redirect: 'manual', signal, ...(dispatcher === undefined ? {} : { dispatcher }) })
    const text = await answer.text()
    const body: unknown = answer.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text
    return { status: answer.status, location: answer.headers.get('location'), body }
  }

  /** Index of the server that says that it leads; null while none does. */
  async leader(): Promise<number | null> {
    const running = this.reachable()
    const answers = await Promise.allSettled(running.map((index) => this.get(index, '/version')))
    const at = answers.findIndex((answer) => answer.status === 'fulfilled' && answer.value.status === 200)
    return running[at] ?? null
  }

  async #read<T>(path: string): Promise<T | null> {
    const leader = await this.leader()
    if (leader === null) return null
    const { status, body } = await this.get(leader, `/api/v1/${path}`)
    return status === 200 ? (body as T) : null
  }

  /** A verb, at the leader. */
  async post(path: string, body: object = {}): Promise<Answer | null> {
    const leader = await this.leader()
    return leader === null ? null : this.postTo(leader, path, body)
  }

  /** A verb, at one server; redirects are not followed. */
  postTo(server: number, path: string, body: object = {}): Promise<Answer> {
    return this.#ask(`${this.urlOf(server)}/api/v1/${path}`, { method: 'POST', body: JSON.stringify(body) })
  }

  app = async (): Promise<AppView | null> => this.#read<AppView>(`apps/${APP}`)
  tasks = async (): Promise<TaskView[]> => (await this.#read<{ items: TaskView[] }>('tasks'))?.items ?? []
  agentViews = async (): Promise<AgentView[]> => (await this.#read<{ items: AgentView[] }>('agents'))?.items ?? []

  /** Waits until this commit is applied and everything is healthy. */
  async healthyAt(commit: string, timeoutMs = UP_WITHIN_MS): Promise<void> {
    const seen: { app: AppView | null } = { app: null }
    const healthy = async () => {
      seen.app = await this.app()
      return seen.app?.lastAppliedRevision?.endsWith(commit) === true && seen.app.health === 'Healthy'
    }
    await waitUntil(healthy, { timeoutMs }).catch((cause: unknown) => {
      throw new Error(`not healthy at ${commit}: ${JSON.stringify(seen.app)}\n${this.logs()}`, { cause })
    })
  }

  logs = (): string => [...this.servers, ...this.agents].map(({ name, log }) => `--- ${name}\n${log.slice(-1500)}`).join('\n')

  /** The command line as the admin, at the first server that runs. */
  cli(...args: readonly string[]): Promise<CliResult> {
    const at = Math.max(
      0,
      this.servers.findIndex((server) => server.isRunning()),
    )
    const file = join(this.#scratch.path, 'admin.token')
    writeFileSync(file, this.#admin)
    return cli(['--server', this.urlOf(at), '--token-file', file, ...args])
  }

  /** A folder of its own for a test. */
  folder(name: string): string {
    const path = join(this.#scratch.path, name)
    mkdirSync(path, { recursive: true })
    return path
  }

  membership = (server: number) => readMembership(this.dataDir(`server-${server}`))

  /** Ends all, and every task with it. */
  async destroy(): Promise<void> {
    for (const role of [...this.agents, ...this.servers]) await role.end('SIGTERM')
    for (const { name, log } of this.agents) {
      const { code, stderr } = await cli(['down', '--data-dir', this.dataDir(name)])
      if (code !== 0) throw new Error(`drover down failed for ${name}: ${stderr}\n${log.slice(-2000)}`)
    }
    await this.#trusting?.close()
    await this.etcd.close()
    this.#scratch.remove()
  }
}
