import type { Digest, Millis, WorkloadKey } from '../model/ids.ts'
import type { SyncPolicy } from '../model/manifest.ts'
import type { Hold, Quarantine, WorkloadRecord } from '../model/records.ts'

/** One workload as a revision of the app wants it. */
export interface Wanted {
  readonly key: WorkloadKey
  readonly inputsDigest: Digest
  readonly templateDigest: Digest
  readonly file: string
}

export interface SyncInput {
  readonly app: string
  readonly revision: string
  readonly policy: SyncPolicy
  readonly wanted: readonly Wanted[]
  /** Workloads that the revision names but spells wrongly: they stay as they are. */
  readonly broken: readonly WorkloadKey[]
  /** How many mistakes the revision holds; with any, nothing is removed, for the rest may be hidden by them. */
  readonly problems: number
  /** What the app owns now: records that are wanted. */
  readonly owned: readonly WorkloadRecord[]
  /** Workloads that other apps own. */
  readonly foreign: ReadonlyMap<WorkloadKey, string>
  readonly quarantines: readonly Quarantine[]
  readonly allowDelete: 'WithinBudget' | 'Any'
  readonly now: Millis
}

/** Holds of one gate, and names in one, that an app's record carries: the store takes no large values. */
const MOST_TOLD = 20

export interface SyncPlan {
  readonly apply: readonly Wanted[]
  readonly remove: readonly WorkloadKey[]
  /** Quarantines that the revision lifts, for it wants something else than what was bad. */
  readonly lift: readonly WorkloadKey[]
  readonly holds: readonly Hold[]
}

/**
 * What a revision changes, and what it may not (yet). Prune is inventory minus the new set, never "unlabelled
 * things", and a source that is empty, broken or suddenly much smaller removes nothing by itself.
 */
export function planSync(given: SyncInput): SyncPlan {
  const input = indexed(given)
  const verdicts = input.wanted.map((wanted) => judge(wanted, input))
  const removal = planRemoval(input)
  const removed = new Set(removal.remove)
  const lift = input.quarantines.filter((entry) => isLifted(entry, removed, input))
  const holds = [...verdicts.flatMap((verdict) => verdict.hold ?? []), ...removal.holds, ...quarantinedRemovals(input)]
  return {
    apply: verdicts.filter((verdict) => verdict.apply).map((verdict) => verdict.wanted),
    remove: removal.remove,
    lift: lift.map((entry) => entry.workload),
    holds: mergeHolds(holds),
  }
}

/** By key, for a revision may hold ten thousand workloads. */
interface Indexed extends SyncInput {
  readonly wantedByKey: ReadonlyMap<WorkloadKey, Wanted>
  readonly ownedByKey: ReadonlyMap<WorkloadKey, WorkloadRecord>
  readonly quarantineByKey: ReadonlyMap<WorkloadKey, Quarantine>
}

function indexed(input: SyncInput): Indexed {
  return {
    ...input,
    wantedByKey: new Map(input.wanted.map((wanted) => [wanted.key, wanted])),
    ownedByKey: new Map(input.owned.map((record) => [record.key, record])),
    quarantineByKey: new Map(input.quarantines.map((entry) => [entry.workload, entry])),
  }
}

/** A different digest lifts it; absence does once it is carried out, for a removal that is held back changes nothing. */
function isLifted(entry: Quarantine, removed: ReadonlySet<WorkloadKey>, input: Indexed): boolean {
  const wanted = input.wantedByKey.get(entry.workload)
  if (wanted !== undefined) return wanted.inputsDigest !== entry.bad
  const gone = removed.has(entry.workload) || !input.ownedByKey.has(entry.workload)
  return input.problems === 0 && entry.bad !== null && gone
}

interface Verdict {
  readonly wanted: Wanted
  readonly apply: boolean
  readonly hold: Hold | null
}

