import type { ClusterIdentity } from '../../model/records.ts'

/** What a data directory remembers of the cluster it belongs to. */
export interface Membership {
  readonly cluster: string
  /** `Creating`: it was about to make the cluster, and may not have come to it. */
  readonly state: 'Creating' | 'Member'
  /** The newest the store was seen at; decimal digits. */
  readonly revision: string
  /** See `ClusterIdentity`. */
  readonly epochBase: number
}

/** What a store holds. */
export type StoreState =
  | { readonly kind: 'Empty'; readonly revision: string }
  /** Keys, and no word of a cluster. */
  | { readonly kind: 'Foreign'; readonly keys: number }
  | { readonly kind: 'Cluster'; readonly identity: ClusterIdentity; readonly revision: string }

export type Verdict =
  | { readonly verdict: 'Create' }
  | { readonly verdict: 'Join' }
  /** The store went back and a person says that this is meant: epochs must go on above those it gave before. */
  | { readonly verdict: 'JoinOlder'; readonly epochBase: number }
  | { readonly verdict: 'Refuse'; readonly found: string; readonly mend: string }

/** More than a store can have gone on without this data directory's having looked: at 1,000 a second, eleven days. */
const UNSEEN_REVISIONS = 1_000_000_000

/** How a person says that a store is meant to be empty. */
const EMPTY = 'empty'

export interface Judged {
  readonly store: StoreState
  /** Null: this data directory was never in a cluster. */
  readonly remembered: Membership | null
  /** What a person accepts: a cluster's id, or `EMPTY`. */
  readonly accept: string | null
  /** `Own`: it lies in the data directory, which then cannot be a stranger to it. */
  readonly place: 'Own' | 'Shared'
}

/**
 * Whether to act on a store. One that was wiped, restored, or belongs to another cluster would have agents stop what
 * they run, so a person has to say that it is meant.
 */
export function judgeStore({ store, remembered, accept, place }: Judged): Verdict {
  switch (store.kind) {
    case 'Empty':
      if (remembered === null || remembered.state === 'Creating' || accept === EMPTY) return { verdict: 'Create' }
      return refuse(
        `the store is empty, and this data directory belongs to cluster ${remembered.cluster} (last seen at revision ${remembered.revision})`,
        `it was wiped, or --store names another place; agents keep what they run. To begin a new cluster there: --accept-store ${EMPTY}`,
      )
    case 'Foreign':
      return refuse(
        `the store holds ${store.keys} keys, and none of them says which cluster they are of`,
        'they are not of Drover, or its key "cluster" was deleted: give --store another prefix, or restore a backup',
      )
    case 'Cluster':
      return judgeCluster(store, { remembered, accept, place })
    default:
      return store satisfies never
  }
}

type Found = Extract<StoreState, { kind: 'Cluster' }>

function judgeCluster({ identity: { id, epochBase }, revision }: Found, { remembered, accept, place }: Omit<Judged, 'store'>): Verdict {
  const isMaking = remembered?.state === 'Creating' && remembered.cluster !== id
  if (remembered === null || isMaking) return place === 'Own' || accept === id ? { verdict: 'Join' } : neverJoined(id)
  if (remembered.cluster !== id) return accept === id ? { verdict: 'Join' } : otherCluster(id, remembered)
  const behind = Math.max(0, Number(BigInt(remembered.revision) - BigInt(revision)))
  // Raised epochs are a person's word that the store is meant as it is: it was restored, or accepted on another server.
  if (epochBase > remembered.epochBase || (behind === 0 && epochBase === remembered.epochBase)) return { verdict: 'Join' }
  if (accept === id) return { verdict: 'JoinOlder', epochBase: remembered.epochBase + behind + UNSEEN_REVISIONS }
  return refuse(
    `the store of cluster ${id} is at revision ${revision}, and was at ${remembered.revision} when this data directory last saw it`,
    `it was restored from a backup, or one etcd member answers from an old disk. If the restore is meant: --accept-store ${id}`,
  )
}

const neverJoined = (id: string): Verdict =>
  refuse(
    `the store holds cluster ${id}, and this data directory was never in it`,
    `to add a server to it: --join URL --token-file FILE, with what \`drover token create --control-plane\` prints there; or another --store prefix for a cluster of its own; or, with that cluster's secrets.key copied here: --accept-store ${id}`,
  )

const otherCluster = (id: string, remembered: Membership): Verdict =>
  refuse(
    `the store holds cluster ${id}, and this data directory belongs to cluster ${remembered.cluster}`,
    `give the --store or the --data-dir of the right one; to leave ${remembered.cluster} for it: --accept-store ${id}`,
  )

const refuse = (found: string, mend: string): Verdict => ({ verdict: 'Refuse', found, mend })
