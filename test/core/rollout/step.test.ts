import { describe, expect, it } from 'vitest'
import { advance, isFinished, type RolloutEvent, stepSize } from '../../../src/core/rollout/step.ts'
import type { RolloutPhase, RolloutState } from '../../../src/model/rollout.ts'
import { NOW } from '../../support/make.ts'
import { EVENTS, FAILURE, rollout, STATES } from './make.ts'

type Outcome = RolloutState | 'same'
type Column = { readonly [E in RolloutEvent['type']]: Outcome }

const LATER = NOW + 1000
const rolling = (step: number | null, best: number): RolloutState => ({ phase: 'Rolling', step, best, progressAt: LATER })
const failed: RolloutState = { phase: 'Failed', failure: FAILURE }
const returned: RolloutState = { phase: 'RolledBack', failure: FAILURE }
const superseded: RolloutState = { phase: 'Superseded' }

const NOTHING: Column = {
  cleared: 'same',
  stuck: 'same',
  moving: 'same',
  progressed: 'same',
  stepReached: 'same',
  slipped: 'same',
  pauseOver: 'same',
  retried: 'same',
  settled: 'same',
  completed: 'same',
  failed: 'same',
  returned: 'same',
  superseded: 'same',
}

/** What becomes of every phase with every event. */
const TABLE: { readonly [P in RolloutPhase]: Column } = {
  Waiting: {
    ...NOTHING,
    cleared: rolling(0, 2),
    stuck: { phase: 'Waiting', stuckSince: LATER },
    moving: { phase: 'Waiting', stuckSince: null },
    ...{ failed, returned, superseded },
  },
  Rolling: {
    ...NOTHING,
    progressed: rolling(0, 3),
    stepReached: { phase: 'Paused', step: 0, until: NOW + 9000 },
    settled: { phase: 'Proving', until: NOW + 7000 },
    completed: { phase: 'Complete' },
    ...{ failed, returned, superseded },
  },
  Proving: {
    ...NOTHING,
    slipped: rolling(null, 0),
    ...{ failed, returned, completed: { phase: 'Complete' }, superseded: { phase: 'Complete' } },
  },
  Paused: { ...NOTHING, slipped: rolling(0, 0), pauseOver: rolling(1, 1), ...{ failed, returned, superseded } },
  Complete: { ...NOTHING, returned },
  Failed: { ...NOTHING, returned, retried: { phase: 'Waiting', stuckSince: null }, completed: { phase: 'Complete' } },
  RolledBack: NOTHING,
  Superseded: NOTHING,
}

const CASES = Object.entries(TABLE).flatMap(([phase, column]) =>
  Object.entries(column).map(([event, outcome]) => [phase, event, outcome] as [RolloutPhase, RolloutEvent['type'], Outcome]),
)

describe('every phase with every event', () => {
  it('is asked', () => {
    expect(CASES).toHaveLength(Object.keys(STATES).length * Object.keys(EVENTS).length)
  })

  it.each(CASES)('%s, %s', (phase, event, outcome) => {
    const before = rollout({ state: STATES[phase], finishedAt: isFinished({ state: STATES[phase] }) ? NOW : null })
    const after = advance(before, EVENTS[event], LATER)
    if (outcome === 'same') expect(after).toBe(before)
    else expect(after.state).toEqual(outcome)
  })
})

describe('the end of a rollout', () => {
  it('is the moment it was decided, and stays that', () => {
    const ended = advance(rollout({ state: STATES.Rolling }), EVENTS.failed, LATER)
    expect(ended.finishedAt).toBe(LATER)
    expect(advance(ended, EVENTS.returned, LATER + 1).finishedAt).toBe(LATER)
  })

  it('is taken back by a new try, which counts failures from then on', () => {
    const again = advance(rollout({ state: STATES.Failed, finishedAt: NOW }), EVENTS.retried, LATER)
    expect(again).toMatchObject({ finishedAt: null, startedAt: LATER, state: { phase: 'Waiting' } })
  })

  it('is not there while it goes on', () => {
    expect(advance(rollout(), EVENTS.cleared, LATER).finishedAt).toBeNull()
  })
})

it.each([
  [{ replicas: 3 }, 10, 3],
  [{ replicas: 30 }, 10, 10],
  [{ percent: 10 }, 4, 1],
  [{ percent: 50 }, 5, 3],
  [{ percent: 100 }, 5, 5],
  [{ percent: 25 }, 0, 0],
])('a step of %o of %d slots wants %d tasks', (step, slots, wanted) => {
  expect(stepSize(step, slots)).toBe(wanted)
})
