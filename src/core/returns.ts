import { type Digest, type Millis, parseWorkloadKey, type WorkloadKey } from '../model/ids.ts'
import type { SyncPolicy } from '../model/manifest.ts'
import type { Quarantine, RevisionRecord, Run, WorkloadRecord } from '../model/records.ts'
import type { Failure, Rollout, RootCause, Target } from '../model/rollout.ts'
import type { WorkloadVersion } from '../model/version.ts'
import type { Health } from '../model/views.ts'
import { ABORTED, DEPENDENCY_FAILED } from './rollout/step.ts'

/** What becomes of it is not decided yet. One that closed is over, although it was Degraded then. */
export const isOpen = ({ outcome, finishedAt }: Pick<RevisionRecord, 'outcome' | 'finishedAt'>): boolean =>
  finishedAt === null && (outcome === 'Progressing' || outcome === 'Degraded')

/** All that it brought was good, be the rest of the app as it may. */
export const hasProved = ({ outcome, finishedAt }: Pick<RevisionRecord, 'outcome' | 'finishedAt'>): boolean =>
  outcome === 'Healthy' || (outcome === 'Degraded' && finishedAt !== null)

/** Of an atomic app: somebody was late, which is no verdict on the inputs of whoever it was. */
const DEADLINE_EXCEEDED = 'DeadlineExceeded'

/** These very inputs failed, whoever else changes: neither another's failure, nor a person's rollback, nor a Job, which is a gate for others. */
export function failedItself({ workload, because, revisionId, reason }: Quarantine): boolean {
  return revisionId !== null && because === null && isDeployment(workload) && !reason.startsWith(`${DEADLINE_EXCEEDED}:`)
}

const isDeployment = (key: WorkloadKey): boolean => parseWorkloadKey(key).kind === 'Deployment'

/** One workload of an app, as far as it matters for whether it went wrong. */
export interface Member {
  readonly record: WorkloadRecord
  readonly version: WorkloadVersion
  readonly health: Health
  /** The rollout of what the record says now. */
  readonly rollout: Rollout | null
  readonly run: Run | null
}

export interface ReturnInput {
  readonly policy: SyncPolicy
  /** The newest revision that was applied. */
  readonly revision: RevisionRecord
  readonly members: readonly Member[]
  readonly now: Millis
}

/** A workload that goes back; `to` null: it was not there when all was good. */
export interface Return {
  readonly record: WorkloadRecord
  readonly to: Target | null
  /** The inputs that are not to be run again; null: its absence. */
  readonly bad: Digest | null
  readonly failure: Failure
}

/**
 * What goes back to the last good version, and why: in an atomic app all that its revision brought as soon as one part
 * of it failed, else each Deployment whose own rollout failed. What failed comes last, for it is the reason of the rest.
 */
export function planReturns(input: ReturnInput): Return[] {
  const { deadlineAt } = input.revision
  return deadlineAt !== null && isOpen(input.revision) ? wholeRevision(input, deadlineAt) : input.members.flatMap(ownReturn)
}

/**
 * What an atomic revision has proved at its deadline, although the app as a whole is not healthy: what it did not touch
 * is no reason to keep it open, and an open one would go back for the next restart. Null: there is nothing to close.
 */
export function provedAtDeadline({ revision, members, now }: ReturnInput): WorkloadRecord[] | null {
  if (revision.deadlineAt === null || !isOpen(revision) || now < revision.deadlineAt) return null
  const brought = members.filter(({ record }) => record.wanted && isBrought(record))
  return brought.every(isWell) ? brought.map(({ record }) => record) : null
}

/** Healthy, and it has shown that it stays so. */
const isWell = ({ health, rollout }: Member): boolean => health === 'Healthy' && (rollout === null || rollout.state.phase === 'Complete')

function ownReturn({ record, version, rollout }: Member): Return[] {
  if (rollout?.state.phase !== 'Failed' || record.good === null || record.intent === 'Restore') return []
  // Git came back to it by way of another version: there is nothing better to go to.
  if (record.good.inputsDigest === record.inputsDigest) return []
  const { failure } = rollout.state
  if (isOnlyWaiting(failure)) return []
  const isWanted = version.kind === 'Deployment' && version.spec.onFailure === 'Rollback'
  return isWanted || failure.code === ABORTED ? [{ record, to: record.good, bad: record.inputsDigest, failure }] : []
}

/** Somebody else is unwell, and nothing of git's doing is to blame: it stays as it is, and goes on when that is well again. */
const isOnlyWaiting = ({ code, because }: Failure): boolean => code === DEPENDENCY_FAILED && because === null

function wholeRevision(input: ReturnInput, deadlineAt: Millis): Return[] {
  const brought = input.members.filter(({ record }) => isBrought(record))
  const root = rootOf(brought, input, deadlineAt)
  const hasGood = input.members.some(({ record }) => record.good !== null)
  if (root === null || !hasGood || (input.policy.onFailure === 'Hold' && root.failure.code !== ABORTED)) return []
  const because: RootCause = { workload: root.member.record.key, inputsDigest: root.member.record.inputsDigest }
  const taken: Failure = {
    code: 'RevisionFailed',
    message: `${because.workload} failed, and its revision is atomic: ${root.failure.message}`,
    because,
    evidence: [],
  }
  return [...brought.filter((member) => member !== root.member), root.member].map(({ record }) =>
    goingBack(record, record === root.member.record ? root.failure : taken),
  )
}

/** Since all was good, by this revision or one that it overtook; what it removes is still there, for that waits until all is well. */
function isBrought({ wanted, intent, good, inputsDigest }: WorkloadRecord): boolean {
  return wanted ? intent === 'Update' && good?.inputsDigest !== inputsDigest : good !== null
}

function goingBack(record: WorkloadRecord, failure: Failure): Return {
  return { record, to: record.good, bad: record.wanted ? record.inputsDigest : null, failure }
}

interface Root {
  readonly member: Member
  readonly failure: Failure
}

/** The first part that failed by itself, else one that fails only because of another, else whoever is late. */
function rootOf(brought: readonly Member[], input: ReturnInput, deadlineAt: Millis): Root | null {
  const failed = brought.flatMap((member): Root[] => {
    const failure = failureOf(member)
    return failure === null ? [] : [{ member, failure }]
  })
  const aborted = failed.find(({ failure }) => failure.code === ABORTED)
  const first = aborted ?? failed.find(({ failure }) => failure.because === null) ?? failed[0]
  if (first !== undefined || input.now < deadlineAt) return first ?? null
  const late = brought.find((member) => member.record.wanted && !isWell(member))
  return late === undefined ? null : { member: late, failure: tooLate(late, input.policy) }
}

/** What is on its way out fails nobody, and what only waits has until the deadline. */
function failureOf({ record, rollout, run }: Member): Failure | null {
  if (!record.wanted) return null
  if (rollout?.state.phase === 'Failed') return isOnlyWaiting(rollout.state.failure) ? null : rollout.state.failure
  if (run?.phase !== 'Failed') return null
  const code = run.exitCode === null ? '' : `, exit code ${run.exitCode}`
  return { code: run.reason ?? 'Failed', message: `run ${run.id} failed${code}`, because: null, evidence: [] }
}

function tooLate({ record, health }: Member, { deadlineSeconds }: SyncPolicy): Failure {
  const standing = health === 'Healthy' ? 'healthy, but still rolling out,' : health
  const message = `${record.key} is ${standing} ${deadlineSeconds} s after its revision was applied`
  return { code: DEADLINE_EXCEEDED, message, because: null, evidence: [] }
}
