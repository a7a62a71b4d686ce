import { CliError, EXIT } from '../cli/exit.ts'
import { clusterIdentity, identityOf, raiseEpochs, readIdentity } from '../control/leader/identity.ts'
import { type Judged, judgeStore, type Membership, type StoreState } from '../control/leader/membership.ts'
import type { Clock } from '../lib/clock.ts'
import { messageOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { must } from '../lib/must.ts'
import { pause } from '../lib/waits.ts'
import { IDENTITY_KEY } from '../store/keys.ts'
import { compareRevisions, type Store } from '../store/store.ts'
import { readMembership, writeMembership } from './cluster-file.ts'

export interface EnterOptions extends Pick<Judged, 'accept' | 'place'> {
  readonly store: Store
  readonly dataDir: string
  readonly clock: Clock
  readonly newId: () => string
}

/**
 * Sees whether the store is the one this data directory belongs to, and makes the cluster where there is none yet.
 * @throws CliError with what was found and how to go on.
 */
export async function enterStore(options: EnterOptions): Promise<void> {
  const { store, dataDir, accept, place } = options
  for (;;) {
    const remembered = await readMembership(dataDir)
    const verdict = judgeStore({ store: await stateOf(store), remembered, accept, place })
    switch (verdict.verdict) {
      case 'Refuse':
        throw new CliError(EXIT.error, `this store is not acted on: ${verdict.found}`, verdict.mend)
      case 'Create':
        if (await createCluster(options, remembered)) return
        break
      case 'JoinOlder':
        await raiseEpochs(store, verdict.epochBase)
        return remember(store, dataDir)
      case 'Join':
        return remember(store, dataDir)
      default:
        return verdict satisfies never
    }
  }
}

async function stateOf(store: Store): Promise<StoreState> {
  const { items, revision } = await store.list(IDENTITY_KEY)
  const item = items.find(({ key }) => key === IDENTITY_KEY)
  if (item !== undefined) return { kind: 'Cluster', identity: identityOf(item), revision }
  const keys = (await store.list('')).items.length
  return keys === 0 ? { kind: 'Empty', revision } : { kind: 'Foreign', keys }
}

/** Notes its intent first, or a crash in between would leave a cluster that nobody has joined. False: another was quicker. */
async function createCluster({ store, dataDir, clock, newId }: EnterOptions, remembered: Membership | null): Promise<boolean> {
  const id = remembered?.state === 'Creating' ? remembered.cluster : newId()
  const intent: Membership = { cluster: id, state: 'Creating', revision: '0', epochBase: 0 }
  await writeMembership(dataDir, intent)
  const made = await clusterIdentity(store, { id, createdAt: clock.now(), epochBase: 0 })
  if (made.id === id) await remember(store, dataDir)
  return made.id === id
}

async function remember(store: Store, dataDir: string): Promise<void> {
  const { revision } = await store.list(IDENTITY_KEY)
  const { id, epochBase } = must(await readIdentity(store), 'the store holds the cluster')
  await writeMembership(dataDir, { cluster: id, state: 'Member', revision, epochBase })
}

/** Seldom, for the revision need only be new enough to tell a store that went back. */
const REMEMBER_EVERY_MS = 60_000

export interface RememberOptions {
  readonly store: Store
  readonly dataDir: string
  readonly clock: Clock
  readonly log: Logger
}

/** Notes how far the store has come, until the signal aborts. A store that went back meanwhile is not noted, but found at the next start. */
export async function rememberStore({ store, dataDir, clock, log }: RememberOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await pause(clock, REMEMBER_EVERY_MS, signal)
    if (signal.aborted) return
    try {
      const before = must(await readMembership(dataDir), 'a server remembers its cluster')
      const identity = await readIdentity(store)
      const { revision } = await store.list(IDENTITY_KEY)
      if (identity?.id !== before.cluster || compareRevisions(revision, before.revision) <= 0) continue
      await writeMembership(dataDir, { ...before, revision, epochBase: Math.max(before.epochBase, identity.epochBase) })
    } catch (error) {
      log.warn({ error: messageOf(error) }, 'revision of the store not remembered')
    }
  }
}
