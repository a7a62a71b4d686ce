import { TerminalError } from '../../lib/errors.ts'
import type { Digest } from '../../model/ids.ts'
import { TABLES, type Table } from '../../model/records.ts'
import { WorkloadVersion } from '../../model/version.ts'
import { readBlob } from '../../store/blobs.ts'
import { decodeItem, type StoredRecord } from '../../store/codec.ts'
import { tablePrefix } from '../../store/keys.ts'
import type { Store } from '../../store/store.ts'
import { Cluster, versionsOf } from './cluster.ts'

/** Versions are read so many at a time: enough to hide latency, few enough not to crowd the store. */
const READS_AT_ONCE = 16

/** Reads everything a new leader needs, versions first because tasks are indexed by what they ask for. */
export async function loadCluster(store: Store): Promise<Cluster> {
  const cluster = new Cluster()
  const records = new Map<Table, StoredRecord[]>()
  for (const table of Object.keys(TABLES) as Table[]) records.set(table, await loadTable(store, table))
  const digests = [...records.values()].flat().flatMap(digestsOf)
  await loadVersions(store, cluster, [...new Set(digests)])
  for (const all of records.values()) for (const record of all.sort(byAge)) cluster.apply(record)
  return cluster
}

/** Those that wait for a machine wait in the order in which they came, also under a new leader. */
const byAge = (a: StoredRecord, b: StoredRecord): number =>
  a.table === 'tasks' && b.table === 'tasks' ? a.value.createdAt - b.value.createdAt : 0

async function loadTable(store: Store, table: Table): Promise<StoredRecord[]> {
  const { items } = await store.list(tablePrefix(table))
  return items.flatMap((item) => decodeItem(item) ?? [])
}

function digestsOf({ table, value }: StoredRecord): Digest[] {
  return table === 'workloads' || table === 'tasks' || table === 'runs' ? versionsOf(value) : []
}

async function loadVersions(store: Store, cluster: Cluster, digests: readonly Digest[]): Promise<void> {
  for (let from = 0; from < digests.length; from += READS_AT_ONCE) {
    const batch = digests.slice(from, from + READS_AT_ONCE)
    const versions = await Promise.all(batch.map((digest) => readVersion(store, digest)))
    for (const [index, version] of versions.entries()) cluster.versions.set(batch[index] as Digest, version)
  }
}

/** @throws TerminalError `MissingVersion` when the store lost a body that a record names. */
export async function readVersion(store: Store, digest: Digest): Promise<WorkloadVersion> {
  const text = await readBlob(store, digest)
  if (text === null) throw new TerminalError('MissingVersion', `the store holds no body for version ${digest}`)
  return WorkloadVersion.parse(JSON.parse(text))
}
