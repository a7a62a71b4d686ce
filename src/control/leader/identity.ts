import { TerminalError } from '../../lib/errors.ts'
import { ClusterIdentity } from '../../model/records.ts'
import { IDENTITY_KEY, RESTORING_KEY } from '../../store/keys.ts'
import type { Item, Store } from '../../store/store.ts'

/** Who the cluster of a store is; null: it holds none. @throws TerminalError `BadRecord`, `RestoreUnfinished` */
export async function readIdentity(store: Pick<Store, 'get'>): Promise<ClusterIdentity | null> {
  const item = await store.get(IDENTITY_KEY)
  if (item !== null) return identityOf(item)
  if ((await store.get(RESTORING_KEY)) === null) return null
  throw new TerminalError('RestoreUnfinished', 'a restore into this store did not come to its end: run `drover restore` again')
}

export function identityOf({ value }: Item): ClusterIdentity {
  const parsed = ClusterIdentity.safeParse(JSON.parse(value))
  if (parsed.success) return parsed.data
  throw new TerminalError('BadRecord', `the store holds a bad record at ${IDENTITY_KEY}: ${parsed.error.message}`)
}

/** Reads who this cluster is, or says so for the first time. @throws TerminalError `BadRecord`, `RestoreUnfinished` */
export async function clusterIdentity(
  store: Store,
  fresh: Pick<ClusterIdentity, 'id' | 'createdAt' | 'epochBase'>,
): Promise<ClusterIdentity> {
  for (;;) {
    const found = await readIdentity(store)
    if (found !== null) return found
    await store.txn({
      // A restore that begins at the same moment writes the other key first, so one of the two gives way.
      if: [IDENTITY_KEY, RESTORING_KEY].map((key) => ({ key, revision: '0' })),
      then: [{ op: 'put', key: IDENTITY_KEY, value: JSON.stringify(ClusterIdentity.parse(fresh)) }],
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
