import { type Control, createControl } from '../../src/control/control.ts'
import { type ManifestParser, Renderer } from '../../src/control/source/render.ts'
import type { TreeStore } from '../../src/control/source/tree-store.ts'
import { messageOf, RetryableError } from '../../src/lib/errors.ts'
import type { Logger } from '../../src/lib/log.ts'
import { type CheckedFile, parseBlob } from '../../src/manifest/blob.ts'
import type { Millis, Oid } from '../../src/model/ids.ts'
import type { Leadership, Store, Txn, TxnResult } from '../../src/store/store.ts'
import { testVault } from '../support/vault.ts'
import { chunksOf, memoryTreeStore } from './disk.ts'
import type { SimGit } from './git-repo.ts'
import type { Incarnation, WallClock } from './incarnation.ts'
import { APP_PATH } from './manifests.ts'
import type { Seams } from './seams.ts'
import { createSimStore, noStoreFaults, type SimStoreOptions, type StoreFaults } from './sim-store.ts'

export const APP = 'demo'
const POLL_MS = 2000
const RESTART_MS = 2000

export interface ControlNodeDeps {
  readonly git: SimGit
  readonly store: Omit<SimStoreOptions, 'faults'>
  readonly seams: Seams
  readonly log: (by: Incarnation) => Logger
  readonly newLife: (name: string, wall: WallClock) => Incarnation
  readonly broke: (by: Incarnation, error: unknown) => void
  readonly leads: (by: Incarnation, leadership: Leadership) => void
  readonly told: (by: Incarnation, txn: Txn, result: TxnResult) => void
}

/** One machine of the control plane: its process may die and come back, its disk stays. */
export class ControlNode {
  readonly name: string
  readonly faults: StoreFaults = noStoreFaults()
  readonly clock: WallClock
  life: Incarnation | null = null
  control: Control | null = null
  readonly #deps: ControlNodeDeps
  readonly #trees: TreeStore = memoryTreeStore()
  #lives = 0

  constructor(name: string, skewMs: Millis, deps: ControlNodeDeps) {
    this.name = name
    this.#deps = deps
    this.clock = { skewMs, jumpedMs: 0 }
  }

  start(): void {
    const life = this.#deps.newLife(this.name, this.clock)
    this.life = life
    this.#run(life).catch((error: unknown) => this.#ended(life, error))
  }

  /** A process that cannot reach the store when it starts ends, and is started again by whatever supervises it. */
  #ended(life: Incarnation, error: unknown): void {
    if (!(error instanceof RetryableError) || this.control !== null) {
      this.#deps.broke(life, error)
      return
    }
    const again = () => {
      this.crash()
      this.start()
    }
    life.scheduler.after(RESTART_MS, `${this.name} is started again`, { owner: life, run: again })
  }

  crash(): Incarnation | null {
    const { life } = this
    life?.crash()
    this.life = null
    this.control = null
    return life
  }

  async #run(life: Incarnation): Promise<void> {
    const { git, seams, store } = this.#deps
    this.#lives += 1
    const lives = this.#lives
    let ids = 0
    const control = await createControl({
      trust: null,
      store: this.#watched(seams.store(createSimStore(life, { ...store, faults: this.faults }), life), life),
      storeStatus: async () => ({ kind: 'memory', members: [], alarms: [] }),
      clock: life.clock,
      random: () => life.rng.next(),
      log: this.#deps.log(life),
      newId: () => `${this.name}-${lives}-${++ids}`,
      version: 'sim',
      app: { name: APP, source: { repo: 'sim', ref: 'main', path: APP_PATH } },
      openRepository: async () => seams.repository(git.open(life), life),
      packTree: (_repo, tree) => chunksOf([new TextEncoder().encode(tree)]),
      renderer: seams.renderer(new Renderer(parser, testVault()), life),
      trees: this.#trees,
      pollMs: POLL_MS,
      advertise: null,
    })
    this.control = control
    await control.run(new AbortController().signal)
    throw new Error('the control plane ended by itself')
  }

  /** What the product believes of its leadership and its writes is looked at as the product gets it. */
  #watched(store: Store, life: Incarnation): Store {
    return {
      list: (prefix) => store.list(prefix),
      get: (key) => store.get(key),
      txn: async (txn) => {
        const result = await store.txn(txn)
        this.#deps.told(life, txn, result)
        return result
      },
      watch: (prefix, options) => store.watch(prefix, options),
      close: () => store.close(),
      campaign: async (name, options) => {
        const leadership = await store.campaign(name, options)
        this.#deps.leads(life, leadership)
        return leadership
      },
    }
  }

  /** Packed, or the error the control plane answers with. */
  async tree(oid: Oid): Promise<Uint8Array[]> {
    if (this.control === null) throw new Error('no control plane here')
    const chunks: Uint8Array[] = []
    for await (const chunk of this.control.gate.tree(oid, new AbortController().signal)) chunks.push(chunk)
    return chunks
  }
}

const parsed = new Map<string, CheckedFile>()

/** In process, and each text once for all seeds: reading YAML would otherwise take most of the time. */
const parser: ManifestParser = {
  async parse(path, text) {
    const key = `${path}\n${text}`
    const known = parsed.get(key) ?? parseBlob(path, text)
    parsed.set(key, known)
    return known
  },
  close: async () => undefined,
}

export const describeError = (error: unknown): string => (error instanceof Error ? (error.stack ?? messageOf(error)) : String(error))
