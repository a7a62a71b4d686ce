import type { IKeyValue, IRangeResponse } from 'etcd3'
import { must } from '../../lib/must.ts'
import type { Item, Listing } from '../store.ts'
import { type EtcdClient, PAGE_KEYS } from './client.ts'
import { isOutOfHistory } from './errors.ts'

/** A listing starts again when a compaction overtakes it; more often than this is no accident. */
const LIST_ATTEMPTS = 5

/** Smallest key after all keys that begin with `prefix`. */
export function rangeEnd(prefix: string): Buffer {
  const bytes = Buffer.from(prefix)
  bytes[bytes.length - 1] = must(bytes.at(-1), 'the root is not empty') + 1
  return bytes
}

export function itemOf(kv: IKeyValue, root: string): Item {
  const key = kv.key.toString().slice(root.length)
  return { key, value: kv.value.toString(), revision: kv.mod_revision, createRevision: kv.create_revision }
}

/** The key as etcd holds it, with its lease; null when it is not there. */
export async function getKeyValue(client: EtcdClient, fullKey: string): Promise<{ kv: IKeyValue | null; revision: string }> {
  const response = await client.read(({ kv }, options) => kv.range({ key: Buffer.from(fullKey) }, options))
  return { kv: response.kvs[0] ?? null, revision: response.header.revision }
}

/** All items under `prefix` as of one revision, in pages. */
export async function listRange(client: EtcdClient, root: string, prefix: string): Promise<Listing> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await listOnce(client, root, prefix)
    } catch (error) {
      if (attempt === LIST_ATTEMPTS || !isOutOfHistory(error)) throw error
    }
  }
}

async function listOnce(client: EtcdClient, root: string, prefix: string): Promise<Listing> {
  const range_end = rangeEnd(root + prefix)
  const items: Item[] = []
  let key = Buffer.from(root + prefix)
  let revision = '0'
  for (;;) {
    const page: IRangeResponse = await client.read(({ kv }, options) => kv.range({ key, range_end, limit: PAGE_KEYS, revision }, options))
    if (revision === '0') revision = page.header.revision
    for (const kv of page.kvs) items.push(itemOf(kv, root))
    const last = page.kvs.at(-1)
    if (!page.more || last === undefined) return { items, revision }
    key = Buffer.concat([last.key, Buffer.of(0)])
  }
}
