import { TerminalError } from '../../lib/errors.ts'
import { AuthorityRecord } from '../../model/trust.ts'
import { decodeItem } from '../../store/codec.ts'
import { recordKey, tablePrefix } from '../../store/keys.ts'
import type { Store } from '../../store/store.ts'

/** Whose presence says that the cluster has had its first root: two servers that start at once must not each make one. */
const MADE_KEY = 'authority'

/** The roots of the cluster, and the revision they are of; the first is made by whoever comes first, leader or not. */
export async function storedRoots(
  store: Store,
  make: () => Promise<AuthorityRecord>,
): Promise<{ records: AuthorityRecord[]; revision: string }> {
  for (;;) {
    const found = await readRoots(store)
    if (found.records.length > 0) return found
    if ((await store.get(MADE_KEY)) !== null)
      throw new TerminalError('AuthorityLost', 'the store has lost the certificate authority of this cluster: restore it from a backup')
    const first = await make()
    await store.txn({
      if: [{ key: MADE_KEY, revision: '0' }],
      then: [
        { op: 'put', key: MADE_KEY, value: JSON.stringify({ first: first.id }) },
        { op: 'put', key: recordKey('authorities', first.id), value: JSON.stringify(first) },
      ],
      fence: null,
    })
  }
}

export async function readRoots(store: Store): Promise<{ records: AuthorityRecord[]; revision: string }> {
  const { items, revision } = await store.list(tablePrefix('authorities'))
  return { records: items.map((item) => AuthorityRecord.parse(decodeItem(item)?.value)), revision }
}
