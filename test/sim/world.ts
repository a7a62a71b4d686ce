import type { Uplink } from '../../runtime/uplink.ts'
import type { Clock } from '../../src/lib/clock.ts'
import { messageOf, RetryableError } from '../../src/lib/errors.ts'
import type { Logger } from '../../src/lib/log.ts'
import type { AgentId, Digest, Millis } from '../../src/model/ids.ts'
import { createMemoryCluster, type MemoryCluster } from '../../src/store/memory.ts'
import type { Txn } from '../../src/store/store.ts'
import { AgentNode } from './agent-node.ts'
import type { Checker } from './checker.ts'
import { CHECKERS, together } from './checkers/all.ts'
import { ControlNode, describeError } from './control-node.ts'
import { chunksOf } from './disk.ts'
import { SimGit } from './git-repo.ts'
import { EPOCH, Incarnation, type WallClock } from './incarnation.ts'
import { Ledger } from './ledger.ts'
import { Mirror } from './mirror.ts'
import { type Link, Network } from './network.ts'
import { createRng, type Rng } from './rng.ts'
import { Scheduler } from './scheduler.ts'
import type { Seams } from './seams.ts'
import { Trace } from './trace.ts'
import { Findings } from './violation.ts'

export interface WorldOptions {
  readonly seed: number
  readonly agents: number
  readonly controls: number
  readonly seams: Seams
  readonly print: ((line: string) => void) | null
}

/** The text of an error that only a bug of ours can cause. */
const BUG =
  /^(DesiredForward|PlacedOnce|TaskImmutable|GenerationForward|ObservedForward|OneTerminalRecord|OneTaskPerSlot|NeverAboveSurge|DecisionsSettle|broken assumption): /
const BUG_LOGS: ReadonlySet<string> = new Set(['task loop broke'])
/** How far an agent's wall clock may be from the others', and a control plane's. */
const SKEW_MS = 3000
const CONTROL_SKEW_MS = 500
/** How much faster or slower than others' the store's clock runs, at most; a leader that trusts its lease for 0.66 of it stands more. */
const STORE_DRIFT = 0.3

export type { AgentNode, ControlNode }
/** A machine of the control plane or of the fleet: its process may die, freeze and come back. */
export type Machine = ControlNode | AgentNode

/** Everything of one run: machines, network, store and git, and the checkers that watch them. */
export class World {
  readonly trace: Trace
  readonly scheduler: Scheduler
  readonly rng: Rng
  readonly findings: Findings
  readonly ledger = new Ledger()
  readonly templates = new Map<Digest, string>()
  readonly git = new SimGit()
  readonly mirror = new Mirror(() => this.scheduler.now)
  readonly network: Network
  readonly controls: readonly ControlNode[]
  readonly agents: readonly AgentNode[]
  /** How far ahead of the world any wall clock ever was: what it stamped then may be due as much later than it should. */
  furthestAheadMs: Millis = 0
  readonly #checker: Required<Checker>
  readonly #seams: Seams
  readonly #buried = new Set<Machine>()
  #lives = 0

