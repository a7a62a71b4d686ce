import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { must } from '../../../src/lib/must.ts'
import type { EtcdCluster } from './etcd-cluster.ts'

/** One change of one key, as etcd tells it. */
export interface StoredChange {
  /** Below the prefix of the cluster. */
  readonly key: string
  /** Null: it was deleted. */
  readonly value: string | null
  readonly revision: number
  readonly createRevision: number
}

/** As `etcdctl watch -w json` prints it; keys and values are base64, and what is zero is left out. */
interface WatchLine {
  readonly Events?: readonly {
    readonly type?: number
    readonly kv: { readonly key: string; readonly value?: string; readonly mod_revision: number; readonly create_revision?: number }
  }[]
  readonly CompactRevision?: number
}

const PATIENCE_MS = 5_000
const POLL_MS = 50

/**
 * Everything that was ever written to the store, in order, from etcd itself: by its own client, for a fault of
 * Drover's watch must not hide what it did. Each change is given to `see` once.
 */
export class History {
  /** Of the newest change seen. */
  revision = 0
  readonly #etcd: EtcdCluster
  readonly #prefix: string
  readonly #see: (change: StoredChange) => void
  #watcher: ChildProcess | null = null

  constructor(etcd: EtcdCluster, prefix: string, see: (change: StoredChange) => void) {
    this.#etcd = etcd
    this.#prefix = prefix
    this.#see = see
  }

  start(): void {
    const from = String(this.revision + 1)
    const args = ['--endpoints', this.#etcd.endpoints.join(','), 'watch', '--prefix', this.#prefix, '--rev', from, '-w', 'json']
    const watcher = spawn('etcdctl', args, { stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, ETCDCTL_API: '3' } })
    this.#watcher = watcher
    createInterface({ input: must(watcher.stdout, 'a pipe') }).on('line', (line) => {
      if (this.#watcher === watcher) this.#read(JSON.parse(line))
    })
  }

  stop(): void {
    this.#watcher?.kill('SIGKILL')
    this.#watcher = null
  }

  /** Resolves when all is seen that is written now. A watch on a member that is stuck is begun anew. */
  async catchUp(): Promise<void> {
    const target = await this.#etcd.revision()
    let deadline = performance.now() + PATIENCE_MS
    while (this.revision < target) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
      if (performance.now() < deadline) continue
      this.stop()
      this.start()
      deadline = performance.now() + PATIENCE_MS
    }
  }

  #read(line: WatchLine): void {
    if ((line.CompactRevision ?? 0) > 0) throw new Error(`etcd was compacted at ${line.CompactRevision} before its history was read`)
    for (const { type, kv } of line.Events ?? []) {
      if (kv.mod_revision < this.revision) continue
      this.revision = kv.mod_revision
      this.#see({
        key: textOf(kv.key).slice(this.#prefix.length),
        value: type === 1 ? null : textOf(kv.value ?? ''),
        revision: kv.mod_revision,
        createRevision: kv.create_revision ?? 0,
      })
    }
  }
}

const textOf = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8')