function judge(wanted: Wanted, input: Indexed): Verdict {
  const owner = input.foreign.get(wanted.key)
  if (owner !== undefined)
    return {
      wanted,
      apply: false,
      hold: hold(input, 'Conflict', `${wanted.key} belongs to app ${owner}`, `remove it from one of the two apps`),
    }
  const quarantine = input.quarantineByKey.get(wanted.key)
  if (quarantine?.bad === wanted.inputsDigest) return { wanted, apply: false, hold: quarantineHold(quarantine, input.now) }
  const live = input.ownedByKey.get(wanted.key)
  return { wanted, apply: live?.inputsDigest !== wanted.inputsDigest, hold: null }
}

function planRemoval(input: SyncInput): { remove: WorkloadKey[]; holds: Hold[] } {
  const kept = new Set<WorkloadKey>([...input.wanted.map((wanted) => wanted.key), ...input.broken, ...absentIsBad(input)])
  const candidates = input.owned.filter((record) => !kept.has(record.key)).map((record) => record.key)
  if (candidates.length === 0) return { remove: [], holds: [] }
  const gate = removalGate(candidates, input)
  return gate === null ? { remove: candidates, holds: [] } : { remove: [], holds: [gate] }
}

/** The first gate that keeps a removal back; null when it may go on. */
function removalGate(candidates: readonly WorkloadKey[], input: SyncInput): Hold | null {
  const names = someOf(candidates)
  const release = `drover sync ${input.app} --allow-delete`
  if (input.problems > 0)
    return hold(input, 'InvalidManifests', `removal of ${names} waits, for the revision has mistakes`, 'mend the manifests')
  if (input.allowDelete === 'Any') return null
  if (!input.policy.prune) return hold(input, 'PruneDisabled', `would remove ${names}`, release)
  if (input.wanted.length === 0) return hold(input, 'EmptySource', `the revision holds no workload; keeping ${names}`, release)
  const { count, percent } = input.policy.deletionBudget
  const budget = Math.max(count, Math.floor((input.owned.length * percent) / 100))
  if (candidates.length <= budget) return null
  return hold(
    input,
    'DeletionBudget',
    `would remove ${candidates.length} of ${input.owned.length} workloads, the budget is ${budget}: ${names}`,
    release,
  )
}

/** Workloads whose absence was rolled back: the revision that lacks them is the bad one. */
function absentIsBad(input: SyncInput): WorkloadKey[] {
  return input.quarantines.filter((entry) => entry.bad === null).map((entry) => entry.workload)
}

function quarantinedRemovals(input: Indexed): Hold[] {
  return input.quarantines
    .filter((entry) => entry.bad === null && !input.wantedByKey.has(entry.workload))
    .map((entry) => quarantineHold(entry, input.now))
}

export function quarantineHold(entry: Quarantine, now: Millis): Hold {
  const message = `${entry.workload} stays at ${entry.goodRevision}: ${entry.reason}`
  return { gate: 'Quarantine', message, since: now, unblockBy: 'commit a change of these inputs, or revert the bad commit' }
}

function hold(input: SyncInput, gate: Hold['gate'], message: string, unblockBy: string): Hold {
  return { gate, message, since: input.now, unblockBy }
}

/** The same hold twice says no more than once, and hundreds say no more than how many there are. */
export function mergeHolds(holds: readonly Hold[]): Hold[] {
  const distinct = [...new Map(holds.map((item) => [`${item.gate} ${item.message}`, item])).values()]
  const gates = [...new Set(distinct.map((item) => item.gate))]
  return gates.flatMap((gate) => fewOf(distinct.filter((item) => item.gate === gate)))
}

function fewOf(holds: readonly Hold[]): Hold[] {
  const [next, ...others] = holds.slice(MOST_TOLD)
  return next === undefined ? [...holds] : [...holds.slice(0, MOST_TOLD), { ...next, message: `and ${others.length + 1} more like these` }]
}

function someOf(names: readonly string[]): string {
  const more = names.length - MOST_TOLD
  return names.slice(0, MOST_TOLD).join(', ') + (more > 0 ? ` and ${more} more` : '')
}