  constructor(options: WorldOptions) {
    this.trace = new Trace(options.print)
    this.scheduler = new Scheduler(this.trace)
    this.rng = createRng(options.seed)
    this.findings = new Findings(() => this.scheduler.now)
    this.#seams = options.seams
    this.network = new Network(this.scheduler, this.rng.fork('network'), (delivery) => this.#checker.delivered(delivery))
    const store = createMemoryCluster({ clock: this.#storeClock(this.rng.fork('store clock')) })
    this.controls = Array.from({ length: options.controls }, (_, index) => this.#controlNode(`cp${index + 1}`, store))
    this.agents = Array.from({ length: options.agents }, (_, index) => this.#agentNode(`agent-${index + 1}` as AgentId))
    const context = {
      findings: this.findings,
      git: this.git,
      agents: new Map(this.agents.map((agent) => [agent.id, agent])),
      mirror: this.mirror,
      ledger: this.ledger,
      templates: this.templates,
      now: () => this.scheduler.now,
    }
    this.#checker = together(CHECKERS.map((make) => make(context)))
    this.git.onResolved = (by, oid) => this.#checker.resolved(by, oid)
  }

  note(text: string): void {
    this.trace.note(this.scheduler.now, text)
  }

  /** The wall clock of the control plane. */
  wall(): Millis {
    return EPOCH + this.scheduler.now
  }

  links(): Link[] {
    return this.agents.flatMap((agent) => this.linksOf(agent))
  }

  linksOf(node: Machine): Link[] {
    if ('machine' in node) return this.controls.map((control) => this.network.link(node.id, control.name))
    return this.agents.map((agent) => this.network.link(agent.id, node.name))
  }

  /** Whatever runs on a machine ends, and nobody is told. */
  endAll(agent: AgentNode): void {
    for (const { record } of this.ledger.runningOn(agent, this.scheduler.now)) {
      const ended = { ...record, stoppedAt: agent.steady(this.scheduler.now) }
      void agent.machine.replace(ended)
      this.ledger.stopped(agent, ended)
    }
  }

  /** It never starts again. */
  bury(node: Machine): void {
    this.#buried.add(node)
  }

  isBuried(node: Machine): boolean {
    return this.#buried.has(node)
  }

  broke(who: string, error: unknown): void {
    this.findings.report('NothingBreaks', `${who}: ${describeError(error)}`)
  }

  #newLife(name: string, wall: WallClock): Incarnation {
    this.#lives += 1
    return new Incarnation({ name, scheduler: this.scheduler, rng: this.rng.fork(`${name} ${this.#lives}`), wall })
  }

  /** Leases run out by the store's own clock, which may be faster or slower than that of whoever holds one. */
  #storeClock(rng: Rng): Clock {
    const { clock } = this.#newLife('store', { skewMs: 0, jumpedMs: 0 })
    const rate = rng.pick([1, 1, 1 + rng.next() * STORE_DRIFT, 1 - rng.next() * STORE_DRIFT])
    return { ...clock, monotonic: () => clock.monotonic() * rate, sleep: (ms, signal) => clock.sleep(ms / rate, signal) }
  }

  #log(by: Incarnation): Logger {
    const write = (level: string) => (fields: object, message: string) => {
      const { error } = fields as { error?: unknown }
      if (BUG_LOGS.has(message) || (typeof error === 'string' && BUG.test(error)))
        this.findings.report('NothingBreaks', `${by.name}: ${message}: ${error}`)
      this.note(`${by.name} ${level}: ${message} ${JSON.stringify(fields)}`)
    }
    return { debug: () => undefined, info: write('info'), warn: write('warn'), error: write('error') }
  }

  #controlNode(name: string, cluster: MemoryCluster): ControlNode {
    const observer = {
      committed: (by: Incarnation, txn: Txn, decidedAt: Millis) => this.#committed(by, txn, decidedAt),
    }
    return new ControlNode(name, this.rng.fork(name).int(-CONTROL_SKEW_MS, CONTROL_SKEW_MS), {
      git: this.git,
      store: { cluster, wire: cluster.connect(), observer },
      seams: this.#seams,
      log: (by) => this.#log(by),
      newLife: (life, wall) => this.#newLife(life, wall),
      broke: (by, error) => this.broke(by.name, error),
      leads: (by, leadership) => this.#checker.leads(by, leadership),
      told: (by, txn, result) => this.#checker.told(by, txn, result),
    })
  }

  #committed(by: Incarnation, txn: Txn, decidedAt: Millis): void {
    const changes = this.mirror.apply(txn.then)
    for (const { table, id, after } of changes)
      if (table !== 'events') this.note(`${by.name} ${after === undefined ? 'deletes' : 'writes'} ${table}/${id} ${brief(after)}`)
    this.#checker.committed({ by, txn, decidedAt, changes, mirror: this.mirror })
    const writer = this.controls.find(({ life }) => life === by)
    if (writer?.faults.crashAtCommit === true) this.#crashSoon(writer)
  }

