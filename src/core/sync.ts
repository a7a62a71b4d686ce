import type { Digest, Millis, WorkloadKey } from '../model/ids.ts'
import type { SyncPolicy } from '../model/manifest.ts'
import type { Hold, Quarantine, WorkloadRecord } from '../model/records.ts'
import type { RootCause } from '../model/rollout.ts'
import { failedItself } from './returns.ts'

/** One workload as a revision of the app wants it. */
export interface Wanted {
  readonly key: WorkloadKey
  readonly inputsDigest: Digest
  readonly templateDigest: Digest
  readonly file: string
  /** What it is taken for anew: another version of it, or each revision whether it changes it or not. */
  readonly appliesTo: 'Change' | 'Revision'
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
  /** `Quarantined`: somebody wants what failed by itself to be tried again. */
  readonly retry: 'No' | 'Quarantined'
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
  const everything = indexed(given)
  const stays = standing(everything)
  const input = { ...everything, quarantines: stays, quarantineByKey: byWorkload(stays) }
  const verdicts = input.wanted.map((wanted) => judge(wanted, input))
  const removal = planRemoval(input)
  const removed = new Set(removal.remove)
  const lift = everything.quarantines.filter((entry) => !stays.includes(entry) || isGone(entry, removed, input))
  const held = verdicts.flatMap((verdict) => verdict.hold ?? [])
  const holds = [...stillFailing(input, everything), ...held, ...removal.holds, ...quarantinedRemovals(input)]
  // An atomic revision is applied whole or not at all; what a policy never prunes is no part of it.
  if (input.policy.atomic && (input.problems > 0 || holds.some(({ gate }) => gate !== 'PruneDisabled')))
    return { apply: [], remove: [], lift: [], holds: mergeHolds(holds) }
  return {
    apply: verdicts.filter((verdict) => verdict.apply).map((verdict) => verdict.wanted),
    remove: removal.remove,
    lift: lift.map((entry) => entry.workload),
    holds: mergeHolds(holds),
  }
}

/** What git says now does not lift. An atomic app was rolled back as a whole, so it goes on as a whole too, once what failed is mended. */
function standing(input: Indexed): Quarantine[] {
  const stays = input.quarantines.filter((entry) => !isOutdated(entry, input))
  const goesOn = input.policy.atomic && stays.length < input.quarantines.length && !stays.some((entry) => isUnmended(entry, input))
  return goesOn ? [] : stays
}

/** Git still says what failed by itself, so that it would only fail again. */
function isUnmended(entry: Quarantine, { wantedByKey }: Indexed): boolean {
  return failedItself(entry) && wantedByKey.get(entry.workload)?.inputsDigest === entry.bad
}

/** Of an atomic app: why a revision that changes something else is not applied either. */
function stillFailing(input: Indexed, { quarantines }: SyncInput): Hold[] {
  const unmended = input.quarantines.filter((entry) => isUnmended(entry, input)).map(({ workload }) => workload)
  if (!input.policy.atomic || unmended.length === 0 || input.quarantines.length === quarantines.length) return []
  const message = `${input.revision} is not applied, for the app is atomic and ${someOf(unmended)} in it is as it failed`
  return [hold(input, 'Quarantine', message, `commit a change of its inputs; to try the same again: drover sync ${input.app} --retry`)]
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
    quarantineByKey: byWorkload(input.quarantines),
  }
}

const byWorkload = (entries: readonly Quarantine[]): ReadonlyMap<WorkloadKey, Quarantine> =>
  new Map(entries.map((entry) => [entry.workload, entry]))

/** Git says something else by now: of these inputs, or of those whose failure took them along. */
function isOutdated(entry: Quarantine, input: Indexed): boolean {
  if (input.retry === 'Quarantined' && entry.revisionId !== null) return true
  const wanted = input.wantedByKey.get(entry.workload)
  if (wanted !== undefined && wanted.inputsDigest !== entry.bad) return true
  return entry.because !== null && isMended(entry.because, input)
}

/** What is only missing because of a mistake elsewhere is not mended. */
function isMended({ workload, inputsDigest }: RootCause, input: Indexed): boolean {
  const wanted = input.wantedByKey.get(workload)
  if (wanted !== undefined) return wanted.inputsDigest !== inputsDigest
  return input.problems === 0 && !input.broken.includes(workload)
}

/** Absence lifts it once it is carried out, for a removal that is held back changes nothing. */
function isGone(entry: Quarantine, removed: ReadonlySet<WorkloadKey>, input: Indexed): boolean {
  if (input.wantedByKey.has(entry.workload)) return false
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
  const isNew = live?.inputsDigest !== wanted.inputsDigest || (wanted.appliesTo === 'Revision' && live.revision !== input.revision)
  return { wanted, apply: isNew, hold: null }
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

function quarantineHold(entry: Quarantine, now: Millis): Hold {
  const stays = entry.good === null ? 'is not run' : `stays at ${entry.goodRevision}`
  const retry = entry.revisionId === null ? '' : `; to try the same again: drover sync ${entry.app} --retry`
  const unblockBy = `commit a change of these inputs, or revert the bad commit${retry}`
  return { gate: 'Quarantine', message: `${entry.workload} ${stays}: ${entry.reason}`, since: now, unblockBy }
}

/** An app's holds once something was brought back: of quarantines those that there are now, the others as they were. */
export function holdsAfterReturn(before: readonly Hold[], quarantines: readonly Quarantine[], now: Millis): Hold[] {
  const others = before.filter(({ gate }) => gate !== 'Quarantine')
  return mergeHolds([...others, ...quarantines.map((entry) => quarantineHold(entry, now))])
}

function hold(input: SyncInput, gate: Hold['gate'], message: string, unblockBy: string): Hold {
  return { gate, message, since: input.now, unblockBy }
}

/** The same hold twice says no more than once, and hundreds say no more than how many there are. */
function mergeHolds(holds: readonly Hold[]): Hold[] {
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
