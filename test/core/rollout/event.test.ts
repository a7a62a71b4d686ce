import { describe, expect, it } from 'vitest'
import { nextEvent, pauseOver, type RolloutFacts, rolloutWakeAt } from '../../../src/core/rollout/event.ts'
import type { RolloutEvent } from '../../../src/core/rollout/step.ts'
import type { Rollout, RolloutState } from '../../../src/model/rollout.ts'
import { digest, NOW, named, waitsFor } from '../../support/make.ts'
import { CANARY, evidence, facts, rollout, STATES, specOf } from './make.ts'

const because = { workload: named('db'), inputsDigest: digest('db') }
const rolling = (step: number | null, over: Partial<Extract<RolloutState, { phase: 'Rolling' }>> = {}) =>
  rollout({ state: { phase: 'Rolling', step, best: 0, progressAt: NOW, ...over } })
const paused = (until: number | null, step = 0) => rollout({ state: { phase: 'Paused', step, until } })
const canary = specOf(CANARY)
const held = specOf({ replicas: 4, strategy: { canary: { steps: [{ replicas: 2 }], autoPromote: false } } })

type Case = [string, Rollout, Partial<RolloutFacts>, number, Partial<RolloutEvent> | null]

const WAITING: Case[] = [
  ['nothing to wait for', rollout(), { available: 1 }, 0, { type: 'cleared', step: null, available: 1 }],
  ['nothing to wait for, with canaries', rollout(), { spec: canary }, 0, { type: 'cleared', step: 0 }],
  ['canaries of a first version', rollout({ from: null }), { spec: canary }, 0, { type: 'cleared', step: null }],
  ['canaries of a return', rollout({ intent: 'Restore' }), { spec: canary }, 0, { type: 'cleared', step: null }],
  ['a dependency on its way', rollout(), { unmet: [waitsFor()] }, 0, null],
  ['a dependency that is stuck', rollout(), { unmet: [waitsFor({ standing: 'Stuck' })] }, 0, { type: 'stuck' }],
  ['one stuck of two', rollout(), { unmet: [waitsFor({ standing: 'Stuck' }), waitsFor()] }, 0, null],
  [
    'stuck for a while',
    rollout({ state: { phase: 'Waiting', stuckSince: NOW } }),
    { unmet: [waitsFor({ standing: 'Stuck' })] },
    59_999,
    null,
  ],
  [
    'stuck for too long',
    rollout({ state: { phase: 'Waiting', stuckSince: NOW } }),
    { unmet: [waitsFor({ standing: 'Stuck' })] },
    60_000,
    { type: 'failed' },
  ],
  ['moving again', rollout({ state: { phase: 'Waiting', stuckSince: NOW } }), { unmet: [waitsFor()] }, 99_999, { type: 'moving' }],
  ['a dependency that failed', rollout(), { unmet: [waitsFor(), waitsFor({ standing: 'Failed', because })] }, 0, { type: 'failed' }],
]

const ROLLING: Case[] = [
  ['nothing new', rolling(null), {}, 0, null],
  ['one more', rolling(null), { available: 1 }, 0, { type: 'progressed', available: 1 }],
  ['no more than before', rolling(null, { best: 2 }), { available: 2 }, 0, null],
  ['all there, old ones too', rolling(null, { best: 4 }), { available: 4 }, 0, null],
  ['all there, and nothing else', rolling(null), { available: 4, settled: true }, 0, { type: 'completed' }],
  [
    'all there, but only just',
    rolling(null),
    { available: 4, settled: true, provedAt: NOW + 3000 },
    0,
    { type: 'settled', until: NOW + 3000 },
  ],
  ['a moment before the deadline', rolling(null), {}, 59_999, null],
  ['at the deadline', rolling(null), {}, 60_000, { type: 'failed' }],
  ['at the deadline, just done', rolling(null), { available: 4, settled: true }, 60_000, { type: 'completed' }],
  ['at the deadline, one more', rolling(null), { available: 1 }, 60_000, { type: 'progressed' }],
  ['at the deadline of a leader that led only now', rolling(null), { ledSince: NOW + 1000 }, 60_000, null],
  ['a crash loop', rolling(null), { available: 3, crashing: [evidence()] }, 0, { type: 'failed' }],
  ['a canary step not yet reached', rolling(1), { spec: canary, available: 1, desired: 4 }, 0, { type: 'progressed' }],
  ['a canary step reached', rolling(0), { spec: canary, available: 1 }, 0, { type: 'stepReached', until: NOW + 5000 }],
  ['a manual step reached', rolling(1), { spec: canary, available: 2 }, 0, { type: 'stepReached', until: null }],
  ['the last step without promotion by itself', rolling(0), { spec: held, available: 2 }, 0, { type: 'stepReached', until: null }],
]