  #agentNode(id: AgentId): AgentNode {
    const ledger = {
      started: (agent: AgentNode, record: Parameters<Required<Checker>['started']>[1]) => {
        this.ledger.started(agent, record)
        this.note(`${agent.id} STARTS ${record.task}.${record.attempt}`)
        this.#checker.started(agent, record)
        if (agent.faults.crashAtStart) this.#crashSoon(agent)
      },
      stopped: (agent: AgentNode, record: Parameters<Required<Checker>['stopped']>[1]) => {
        this.ledger.stopped(agent, record)
        this.note(`${agent.id} STOPS ${record.task}.${record.attempt}`)
        this.#checker.stopped(agent, record)
      },
      removed: (agent: AgentNode, ref: Parameters<Required<Checker>['removed']>[1]) => this.#checker.removed(agent, ref),
    }
    return new AgentNode(id, this.rng.fork(id).int(-SKEW_MS, SKEW_MS), {
      seams: this.#seams,
      ledger,
      log: (by) => this.#log(by),
      newLife: (life, wall) => this.#newLife(life, wall),
      uplink: (agent, life) => this.#uplink(agent, life),
      broke: (by, error) => this.broke(by.name, error),
    })
  }

  /** At the worst moment: what it did is done, and the answer is still on its way, or has just come. */
  #crashSoon(node: Machine): void {
    const { life } = node
    if (life === null) return
    this.scheduler.after(life.rng.int(0, 8), `${life.name} crashes`, {
      owner: life,
      run: () => {
        this.note(`FAULT ${life.name} crashes at a bad moment`)
        node.crash()
        this.network.crashed(life)
        this.scheduler.after(life.rng.int(100, 5000), `${life.name} is started again`, { owner: null, run: () => revive(this, node) })
      },
    })
  }

  /** Dials the control planes one after another, as through a list of addresses. */
  #uplink(agent: AgentNode, life: Incarnation): Uplink {
    let turn = -1
    const target = () => this.controls[Math.max(0, turn) % this.controls.length] as ControlNode
    return {
      connect: (signal) => {
        turn += 1
        const node = target()
        const link = this.network.link(agent.id, node.name)
        return this.network.connect(life, {
          link,
          signal,
          target: () => (node.control === null ? null : node.life),
          accept: (channel) => {
            const refuse = (error: unknown) => channel.close(messageOf(error))
            node.control?.gate.accept(channel).catch(refuse)
          },
        })
      },
      fetchTree: async (tree) => {
        const node = target()
        const link = this.network.link(agent.id, node.name)
        const chunks = await life.io(
          'fetch tree',
          () => {
            if (link.cut.size > 0 || node.life === null) throw new RetryableError('connection refused')
            return node.tree(tree)
          },
          () => this.network.delay(link),
        )
        return chunksOf(chunks)
      },
      sendLogs: () => Promise.reject(new Error('logs are not simulated')),
    }
  }
}

/** Starts what is down. */
export function revive(world: World, node: Machine): void {
  if (node.life !== null || world.isBuried(node)) return
  node.start()
  world.note(`HEAL ${node.name} starts again`)
}

function brief(after: unknown): string {
  if (after === undefined || after === null) return ''
  const { agent, desired, attempt, ready, wanted, inputsDigest, outcome, slot, cause, bad, holds, state } = after as Record<string, unknown>
  // A rollout's is told within its state.
  const phase = (state as { phase?: unknown } | undefined)?.phase ?? (after as { phase?: unknown }).phase
  const digest = typeof inputsDigest === 'string' ? inputsDigest.slice(0, 8) : undefined
  return JSON.stringify({ slot, agent, desired, phase, attempt, ready, wanted, digest, outcome, cause, bad, holds })
}
