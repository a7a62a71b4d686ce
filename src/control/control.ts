import type { GitRepository } from '../git/git-backend.ts'
import type { Clock } from '../lib/clock.ts'
import { messageOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { must } from '../lib/must.ts'
import type { Keyring } from '../lib/seal.ts'
import { pause } from '../lib/waits.ts'
import type { AgentId, Oid } from '../model/ids.ts'
import { SyncPolicy } from '../model/manifest.ts'
import type { AppRecord, AppSource } from '../model/records.ts'
import { LEADER_KEY } from '../store/keys.ts'
import { type Store, StoreReadOnlyError, type StoreStatus } from '../store/store.ts'
import type { AgentGate } from './agents/agent-gate.ts'
import { LogTickets } from './agents/log-tickets.ts'
import type { Cluster } from './leader/cluster.ts'
import { collectOld } from './leader/collect.ts'
import { DemotedError } from './leader/commit.ts'
import { clusterIdentity } from './leader/identity.ts'
import { campaignAndLead, type LeadingTerm } from './leader/lead.ts'
import type { TurnContext } from './leader/term.ts'
import type { ControlPlane } from './requests/control-plane.ts'
import { RequestError } from './requests/control-plane.ts'
import type { LeaderPointer } from './requests/leader-pointer.ts'
import { createRequests, type Leading } from './requests/requests.ts'
import { inTurn, Source, type SourceDeps } from './source/source.ts'
import { createTrustPlane } from './trust/create-trust-plane.ts'
import { ensureAdmin } from './trust/first-admin.ts'
import type { ServerTrust } from './trust/server-trust.ts'
import type { TrustPlane } from './trust/trust-plane.ts'

export interface ControlDeps extends SourceDeps {
  readonly store: Store
  readonly storeStatus: () => Promise<StoreStatus>
  readonly clock: Clock
  readonly log: Logger
  readonly newId: () => string
  readonly version: string
  /** Null: whoever reaches this control plane is trusted. */
  readonly trust: ControlTrust | null
  /** The implicit App of the command line; it owns what its path holds. */
  readonly app: { readonly name: string; readonly source: AppSource }
  /** Where others reach this process while it leads; null: nowhere, it stands alone. */
  readonly advertise: string | null
}

/** What a control plane that asks for tokens and certificates needs. */
export interface ControlTrust {
  readonly server: ServerTrust
  readonly keyring: Keyring
  /** The key of the keyring, in hex. */
  readonly clusterKey: string
  /** Where the owner of this machine finds the first admin token; replaces one that was there. */
  readonly keepAdminToken: (text: string) => Promise<void>
}

export interface Control {
  readonly plane: ControlPlane
  /** Null: whoever reaches this control plane is trusted. */
  readonly trust: TrustPlane | null
  /** For an agent in this process, which is trusted. */
  readonly gate: AgentGate
  readonly leader: LeaderPointer
  /** For an agent elsewhere: it gets and gives only what is its own. */
  gateOf(agent: AgentId): AgentGate
  /** Campaigns and leads until the signal aborts; resolves when everything it started has ended. */
  run(signal: AbortSignal): Promise<void>
  /** Resolves once this process leads, or the signal aborts: an agent in the same process has nowhere else to go. */
  untilLeading(signal: AbortSignal): Promise<void>
}

/** The control plane of one process: stands by or leads, and answers for whoever leads here. */
export async function createControl(deps: ControlDeps): Promise<Control> {
  const identity = await clusterIdentity(deps.store, { id: deps.newId(), createdAt: deps.clock.now(), epochBase: 0 })
  const state: { leading: Leading | null } = { leading: null }
  const elected = new Set<() => void>()
  const set = (next: Leading | null): void => {
    state.leading = next
    if (next !== null) for (const tell of elected) tell()
  }
  const tickets = new LogTickets()
  const leads = (): boolean => state.leading !== null && mayAct(state.leading, deps.clock)
  const leading = (): Leading => {
    if (state.leading === null || !leads())
      throw new RequestError('Unavailable', 'this control plane does not lead yet; try again in a moment')
    return state.leading
  }
  return {
    plane: createRequests({ ...deps, identity, leading, tickets }),
    trust: deps.trust === null ? null : createTrustPlane({ ...deps, ...deps.trust, leading, now: () => deps.clock.now() }),
    gate: createGate({ leading, deps, tickets, bearer: null }),
    gateOf: (agent) => createGate({ leading, deps, tickets, bearer: agent }),
    leader: { leads, url: () => leaderUrl(deps) },
    run: async (signal) => {
      await Promise.all([run({ ...deps, cluster: identity.id }, { signal, set }), deps.trust?.server.run(signal)])
    },
    untilLeading: (signal) =>
      new Promise((resolve) => {
        if (state.leading !== null || signal.aborted) {
          resolve()
          return
        }
        const tell = () => {
          elected.delete(tell)
          signal.removeEventListener('abort', tell)
          resolve()
        }
        elected.add(tell)
        signal.addEventListener('abort', tell, { once: true })
      }),
  }
}

/** A process that was frozen, or whose loop was blocked, learns only later that it lost the lead; its clock knows at once. */
const mayAct = ({ signal, validUntil }: Leading, clock: Clock): boolean => !signal.aborted && clock.monotonic() < validUntil()

/** Its own address there is of a term that is over here. */
async function leaderUrl({ store, advertise }: ControlDeps): Promise<string | null> {
  try {
    const value = (await store.get(LEADER_KEY))?.value ?? ''
    return value === '' || value === advertise ? null : value
  } catch (error) {
    throw new RequestError('Unavailable', `this control plane does not lead, and its store does not say who does: ${messageOf(error)}`)
  }
}

async function run(
  deps: ControlDeps & { readonly cluster: string },
  options: { signal: AbortSignal; set: (leading: Leading | null) => void },
): Promise<void> {
  let parts: Promise<unknown> = Promise.resolve()
  const started = (term: LeadingTerm, signal: AbortSignal): void => {
    const source = new Source(deps.app.name, term, deps)
    options.set({ ...term, sources: new Map([[deps.app.name, source]]), signal })
    // The clone is one folder on disk: the source of the term before must have let go of it.
    const follow = parts.then(() => followSource(deps, { term, source, signal }))
    parts = Promise.all([follow, collectOld(term, deps, signal), admitOwner(term, deps)])
  }
  try {
    await campaignAndLead(deps, { signal: options.signal, started, ended: () => options.set(null) })
  } finally {
    await parts
  }
}

/** Without it nobody could make the first token; a term that could not leave one says so, and the next tries again. */
async function admitOwner(term: LeadingTerm, { trust, newId, log }: ControlDeps): Promise<void> {
  if (trust === null) return
  try {
    await ensureAdmin(term, { id: newId(), pin: trust.server.authority.pin, keep: trust.keepAdminToken })
  } catch (error) {
    if (!(error instanceof DemotedError)) log.error({ error: messageOf(error) }, 'admin token not left')
  }
}

const AFTER_A_BREAK_MS = 1000

/** Follows git as long as the term lasts. Only a bug breaks it: that is told and tried again, for no app may fall behind git in silence. */
async function followSource(
  deps: ControlDeps,
  { term, source, signal }: { term: LeadingTerm; source: Source; signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    try {
      await inTurn(term, (turn) => adoptApp(deps.app, turn))
      await source.run(signal)
    } catch (error) {
      const known = error instanceof DemotedError || error instanceof StoreReadOnlyError
      if (!known) deps.log.error({ app: deps.app.name, error: messageOf(error) }, 'source broke')
      await pause(deps.clock, AFTER_A_BREAK_MS, signal)
    }
  }
  source.end(new DemotedError('the term ended'))
}

/** Writes the app on first start; later starts may point it at another place without losing what runs. */
function adoptApp(app: ControlDeps['app'], { term, draft, now }: TurnContext): void {
  const known = term.cluster.apps.get(app.name)
  const fresh: AppRecord = {
    name: app.name,
    source: app.source,
    policy: SyncPolicy.parse({}),
    createdAt: now,
    observedRevision: null,
    lastAttemptedRevision: null,
    lastAppliedRevision: null,
    lastRevisionId: 0,
    problems: [],
    holds: [],
  }
  const value = known === undefined ? fresh : { ...known, source: app.source }
  if (JSON.stringify(value) !== JSON.stringify(known)) draft.write({ table: 'apps', id: app.name, value })
}

interface GateParts {
  readonly leading: () => Leading
  readonly deps: ControlDeps
  readonly tickets: LogTickets
  /** The agent it is for; null: any, for the caller is trusted. */
  readonly bearer: AgentId | null
}

function createGate({ leading, deps, tickets, bearer }: GateParts): AgentGate {
  return {
    accept: async (channel) => leading().term.hub.serve(channel, bearer),
    async *tree(oid, signal) {
      if (bearer !== null) assertGiven(oid, bearer, leading().term.cluster)
      const kept = await deps.trees.open(oid)
      yield* kept ?? (await repack(oid, leading(), deps, signal))
    },
    receiveLogs: (ticket, lines) => tickets.deliver(ticket, lines, bearer),
  }
}

/** A tree that no task of an agent ships is, to that agent, not there. @throws RequestError `NotFound`. */
function assertGiven(tree: Oid, agent: AgentId, cluster: Cluster): void {
  const given = cluster.tasksOfAgent(agent).some(({ task }) => Object.values(cluster.version(task.inputsDigest).trees).includes(tree))
  if (!given) throw new RequestError('NotFound', `no task of agent ${agent} ships tree ${tree}`)
}

/** A tree this control plane has not kept, as after a fail-over: git still has it. */
async function repack(oid: Oid, { sources }: Leading, deps: ControlDeps, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const source = must(sources.values().next().value, 'an app has a source')
  const repo: GitRepository = await source.repository()
  await deps.trees.put(oid, deps.packTree(repo, oid, signal))
  return must(await deps.trees.open(oid), `tree ${oid} was kept`)
}
