/**
 * The life of a rollout as a table: what each event makes of each phase. Pure; `event.ts` says which event the
 * facts amount to, `pace.ts` what a phase means for tasks. What is not in the table changes nothing.
 */
import type { Millis } from '../../model/ids.ts'
import type { CanaryStep } from '../../model/manifest.ts'
import type { Failure, Rollout, RolloutPhase, RolloutState } from '../../model/rollout.ts'

export type RolloutEvent =
  /** Nothing is left to wait for. `step`: the first canary step; null: there is none to take. */
  | { readonly type: 'cleared'; readonly step: number | null; readonly available: number }
  /** What it waits for does not move, or moves again. */
  | { readonly type: 'stuck' }
  | { readonly type: 'moving' }
  | { readonly type: 'progressed'; readonly available: number }
  /** The canary step has its tasks; `until`: when its pause ends, null: when a person says so. */
  | { readonly type: 'stepReached'; readonly until: Millis | null }
  /** A canary was lost in its pause, or a task while all was to be proved. */
  | { readonly type: 'slipped'; readonly available: number }
  /** `next`: the canary step to take now; null: the rest. */
  | { readonly type: 'pauseOver'; readonly next: number | null; readonly available: number }
  /** A person tries what failed and was held once more. */
  | { readonly type: 'retried' }
  /** All of it is there; `until`: when it has shown that it stays. */
  | { readonly type: 'settled'; readonly until: Millis }
  | { readonly type: 'completed' }
  | { readonly type: 'failed'; readonly failure: Failure }
  /** The workload went back to its good version, for this failure, be it its own or another's of its app. */
  | { readonly type: 'returned'; readonly failure: Failure }
  /** Another version is wanted by now, or none. */
  | { readonly type: 'superseded' }

type EventType = RolloutEvent['type']
type Row = { readonly [E in EventType]?: (state: RolloutState, event: Extract<RolloutEvent, { type: E }>, now: Millis) => RolloutState }

const superseded = (): RolloutState => ({ phase: 'Superseded' })
const failed: Row['failed'] = (_state, { failure }) => ({ phase: 'Failed', failure })
const returned: Row['returned'] = (_state, { failure }) => ({ phase: 'RolledBack', failure })

const rolling = (step: number | null, available: number, now: Millis): RolloutState => ({
  phase: 'Rolling',
  step,
  best: available,
  progressAt: now,
})

const stepOf = (state: RolloutState): number | null => ('step' in state ? state.step : null)

/** What ends a rollout that is under way, whatever it is doing. */
const UNDER_WAY: Row = { failed, returned, superseded }

const TABLE: { readonly [P in RolloutPhase]: Row } = {
  Waiting: {
    ...UNDER_WAY,
    cleared: (_state, { step, available }, now) => rolling(step, available, now),
    stuck: (_state, _event, now) => ({ phase: 'Waiting', stuckSince: now }),
    moving: () => ({ phase: 'Waiting', stuckSince: null }),
  },
  Rolling: {
    ...UNDER_WAY,
    progressed: (state, { available }, now) => rolling(stepOf(state), available, now),
    stepReached: (state, { until }) => ({ phase: 'Paused', step: stepOf(state) ?? 0, until }),
    settled: (_state, { until }) => ({ phase: 'Proving', until }),
    completed: () => ({ phase: 'Complete' }),
  },
  Proving: {
    ...UNDER_WAY,
    slipped: (_state, { available }, now) => rolling(null, available, now),
    completed: () => ({ phase: 'Complete' }),
    // All of it was there and well until the next version came.
    superseded: () => ({ phase: 'Complete' }),
  },
  Paused: {
    ...UNDER_WAY,
    slipped: (state, { available }, now) => rolling(stepOf(state), available, now),
    pauseOver: (_state, { next, available }, now) => rolling(next, available, now),
  },
  // All of an atomic app returns together, also what had become healthy.
  Complete: { returned },
  // What went on being tried, or recovered by itself, may come after all.
  Failed: { returned, retried: () => ({ phase: 'Waiting', stuckSince: null }), completed: () => ({ phase: 'Complete' }) },
  RolledBack: {},
  Superseded: {},
}

export const isFinished = ({ state }: Pick<Rollout, 'state'>): boolean => TABLE[state.phase].superseded === undefined

/** The rollout after the event; the same object when the event means nothing to its phase. */
export function advance(rollout: Rollout, event: RolloutEvent, now: Millis): Rollout {
  const transition = TABLE[rollout.state.phase][event.type] as Row['failed'] | undefined
  if (transition === undefined) return rollout
  const state = transition(rollout.state, event as Extract<RolloutEvent, { type: 'failed' }>, now)
  const after = { ...rollout, state }
  // Tasks that failed before a new try are no verdict on it, so it counts from now on.
  if (event.type === 'retried') return { ...after, startedAt: now, finishedAt: null }
  return { ...after, finishedAt: isFinished(after) ? (rollout.finishedAt ?? now) : null }
}

/** The code of a failure that is a person's word: it goes back, whatever the policy says of failures. */
export const ABORTED = 'Aborted'
export const DEPENDENCY_FAILED = 'DependencyFailed'

/** Tasks of the new version that a canary step wants, of `slots`. */
export function stepSize(step: CanaryStep, slots: number): number {
  return Math.min(slots, step.replicas ?? Math.ceil((slots * (step.percent ?? 0)) / 100))
}
