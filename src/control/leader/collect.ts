import { LRUCache } from 'lru-cache'
import { messageOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { Digest } from '../../model/ids.ts'
import { Rendered, type RevisionRecord } from '../../model/records.ts'
import { blobKeys, readBlob } from '../../store/blobs.ts'
import type { Store } from '../../store/store.ts'
import { inTurn } from '../source/source.ts'
import { changesOf } from './changes.ts'
import type { Cluster } from './cluster.ts'
import { DemotedError } from './commit.ts'
import { revisionKey } from './history.ts'
import type { LeadingTerm } from './lead.ts'
import type { TurnContext } from './term.ts'

/** Revisions kept per app; their rendered sets stay in the store, so each can be rolled back to without git. */
export const REVISIONS_KEPT = 50
/** Rendered sets remembered, for each new revision makes one of many old. */
const SETS_REMEMBERED = 200

/** Rendered sets by their digest; one that is not in the store is missing. */
type Sets = ReadonlyMap<Digest, ReadonlySet<Digest>>

export interface Garbage {
  readonly revisions: readonly RevisionRecord[]
  /** Rendered sets and versions that nothing refers to once these revisions are gone. */
  readonly bodies: readonly Digest[]
}

/**
 * Which revisions can go, and which bodies with them: never one that a kept revision, a workload, a task or a
 * quarantine refers to. A revision beyond the kept ones stays as long as something runs that only it remembers,
 * so that no body is ever forgotten without being deleted. Null when the set of a kept one is not known: then nothing goes.
 */
export function garbageOf(cluster: Cluster, sets: Sets): Garbage | null {
  const all = [...cluster.revisions.values()]
  const expired = new Set([...cluster.apps.keys()].flatMap((app) => cluster.revisionsOfApp(app).slice(REVISIONS_KEPT)))
  if (all.some((record) => record.rendered !== null && !expired.has(record) && !sets.has(record.rendered))) return null
  const versionsOf = ({ rendered }: RevisionRecord): Digest[] => (rendered === null ? [] : [...(sets.get(rendered) ?? [])])
  const quarantined = [...cluster.quarantine.values()].flatMap(({ good, bad }) => [good, bad])
  const known = new Set<Digest | null>([...all.filter((record) => !expired.has(record)).flatMap(versionsOf), ...quarantined])
  const stays = [...expired].filter((record) =>
    versionsOf(record).some((digest) => !known.has(digest) && cluster.versions.uses(digest) > 0),
  )
  for (const record of stays) expired.delete(record)
  const kept = all.filter((record) => !expired.has(record))
  const needed = new Set<Digest | null>([...kept.flatMap((record) => [record.rendered, ...versionsOf(record)]), ...quarantined])
  const mentioned = [...expired].flatMap((record) => [...versionsOf(record), ...(record.rendered === null ? [] : [record.rendered])])
  const bodies = [...new Set(mentioned)].filter((digest) => !needed.has(digest) && cluster.versions.uses(digest) === 0)
  return { revisions: [...expired], bodies }
}

/** Deletes old revisions with their bodies, for one term. An attempt that fails is made again after a later turn. */
export async function collectOld(leading: LeadingTerm, { store, log }: { store: Store; log: Logger }, signal: AbortSignal): Promise<void> {
  const { term } = leading
  const remembered = new LRUCache<Digest, ReadonlySet<Digest>>({ max: SETS_REMEMBERED })
  for await (const _ of changesOf(term, signal)) {
    if (!hasOld(term.cluster)) continue
    try {
      const sets = await setsOf(term.cluster, { store, remembered })
      const garbage = garbageOf(term.cluster, sets)
      if (garbage === null || garbage.revisions.length === 0) continue
      const keys = new Map<Digest, string[]>()
      for (const digest of garbage.bodies) keys.set(digest, await blobKeys(store, digest))
      await inTurn(leading, (turn) => sweep(turn, sets, keys))
    } catch (error) {
      if (error instanceof DemotedError || signal.aborted) return
      log.warn({ error: messageOf(error) }, 'old revisions not deleted')
    }
  }
}

const hasOld = (cluster: Cluster): boolean =>
  cluster.revisions.size > REVISIONS_KEPT && [...cluster.apps.keys()].some((app) => cluster.revisionsOfApp(app).length > REVISIONS_KEPT)

interface Reading {
  readonly store: Store
  readonly remembered: LRUCache<Digest, ReadonlySet<Digest>>
}

async function setsOf(cluster: Cluster, { store, remembered }: Reading): Promise<Sets> {
  const sets = new Map<Digest, ReadonlySet<Digest>>()
  for (const { rendered } of cluster.revisions.values()) {
    if (rendered === null || sets.has(rendered)) continue
    const set = remembered.get(rendered) ?? versionsIn(await readBlob(store, rendered))
    if (set === null) continue
    remembered.set(rendered, set)
    sets.set(rendered, set)
  }
  return sets
}

function versionsIn(body: string | null): Set<Digest> | null {
  return body === null ? null : new Set(Object.values(Rendered.parse(JSON.parse(body)).workloads))
}

/** Decides anew, for turns went by since; bodies go before the records that name them, should the turn be cut. */
function sweep({ term, draft }: TurnContext, sets: Sets, keys: ReadonlyMap<Digest, readonly string[]>): void {
  const garbage = garbageOf(term.cluster, sets)
  if (garbage === null || garbage.bodies.some((digest) => !keys.has(digest))) return
  for (const digest of garbage.bodies) draft.dropBody(digest, keys.get(digest) ?? [])
  for (const record of garbage.revisions) draft.write({ table: 'revisions', id: revisionKey(record), value: null })
}