const proving = rollout({ state: { phase: 'Proving', until: NOW + 3000 } })
const PROVING: Case[] = [
  ['its time not over', proving, { available: 4, settled: true }, 2999, null],
  ['its time over', proving, { available: 4, settled: true }, 3000, { type: 'completed' }],
  ['one lost and not back in time', proving, { available: 3 }, 3000, { type: 'slipped', available: 3 }],
  [
    'one that crashed and is back, but only just',
    proving,
    { available: 4, settled: true, provedAt: NOW + 5100 },
    3000,
    { type: 'slipped' },
  ],
  ['one lost, with time left', proving, { available: 3 }, 2999, null],
  ['a crash loop', proving, { available: 4, settled: true, crashing: [evidence()] }, 0, { type: 'failed' }],
]

const PAUSED: Case[] = [
  ['its time not over', paused(NOW + 5000), { spec: canary, available: 1 }, 4999, null],
  ['its time over', paused(NOW + 5000), { spec: canary, available: 1 }, 5000, { type: 'pauseOver', next: 1 }],
  ['its time over at the last step', paused(NOW, 1), { spec: canary, available: 2 }, 0, { type: 'pauseOver', next: null }],
  ['no time, but a person', paused(null), { spec: canary, available: 1 }, 999_999, null],
  ['a canary lost', paused(NOW), { spec: canary, available: 0 }, 0, { type: 'slipped', available: 0 }],
  ['a canary in a crash loop', paused(null), { spec: canary, available: 1, crashing: [evidence()] }, 0, { type: 'failed' }],
]

describe.each([
  ['while it waits', WAITING],
  ['while it rolls', ROLLING],
  ['while it pauses', PAUSED],
  ['while it proves itself', PROVING],
])('%s', (_, cases) => {
  it.each(cases)('%s', (_name, given, over, after, expected) => {
    const event = nextEvent(given, facts(over), NOW + after)
    if (expected === null) expect(event).toBeNull()
    else expect(event).toMatchObject(expected)
  })
})

it.each(['Complete', 'Failed', 'RolledBack', 'Superseded'] as const)('%s is not moved by what it was about', (phase) => {
  const over = { available: 3, settled: false, crashing: [evidence()], unmet: [waitsFor()] }
  expect(nextEvent(rollout({ state: STATES[phase] }), facts(over), NOW + 999_999)).toBeNull()
})

describe('what failed', () => {
  const inVain = rollout({ state: { phase: 'Failed', failure: { code: 'DependencyFailed', message: 'db failed', because, evidence: [] } } })
  const crashed = rollout({ state: STATES.Failed })

  it.each<Case>([
    ['for a dependency is tried again once that is mended', inVain, {}, 0, { type: 'retried' }],
    ['for a dependency waits on while that is not', inVain, { unmet: [waitsFor({ standing: 'Stuck' })] }, 0, null],
    ['and is well for a moment is not believed', crashed, { settled: true, provedAt: NOW }, 59_999, null],
    ['and stays well for a minute has come after all', crashed, { settled: true, provedAt: NOW }, 60_000, { type: 'completed' }],
  ])('%s', (_name, given, over, after, expected) => {
    const event = nextEvent(given, facts(over), NOW + after)
    if (expected === null) expect(event).toBeNull()
    else expect(event).toMatchObject(expected)
  })
})

describe('a failure', () => {
  it('names the dependency and the inputs that failed', () => {
    const event = nextEvent(rollout(), facts({ unmet: [waitsFor({ standing: 'Failed', because })] }), NOW)
    expect(event).toMatchObject({ failure: { code: 'DependencyFailed', because, message: expect.stringContaining('deployment/db') } })
  })

  it('tells how far it came, and shows what lags', () => {
    const lagging = [evidence({ code: 'ReadinessProbeFailed', message: 'status 503' })]
    expect(nextEvent(rolling(null), facts({ available: 0, lagging }), NOW + 60_000)).toMatchObject({
      failure: {
        code: 'ProgressDeadlineExceeded',
        message: '0 of 4 new tasks are available, and no more came within 60 s; ReadinessProbeFailed: status 503',
        evidence: lagging,
      },
    })
  })

  it('shows what crashed', () => {
    expect(nextEvent(rolling(null), facts({ crashing: [evidence()] }), NOW)).toMatchObject({
      failure: { code: 'CrashLoop', evidence: [{ exitCode: 1, lastLines: ['boom'] }] },
    })
  })
})

describe('when time alone means something', () => {
  it.each([
    ['rolling', rolling(null), 60_000],
    ['paused', paused(NOW + 5000), 5000],
    ['proving', proving, 3000],
    ['paused for a person', paused(null), null],
    ['stuck', rollout({ state: { phase: 'Waiting', stuckSince: NOW + 1 } }), 60_001],
    ['waiting', rollout(), null],
    ['over', rollout({ state: STATES.Complete }), null],
  ])('%s', (_name, given, after) => {
    expect(rolloutWakeAt(given, facts({ spec: specOf() }))).toBe(after === null ? null : NOW + after)
  })
})

it('a promotion goes on to the next step, and to the rest after the last', () => {
  expect(pauseOver({ phase: 'Paused', step: 0, until: null }, canary, 1)).toMatchObject({ next: 1 })
  expect(pauseOver({ phase: 'Paused', step: 1, until: null }, canary, 2)).toMatchObject({ next: null })
})
