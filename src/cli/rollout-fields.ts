import type { HistoryView, RolloutView, WorkloadView } from '../model/views.ts'
import { durationOf } from './listings.ts'
import type { Field, Look } from './output/look.ts'
import { untilOf } from './output/time.ts'
import { shortRevision } from './read.ts'
import { inNamespace, isUnderWay, rolloutName, rolloutWorkload, standingOf } from './rollouts.ts'

type Evidence = NonNullable<RolloutView['failure']>['evidence']

/** One line a task, and its last words indented below. */
const evidenceLines = (evidence: Evidence): string[] =>
  evidence.flatMap(({ task, attempt, code, message, exitCode, lastLines }) => [
    `task/${task} attempt ${attempt}: ${code}: ${message}${exitCode === null || message.includes('exit code') ? '' : `, exit code ${exitCode}`}`,
    ...lastLines.map((line) => `  | ${line}`),
  ])

/** Which rollout it is, and where it stands, in one line. */
export const rolloutLine = (rollout: RolloutView): string =>
  `${rolloutName(rollout)} ${rollout.phase}${isUnderWay(rollout) ? `: ${standingOf(rollout)}` : ` at ${shortRevision(rollout.revision)}`}`

const version = (revision: string | null, inputs: string | null): string =>
  revision === null ? 'nothing' : `${revision} (inputs ${inputs?.slice(0, 12) ?? 'unknown'})`

const WHAT: Readonly<Record<RolloutView['intent'], string>> = {
  Update: 'update to what git says',
  Restore: 'return to what ran before',
}

export const rolloutFields = (rollout: RolloutView, look: Look): Field[] => [
  ['Rollout', rollout.id],
  ['Workload', rolloutWorkload(rollout)],
  ['Namespace', rollout.namespace],
  ['App', rollout.app],
  ['What', WHAT[rollout.intent]],
  ['Cause', rollout.cause],
  ['From', version(rollout.fromRevision, rollout.fromInputsDigest)],
  ['To', version(rollout.revision, rollout.inputsDigest)],
  ['Phase', rollout.phase],
  ...progressFields(rollout, look),
  ['Started', rollout.startedAt],
  ['Duration', durationOf(rollout, look.now)],
  ...failureFields(rollout),
]

function progressFields(rollout: RolloutView, { now }: Look): Field[] {
  const { step, desired, updated, available, deadline } = rollout
  const count = (value: number | null): string => (value === null ? 'unknown' : String(value))
  return [
    ['Step', step === null ? null : `${step.number} of ${step.of}: ${step.replicas} of the new version`],
    ['Progress', desired === null ? null : `${count(available)} of ${desired} available, ${count(updated)} updated`],
    ['Deadline', deadline === null ? null : `fails ${untilOf(deadline, now)} unless it makes progress (${deadline})`],
    ['Pause', rollout.phase === 'Paused' ? pauseText(rollout, now) : null],
  ]
}

function pauseText(rollout: RolloutView, now: number): string {
  if (rollout.until !== null) return `ends ${untilOf(rollout.until, now)} (${rollout.until})`
  return `goes on with \`drover promote ${rolloutWorkload(rollout)}${inNamespace(rollout.namespace)}\``
}

function failureFields({ failure }: RolloutView): Field[] {
  if (failure === null) return []
  return [
    ['Failure', `${failure.code}: ${failure.message}`],
    ['Because of', failure.because],
    ['Evidence', evidenceLines(failure.evidence)],
  ]
}

/** What stays out, what runs instead, and why; where nothing is held, why the newest rollout failed. */
export function quarantineFields({ quarantine, rollout }: WorkloadView): Field[] {
  if (quarantine === null) return rollout === null ? [] : failureFields(rollout)
  const { badRevision, goodRevision, reason, actor, because, evidence, good } = quarantine
  return [
    ['Quarantine', `${badRevision} stays out (by ${actor})`],
    ['Stays at', good === null ? 'not there' : goodRevision],
    ['Reason', reason],
    ['Because of', because],
    ['Evidence', evidenceLines(evidence)],
  ]
}

export const revisionFields = (app: string, item: HistoryView, { now }: Look): Field[] => [
  ['Revision', item.revision],
  ['App', app],
  ['Number', String(item.id)],
  ['Subject', item.subject],
  ['Cause', item.cause],
  ['Outcome', item.outcome],
  ['Reason', item.reason],
  ['Started', item.startedAt],
  ['Duration', durationOf(item, now)],
  ['Results', item.results.map(resultLine)],
]

const resultLine = ({ workload, result, rollout, run }: HistoryView['results'][number]): string => {
  const of = rollout === null ? (run === null ? '' : ` (run/${run})`) : ` (rollout/${rollout})`
  return `${workload}: ${result}${of}`
}
