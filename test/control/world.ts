import { mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runAgent } from '../../runtime/agent.ts'
import { createMemoryDownloadCache } from '../../runtime/artifacts/downloads.ts'
import { createFakeDriver } from '../../runtime/drivers/fake/driver.ts'
import { createMemoryFakeMachine, type MemoryFakeMachine } from '../../runtime/drivers/fake/machine.ts'
import { createMemoryJournal, type Journal } from '../../runtime/journal.ts'
import { createLocalUplink } from '../../runtime/local-uplink.ts'
import { createMemoryTreeCache } from '../../runtime/trees.ts'
import type { AgentGate } from '../../src/control/agents/agent-gate.ts'
import { type Control, type ControlDeps, createControl } from '../../src/control/control.ts'
import type { ControlPlane } from '../../src/control/requests/control-plane.ts'
import { type ManifestParser, Renderer } from '../../src/control/source/render.ts'
import { createFileTreeStore } from '../../src/control/source/tree-store.ts'
import { openRepository } from '../../src/git/open.ts'
import { packGitTree } from '../../src/git/pack-tree.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { parseBlob } from '../../src/manifest/blob.ts'
import type { AgentId } from '../../src/model/ids.ts'
import type { AppView, TaskView, WorkloadView } from '../../src/model/views.ts'
import { createMemoryCluster, type MemoryCluster, type MemoryFaults } from '../../src/store/memory.ts'
import type { OpenedStore, Store } from '../../src/store/store.ts'
import { type Changes, commitFiles, type FixtureRepo, makeRepo } from '../support/git-repo.ts'
import { ROOMY } from '../support/roomy.ts'
import { TEST_KEYRING, testVault } from '../support/vault.ts'
import { waitUntil } from '../support/wait-until.ts'

export const APP = 'shop'

/** The parser of production without its thread: the pool has tests of its own. */
const parser: ManifestParser = { parse: async (path, text) => parseBlob(path, text), close: async () => undefined }

export interface WorldOptions {
  readonly path?: string
  readonly ttlMs?: number
  readonly wrap?: (store: Store) => Store
  /** Where control planes keep what they know; a store in memory of the world's own unless told. */
  readonly connect?: () => OpenedStore
  /** The real one, unless said otherwise. */
  readonly clock?: Clock
  /** Address that the server of this index tells. */
  readonly advertise?: (index: number) => string
  /** Age keys that open Secrets. */
  readonly identities?: readonly string[]
}

interface AgentParts {
  readonly id: string
  readonly instance: string
  readonly labels: Record<string, string>
  readonly machine: MemoryFakeMachine
  readonly journal: Journal
  readonly cpuMillis: number
}

/** One control plane process. */
export interface Server {
  readonly control: Control
  readonly faults: MemoryFaults
  readonly ended: Promise<void>
  stop(): Promise<void>
}

export interface RunningAgent extends AgentParts {
  stop(): Promise<void>
}

/** A git repository, a store, control planes and agents in one process; nothing outlives `close`. */
export class World {
  readonly dir = mkdtempSync(join(tmpdir(), 'drover-control-'))
  cluster: MemoryCluster
  readonly repo: FixtureRepo
  readonly servers: Server[] = []
  readonly #options: WorldOptions
  readonly #clock: Clock
  readonly #agents: RunningAgent[] = []
  #ids = 0

