import fc from 'fast-check'
import { it } from 'vitest'
import type { RollingLimits } from '../../../src/core/rollout/rolling.ts'
import { type Happening, RollingModel } from './rolling-model.ts'

const limits: fc.Arbitrary<RollingLimits> = fc
  .record({
    mode: fc.constant('Replicated' as const),
    strategy: fc.constantFrom<RollingLimits['strategy'][]>('RollingUpdate', 'RollingUpdate', 'RollingUpdate', 'Recreate'),
    maxSurge: fc.integer({ min: 0, max: 4 }),
    maxUnavailable: fc.integer({ min: 0, max: 4 }),
  })
  .filter(({ maxSurge, maxUnavailable }) => maxSurge + maxUnavailable > 0)

const pick = fc.nat({ max: 20 })
const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constantFrom('ready' as const, 'placed' as const, 'ends' as const), pick }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom('unready' as const, 'fails' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('template' as const), version: fc.nat({ max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('replicas' as const), count: fc.nat({ max: 6 }) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('limits' as const), limits }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('time' as const), ms: fc.constantFrom(1, 500, 1000, 60_000) }) },
)

it('whatever machines, people and commits do: bounds hold at every look, and a calm cluster ends as it should', () => {
  fc.assert(
    fc.property(
      fc.record({ replicas: fc.nat({ max: 6 }), limits, minReadyMs: fc.constantFrom(0, 1000) }),
      fc.array(happening, { maxLength: 60 }),
      (options, happenings) => {
        const model = new RollingModel(options)
        model.settle()
        for (const one of happenings) model.happen(one)
        model.recover()
        model.expectFinished()
      },
    ),
    { numRuns: 400 },
  )
})
