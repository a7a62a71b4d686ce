import { TerminalError } from '../../lib/errors.ts'
import { ClusterIdentity } from '../../model/records.ts'
import type { Item, Store } from '../../store/store.ts'

/** The store's key of the cluster's identity. */
export const IDENTITY_KEY = 'cluster'

/** Who the cluster of a store is; null: it holds none. @throws TerminalError `BadRecord` */
export async function readIdentity(store: Store): Promise<ClusterIdentity | null> {
  const item = await store.get(IDENTITY_KEY)
  return item === null ? null : identityOf(item)
}

export function identityOf({ value }: Item): ClusterIdentity {
  const parsed = ClusterIdentity.safeParse(JSON.parse(value))
  if (parsed.success) return parsed.data
  throw new TerminalError('BadRecord', `the store holds a bad record at ${IDENTITY_KEY}: ${parsed.error.message}`)
}

/** Reads who this cluster is, or says so for the first time. */
export async function clusterIdentity(store: Store, fresh: ClusterIdentity): Promise<ClusterIdentity> {
  for (;;) {
    const found = await readIdentity(store)
    if (found !== null) return found
    await store.txn({
      if: [{ key: IDENTITY_KEY, revision: '0' }],
      then: [{ op: 'put', key: IDENTITY_KEY, value: JSON.stringify(fresh) }],
      fence: null,
    })
  }
}

/** From the next leader on epochs count from `epochBase`, if they do not from higher already. */
export async function raiseEpochs(store: Store, epochBase: number): Promise<void> {
  for (;;) {
    const item = await store.get(IDENTITY_KEY)
    if (item === null) throw new TerminalError('NoCluster', 'the store holds no cluster')
    const identity = identityOf(item)
    if (identity.epochBase >= epochBase) return
    const value = JSON.stringify({ ...identity, epochBase })
    const result = await store.txn({
      if: [{ key: IDENTITY_KEY, revision: item.revision }],
      then: [{ op: 'put', key: IDENTITY_KEY, value }],
      fence: null,
    })
    if (result.status === 'Committed') return
  }
}
