import { runAgent } from '../../runtime/agent.ts'
import { createMemoryDownloadCache } from '../../runtime/artifacts/downloads.ts'
import type { AttemptRef } from '../../runtime/driver.ts'
import { createFakeDriver } from '../../runtime/drivers/fake/driver.ts'
import { createMemoryFakeMachine, type FakeRecord, type MemoryFakeMachine } from '../../runtime/drivers/fake/machine.ts'
import { createMemoryJournal, type Journal } from '../../runtime/journal.ts'
import { createMemoryTreeCache } from '../../runtime/trees.ts'
import type { Uplink } from '../../runtime/uplink.ts'
import type { Clock } from '../../src/lib/clock.ts'
import type { Logger } from '../../src/lib/log.ts'
import type { AgentId, Millis } from '../../src/model/ids.ts'
import { ROOMY } from '../support/roomy.ts'
import { TEST_KEYRING } from '../support/vault.ts'
import { diskJournal, type MachineFaults, noMachineFaults, reachedMachine } from './disk.ts'
import { EPOCH, type Incarnation, type WallClock } from './incarnation.ts'
import type { Seams } from './seams.ts'

/** What the ledger of all machines is told; the product never sees it. */
interface Ledger {
  started(agent: AgentNode, record: FakeRecord): void
  stopped(agent: AgentNode, record: FakeRecord): void
  removed(agent: AgentNode, ref: AttemptRef): void
}

export interface AgentNodeDeps {
  readonly seams: Seams
  readonly ledger: Ledger
  readonly log: (by: Incarnation) => Logger
  readonly newLife: (name: string, wall: WallClock) => Incarnation
  readonly uplink: (agent: AgentNode, life: Incarnation) => Uplink
  readonly broke: (by: Incarnation, error: unknown) => void
}

/** One machine: its agent may die and come back; its tasks, disk and wall clock do not care. */
export class AgentNode {
  readonly id: AgentId
  readonly machine: MemoryFakeMachine = createMemoryFakeMachine()
  journal: Journal = createMemoryJournal()
  readonly faults: MachineFaults = noMachineFaults()
  readonly clock: WallClock
  life: Incarnation | null = null
  readonly #deps: AgentNodeDeps
  readonly #trees = createMemoryTreeCache()
  #disks = 1
  #boots = 1

  constructor(id: AgentId, skewMs: Millis, deps: AgentNodeDeps) {
    this.id = id
    this.#deps = deps
    this.clock = { skewMs, jumpedMs: 0 }
  }

  get name(): string {
    return this.id
  }

  start(): void {
    const life = this.#deps.newLife(this.id, this.clock)
    this.life = life
    this.#run(life).catch((error: unknown) => this.#deps.broke(life, error))
  }

  crash(): Incarnation | null {
    const { life } = this
    life?.crash()
    this.life = null
    return life
  }

  /** Its state directory is lost; what runs on the machine goes on. Only while the agent is down. */
  loseDisk(): void {
    this.#disks += 1
    this.journal = createMemoryJournal()
  }

  get lostDisk(): boolean {
    return this.#disks > 1
  }

  /** Another life of the whole machine, on which nothing runs. Only while the agent is down. */
  reboot(): void {
    this.#boots += 1
  }

  /** What its tasks see: they are programs, and no jump of a wall clock makes one run for longer. */
  steady(now: Millis): Millis {
    return EPOCH + Math.floor(now) + this.clock.skewMs
  }

  async #run(life: Incarnation): Promise<void> {
    const { seams, ledger, log } = this.#deps
    const observer = {
      started: (record: FakeRecord) => ledger.started(this, record),
      stopped: (record: FakeRecord) => ledger.stopped(this, record),
      removed: (ref: AttemptRef) => ledger.removed(this, ref),
    }
    const machine = reachedMachine(this.machine, life, { faults: this.faults, observer })
    const clock: Clock = { ...life.clock, now: () => this.steady(life.clock.monotonic()) }
    const fake = seams.driver(createFakeDriver({ machine, clock }), life)
    const none = { ...fake, fingerprint: async () => ({ available: false, detail: 'not simulated' }), owned: async () => [] }
    await runAgent(
      {
        identity: { id: this.id, instance: `disk-${this.#disks}-of-${this.id}`, bootId: `boot-${this.#boots}`, version: 'sim' },
        capacity: { cpuMillis: 4000, memoryBytes: 2 ** 33, ports: { from: 20_000, to: 20_999 } },
        labels: { hostname: this.id },
        uplink: seams.uplink(this.#deps.uplink(this, life), life),
        drivers: { fake, docker: none, process: none },
        journal: seams.journal(diskJournal(this.journal, life, this.faults), life),
        trees: this.#trees,
        downloads: createMemoryDownloadCache(),
        disks: ROOMY,
        openSecret: async (value) => TEST_KEYRING.open(value),
        clock: life.clock,
        random: () => life.rng.next(),
        log: log(life),
        startLimit: 4,
      },
      new AbortController().signal,
    )
    throw new Error('the agent ended by itself')
  }
}
