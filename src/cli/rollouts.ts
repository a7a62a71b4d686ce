import type { RolloutView, WorkloadView } from '../model/views.ts'
import { shortRevision, workloadName } from './read.ts'

/** What a rollout is called and where it stands, in a few words. */

const UNDER_WAY = new Set<RolloutView['phase']>(['Waiting', 'Rolling', 'Paused', 'Proving'])

export const isUnderWay = (rollout: RolloutView): boolean => UNDER_WAY.has(rollout.phase)

/** The rollout of a workload that is not over yet. */
export const rolloutUnderWay = ({ rollout }: WorkloadView): RolloutView | null => (rollout !== null && isUnderWay(rollout) ? rollout : null)

/** True where only a person ends the pause. */
export const waitsForPromotion = ({ phase, until }: RolloutView): boolean => phase === 'Paused' && until === null

export const rolloutName = ({ id }: { id: string }): string => `rollout/${id}`

export const rolloutWorkload = ({ kind, workload }: RolloutView): string => workloadName({ kind, name: workload })

export const stepOf = ({ step }: RolloutView): string => (step === null ? '-' : `${step.number}/${step.of}`)

/** Tasks of the new version that are there, of those wanted in the end. */
const updatedOf = ({ updated, desired }: RolloutView): string | null =>
  updated === null || desired === null ? null : `${updated}/${desired} updated`

/** `step 1/2, 2/5 updated`; what it is called where it does not move by itself. */
export function standingOf(rollout: RolloutView): string {
  const step = rollout.step === null ? [] : [`step ${stepOf(rollout)}`]
  const updated = [updatedOf(rollout) ?? []].flat()
  switch (rollout.phase) {
    case 'Waiting':
      return 'waits for its dependencies'
    case 'Paused':
      return ['paused', ...step, ...updated, ...(waitsForPromotion(rollout) ? ['until promoted'] : [])].join(', ')
    case 'Proving':
      return 'all there, proving itself'
    case 'Rolling':
      return [...(rollout.intent === 'Restore' ? ['going back'] : []), ...step, ...updated].join(', ') || 'rolling out'
    default:
      return rollout.phase
  }
}

/** Flags of `drover promote` and its like where the namespace is not the default one. */
export const inNamespace = (namespace: string): string => (namespace === 'default' ? '' : ` -n ${namespace}`)

/** What a person types to end its pause; null where nobody is waited for. */
export function promoteCommand(view: WorkloadView): string | null {
  const rollout = rolloutUnderWay(view)
  return rollout !== null && waitsForPromotion(rollout) ? `drover promote ${workloadName(view)}${inNamespace(view.namespace)}` : null
}

/** What keeps a workload from what git says: `main@2222222 rolled back: CrashLoop ...`. */
export const quarantineText = ({ badRevision, reason }: NonNullable<WorkloadView['quarantine']>): string =>
  `${shortRevision(badRevision)} rolled back: ${reason}`