  constructor(options: WorldOptions = {}) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.repo = makeRepo(join(this.dir, 'repo'))
    this.cluster = createMemoryCluster({ clock: this.#clock, ttlMs: options.ttlMs ?? 10_000 })
  }

  /** A world with these files committed, one control plane and one agent that accepted work. */
  static async with(files: Changes, options: WorldOptions = {}): Promise<World> {
    const world = new World(options)
    world.commit(files, 'first')
    await world.server()
    await world.agent()
    return world
  }

  commit(changes: Changes, message = 'change'): string {
    return commitFiles(this.repo, changes, message)
  }

  /** Takes the repository away, as a remote that is down or moved. */
  hideRepo(): void {
    renameSync(this.repo.path, `${this.repo.path}.away`)
  }

  bringRepoBack(): void {
    renameSync(`${this.repo.path}.away`, this.repo.path)
  }

  /** `parts` take the place of those that a control plane is made of here. */
  async server(parts: Partial<Pick<ControlDeps, 'trust' | 'log'>> = {}): Promise<Server> {
    const faults = { unreachable: false, losesReplies: false }
    const connected = this.#options.connect?.() ?? this.cluster.connect(faults)
    const store = this.#options.wrap?.(connected) ?? connected
    const control = await createControl({
      trust: null,
      store,
      storeStatus: () => connected.status(),
      clock: this.#clock,
      random: Math.random,
      log: silentLog,
      newId: () => `id${String(++this.#ids).padStart(8, '0')}`,
      version: '0',
      app: { name: APP, source: { repo: this.repo.path, ref: 'main', path: this.#options.path ?? '.' } },
      openRepository: ({ repo }) => openRepository({ repo, dir: join(this.dir, 'git'), clock: systemClock, random: Math.random }),
      packTree: packGitTree,
      renderer: new Renderer(parser, testVault(...(this.#options.identities ?? []))),
      trees: createFileTreeStore(join(this.dir, 'trees')),
      pollMs: 20,
      advertise: this.#options.advertise?.(this.servers.length) ?? null,
      ...parts,
    })
    const over = new AbortController()
    const ended = control.run(over.signal)
    const server: Server = {
      control,
      faults,
      ended,
      stop: async () => {
        over.abort()
        await ended
      },
    }
    this.servers.push(server)
    return server
  }

  /** An agent with a machine of its own, or one that comes back to the machine of another. */
  async agent(over: Partial<AgentParts> = {}): Promise<RunningAgent> {
    // An agent that finds no leader waits before it tries again, which only costs time here.
    await waitUntil(() => this.servers.some(leads))
    const id = over.id ?? 'node-1'
    const defaults = { id, instance: `instance-${id}`, labels: {}, machine: createMemoryFakeMachine(), journal: createMemoryJournal() }
    const parts: AgentParts = { ...defaults, cpuMillis: 4000, ...over }
    const stop = new AbortController()
    const driver = createFakeDriver({ machine: parts.machine, clock: this.#clock })
    const running = runAgent(
      {
        identity: { id: parts.id as AgentId, instance: parts.instance, bootId: 'boot', version: '0' },
        capacity: { cpuMillis: parts.cpuMillis, memoryBytes: 2 ** 32, ports: { from: 20_000, to: 20_100 } },
        labels: parts.labels,
        uplink: createLocalUplink(this.#gate),
        drivers: { fake: driver, docker: driver, process: driver },
        journal: parts.journal,
        trees: createMemoryTreeCache(),
        downloads: createMemoryDownloadCache(),
        disks: ROOMY,
        openSecret: async (value) => TEST_KEYRING.open(value),
        clock: this.#clock,
        random: Math.random,
        log: silentLog,
        startLimit: 16,
      },
      stop.signal,
    )
    const agent: RunningAgent = {
      ...parts,
      stop: async () => {
        stop.abort()
        await running
      },
    }
    this.#agents.push(agent)
    return agent
  }

  /** Whether any of them does. */
  leads(): boolean {
    return this.servers.some(leads)
  }

  /** What the control plane that leads says. */
  get plane(): ControlPlane {
    return this.#leader().control.plane
  }

  /** Where agents find the leader, whoever that is when they call. */
  readonly #gate: AgentGate = {
    accept: (channel) => this.#leader().control.gate.accept(channel),
    tree: (oid, signal) => this.#leader().control.gate.tree(oid, signal),
    receiveLogs: (ticket, lines, signal) => this.#leader().control.gate.receiveLogs(ticket, lines, signal),
  }

  /** Ends the control plane and starts another on the same store. */
  async restart(): Promise<void> {
    await this.stopServers()
    await this.server()
  }

  /** Ends the control planes, and starts one on this store instead. */
  async moveTo(cluster: MemoryCluster): Promise<void> {
    await this.stopServers()
    this.cluster = cluster
    await this.server()
  }

  async stopServers(): Promise<void> {
    for (const server of this.servers.splice(0)) await server.stop()
  }

  /** Of every agent there was, each once. */
  machines(): MemoryFakeMachine[] {
    return [...new Set(this.#agents.map(({ machine }) => machine))]
  }

  app(): AppView {
    return this.plane.app(APP)
  }

  workload(name: string): WorkloadView | undefined {
    return this.app().workloads.find((workload) => workload.name === name)
  }

  /** Tasks that are wanted and have not ended. */
  tasks(name?: string): TaskView[] {
    const over = ['Succeeded', 'Failed', 'Stopped', 'Lost', 'Rejected']
    const wanted = this.plane.tasks().filter((task) => task.desired === 'run' && !over.includes(task.phase))
    return wanted.filter((task) => name === undefined || task.workload === name).sort((a, b) => (a.slot < b.slot ? -1 : 1))
  }

  ids(name?: string): string[] {
    return this.tasks(name).map((task) => task.id)
  }

  gates(): string[] {
    return this.app().holds.map((hold) => hold.gate)
  }

  outcomes(): string[] {
    return this.plane.history(APP).map((line) => line.outcome)
  }

  /** Waits until git's newest commit was taken in and all that it may change is healthy. */
  async healthy(commit = this.repo.head()): Promise<void> {
    await waitUntil(() => this.app().observedRevision?.endsWith(commit) === true && this.app().health === 'Healthy')
  }

  async synced(commit = this.repo.head()): Promise<void> {
    await this.healthy(commit)
    await waitUntil(() => this.app().sync === 'Synced')
  }

  /** And has shown for a while that it stays so: what a later failure returns to. */
  async proved(): Promise<void> {
    await this.synced()
    await waitUntil(() => this.outcomes()[0] === 'Healthy')
  }

  async held(gate: string): Promise<void> {
    await waitUntil(() => this.gates().includes(gate))
  }

  async close(): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.stop()))
    await Promise.all(this.servers.map((server) => server.stop()))
    rmSync(this.dir, { recursive: true, force: true })
  }

  #leader(): Server {
    const server = this.servers.find(leads) ?? this.servers[0]
    if (server === undefined) throw new Error('start a server first')
    return server
  }
}

function leads(server: Server): boolean {
  try {
    server.control.plane.apps()
    return true
  } catch {
    return false
  }
}

interface Spec {
  readonly image?: string
  readonly replicas?: number
  readonly more?: string
  readonly unit?: string
  readonly template?: string
}

/** A Deployment on the fake driver; `more` goes into its spec, `template` into the template's, `unit` into its container. */
export function web(name: string, { image = 'a:1', replicas = 1, more = '', unit = '', template = '' }: Spec = {}): string {
  return `apiVersion: drover.dev/v1
kind: Deployment
metadata: {name: ${name}}
spec:
${indent(more.includes('mode: Global') ? more : `replicas: ${replicas}${more === '' ? '' : `\n${more}`}`, 2)}  template:
    spec:
      driver: fake
${indent(template, 6)}      containers:
      - name: main
        image: "${image}"
${indent(unit, 8)}`
}

export function job(name: string, { image = 'a:1', more = '', unit = 'fake: {runForSeconds: 0}', template = '' }: Spec = {}): string {
  return web(name, { image, more, unit, template }).replace('kind: Deployment', 'kind: Job').replace('  replicas: 1\n', '')
}

/** A CronJob on the fake driver, whose first slot is far away: `more` goes into its spec, `run` into that of its runs. */
export function cron(
  name: string,
  { more = 'schedule: 0 0 29 2 *', unit = 'fake: {runForSeconds: 0}', run = 'backoffLimit: 0' } = {},
): string {
  return `apiVersion: drover.dev/v1
kind: CronJob
metadata: {name: ${name}}
spec:
${indent(more, 2)}  jobTemplate:
    spec:
${indent(run, 6)}      template:
        spec:
          driver: fake
          containers:
          - name: main
            image: "a:1"
${indent(unit, 12)}`
}

export function config(name: string, data: Record<string, string>): string {
  return `apiVersion: drover.dev/v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: ${JSON.stringify(data)}\n`
}

export function policy(sync: object): string {
  return `apiVersion: drover.dev/v1\nkind: App\nmetadata: {name: ${APP}}\nspec: {sync: ${JSON.stringify(sync)}}\n`
}

const indent = (text: string, by: number): string =>
  text === ''
    ? ''
    : `${text
        .split('\n')
        .map((line) => ' '.repeat(by) + line)
        .join('\n')}\n`
