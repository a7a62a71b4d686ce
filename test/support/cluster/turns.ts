import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { EtcdServer } from '../etcd.ts'
import { waitUntil } from '../wait-until.ts'

const ETCDCTL = 'etcdctl'

/** One committed turn of a leader. */
export interface Turn {
  readonly epoch: number
  readonly revision: number
  /** When this process heard of it, on its monotonic clock. */
  readonly at: number
}

interface Event {
  readonly kv?: { readonly value?: string; readonly mod_revision?: number }
}

/** Every committed turn since the cluster began, from the history that etcd itself keeps, and those to come. */
export class Turns {
  readonly seen: Turn[] = []
  readonly #etcd: EtcdServer
  readonly #key: string
  readonly #child: ChildProcess

  constructor(etcd: EtcdServer, prefix: string) {
    this.#etcd = etcd
    this.#key = `/${prefix}/turn`
    const args = ['--endpoints', etcd.host, 'watch', '--rev', '1', '-w', 'json', this.#key]
    this.#child = spawn(ETCDCTL, args, { env: { ...process.env, ETCDCTL_API: '3' }, stdio: ['ignore', 'pipe', 'ignore'] })
    let rest = ''
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) this.#take((JSON.parse(line) as { Events?: Event[] }).Events ?? [])
    })
  }

  #take(events: readonly Event[]): void {
    for (const { kv } of events) {
      if (kv?.value === undefined) continue
      const { epoch } = JSON.parse(Buffer.from(kv.value, 'base64').toString()) as { epoch: number }
      this.seen.push({ epoch, revision: kv.mod_revision ?? 0, at: performance.now() })
    }
  }

  /** Waits until all that is committed by now was heard of. */
  async complete(): Promise<readonly Turn[]> {
    const answer = JSON.parse(await this.#etcd.etcdctl('get', '-w', 'json', this.#key)) as { kvs: { mod_revision: number }[] }
    const newest = answer.kvs[0]?.mod_revision ?? 0
    await waitUntil(() => (this.seen.at(-1)?.revision ?? 0) >= newest)
    return this.seen
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill()
    await once(this.#child, 'exit')
  }
}

/** Turns that were committed with an epoch below one committed before: each a write of a leader that was replaced. */
export function staleTurns(turns: readonly Turn[]): Turn[] {
  let highest = 0
  return turns.filter(({ epoch }) => {
    const isStale = epoch < highest
    highest = Math.max(highest, epoch)
    return isStale
  })
}
