import { TerminalError } from '../lib/errors.ts'
import type { Backup } from '../model/backup.ts'
import type { Millis } from '../model/ids.ts'
import type { ClusterIdentity } from '../model/records.ts'
import { nextIncarnation } from './incarnation.ts'
import { IDENTITY_KEY, LEADER_KEY, RESTORING_KEY } from './keys.ts'
import { groupOps } from './limits.ts'
import { MAX_OPS, type Op, type Store, type Txn } from './store.ts'

/** A store that does not answer is asked so often, and then the restore ends; it can be run again. */
const ATTEMPTS = 5

export type RestoreTarget = Pick<Store, 'list' | 'get' | 'txn'>

/**
 * Fills an empty store from a backup. Until all of it is there the store says that a restore is under way, and no
 * control plane starts on it; one that was interrupted is done again from the beginning.
 * @returns the cluster as it is now, one incarnation on.
 * @throws TerminalError `StoreNotEmpty`, `StoreTaken` when somebody else wrote meanwhile, `StoreAway`, `BadClock`.
 */
export async function restoreInto(store: RestoreTarget, { header, items }: Backup, now: Millis): Promise<ClusterIdentity> {
  await clearUnfinished(store)
  const epoch = header.cluster.epochBase + Number(header.revision)
  const marker = await begin(store, now)
  const cluster = nextIncarnation(header.cluster, { now, revision: marker, epoch })
  const guard = [{ key: RESTORING_KEY, revision: marker }]
  const puts = items.map(({ key, value }): Op => ({ op: 'put', key, value }))
  for (const then of groupOps(puts)) await send(store, { if: guard, then, fence: null })
  const value = JSON.stringify(cluster)
  const finish: readonly Op[] = [
    { op: 'put', key: IDENTITY_KEY, value },
    { op: 'delete', key: RESTORING_KEY },
  ]
  await send(store, { if: guard, then: finish, fence: null }, async () => (await store.get(IDENTITY_KEY))?.value === value)
  return cluster
}

/** What an interrupted restore left behind goes; anything else stays, and is a reason to stop. */
async function clearUnfinished(store: RestoreTarget): Promise<void> {
  const { items } = await store.list('')
  if (items.length === 0) return
  const marker = items.find(({ key }) => key === RESTORING_KEY)
  if (marker === undefined) {
    const hint = 'restore into an empty one: another prefix, another data directory, or remove what is there'
    throw new TerminalError('StoreNotEmpty', `the store is not empty, it holds ${items.length} keys; ${hint}`)
  }
  const guard = [{ key: RESTORING_KEY, revision: marker.revision }]
  const rest = items.filter(({ key }) => key !== RESTORING_KEY).map(({ key }): Op => ({ op: 'delete', key }))
  for (const then of groupOps(rest, MAX_OPS)) await send(store, { if: guard, then, fence: null })
  const gone: Op = { op: 'delete', key: RESTORING_KEY }
  await send(store, { if: guard, then: [gone], fence: null }, async () => (await store.get(RESTORING_KEY)) === null)
}

/** The revision of the marker, which everything that follows is guarded by. */
async function begin(store: RestoreTarget, now: Millis): Promise<string> {
  const value = JSON.stringify({ startedAt: now, pid: process.pid })
  const empty = [RESTORING_KEY, IDENTITY_KEY, LEADER_KEY].map((key) => ({ key, revision: '0' }))
  const put: Op = { op: 'put', key: RESTORING_KEY, value }
  await send(store, { if: empty, then: [put], fence: null }, async () => (await store.get(RESTORING_KEY))?.value === value)
  const marker = await store.get(RESTORING_KEY)
  if (marker?.value !== value) throw taken()
  return marker.revision
}

/**
 * Repeating is harmless: every request is guarded by a key that only this restore changes, and writes the same again.
 * @param done for a request that takes its own guard away: whether an earlier try, whose reply was lost, has come through
 */
async function send(store: RestoreTarget, txn: Txn, done: () => Promise<boolean> = async () => false): Promise<void> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const result = await store.txn(txn)
    if (result.status === 'Committed') return
    if (result.status === 'Conflict') {
      if (attempt > 1 && (await done())) return
      throw taken()
    }
  }
  throw new TerminalError('StoreAway', 'the store does not answer; run the restore again once it does')
}

const taken = (): TerminalError =>
  new TerminalError('StoreTaken', 'somebody else wrote into the store meanwhile: make sure that nothing uses it, then try again')
