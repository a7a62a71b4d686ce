import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import type { Millis } from '../model/ids.ts'
import type { EtcdAccess } from './etcd/client.ts'
import type { OpenedStore } from './store.ts'
import { parseStoreUrl } from './url.ts'

export interface OpenOptions {
  /** Where the embedded store keeps its files. */
  readonly dataDir: string
  /** How to speak to etcd; default: plain, as nobody. */
  readonly etcd?: EtcdAccess
  readonly clock: Clock
  /** Time until a silent leader is replaced; 10 s unless told. */
  readonly ttlMs?: Millis
  readonly log?: Logger
}

/**
 * Opens `embedded`, `memory` or `etcd://h1:2379,h2/prefix`; a store that is not used is not loaded.
 * @throws TerminalError `BadStoreUrl`, or what opening the embedded store throws. etcd is not contacted yet.
 */
export async function openStore(url: string, { dataDir, etcd, ...options }: OpenOptions): Promise<OpenedStore> {
  const where = parseStoreUrl(url)
  if (where.kind === 'embedded') return (await import('./embedded.ts')).openEmbeddedStore({ dataDir })
  if (where.kind === 'memory') return (await import('./memory.ts')).createMemoryCluster(options).connect()
  const { hosts, root } = where
  return (await import('./etcd/etcd-store.ts')).createEtcdStore({
    hosts,
    root,
    ...(etcd === undefined ? {} : { access: etcd }),
    ...options,
  })
}
