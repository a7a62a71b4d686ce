import fc from 'fast-check'
import { expect, it } from 'vitest'
import { rollingLimits } from '../../../src/core/rollout/rolling.ts'
import { isAvailable, isHeard } from '../../../src/core/task-state.ts'
import { DeploymentFleet } from './fleet.ts'

const machine = fc.integer({ min: 1, max: 4 }).map((number) => `node-${number}`)
const operation = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant('silence' as const), machine }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('return' as const), machine }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('drain' as const), machine }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('uncordon' as const), machine }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('after' as const), seconds: fc.constantFrom(1, 15, 45, 70, 400) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('allReady' as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('template' as const), word: fc.constantFrom('b', 'c', 'd') }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('storm' as const), paused: fc.boolean() }) },
)
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

const spec = fc.record({
  replicas: fc.integer({ min: 1, max: 4 }),
  strategy: fc.oneof(
    fc.record({ rollingUpdate: fc.record({ maxSurge: fc.constantFrom(0, 1, 2), maxUnavailable: fc.constantFrom(1, 2) }) }),
    fc.record({ rollingUpdate: fc.record({ maxSurge: fc.constantFrom(1, 2), maxUnavailable: fc.constant(0) }) }),
  ),
})

function act(fleet: DeploymentFleet, given: Operation): void {
  switch (given.type) {
    case 'silence':
      if (fleet.machine(given.machine).silentSince === null) fleet.silence(given.machine)
      return
    case 'return':
      fleet.return(given.machine)
      return
    case 'drain':
      // Its deadline is no matter of budgets, and has tests of its own.
      fleet.drain(given.machine, 100_000_000)
      return
    case 'uncordon':
      fleet.uncordon(given.machine)
      return
    case 'after':
      fleet.after(given.seconds * 1000)
      return
    case 'allReady':
      fleet.allReady()
      return
    case 'template':
      fleet.template(given.word)
      return
    default:
      fleet.paused = given.paused
      fleet.settle()
  }
}

/** Tasks that serve, on machines that are heard of. */
const servingOf = (fleet: DeploymentFleet): string[] =>
  fleet.state.tasks
    .filter((state) => isHeard(state) && isAvailable({ ...state, task: { ...state.task, desired: 'run' } }, 0, fleet.now))
    .map(({ task }) => task.id)

const stoppedOf = (fleet: DeploymentFleet): Set<string> =>
  new Set(fleet.state.tasks.filter(({ task }) => task.desired === 'stop').map(({ task }) => task.id))

it('whatever machines fall silent and are drained, no more that serve are stopped than may be missing, and all comes to rest', () => {
  fc.assert(
    fc.property(spec, fc.array(operation, { minLength: 5, maxLength: 30 }), (given, operations) => {
      const fleet = new DeploymentFleet({ ...given, onFailure: 'Continue' }, 4, 3)
      const { maxUnavailable } = rollingLimits(fleet.spec, given.replicas)
      for (const one of operations) {
        const before = stoppedOf(fleet)
        act(fleet, one)
        const after = stoppedOf(fleet)
        const serving = servingOf(fleet)
        const lost = serving.filter((id) => after.has(id) && !before.has(id))
        const left = serving.length - serving.filter((id) => after.has(id)).length
        // A task that is back beside its successor is one too many, and no loss.
        if (one.type !== 'allReady' && lost.length > 0) expect(left).toBeGreaterThanOrEqual(given.replicas - maxUnavailable)
        expect(fleet.broken).toEqual([])
      }
      fleet.paused = false
      for (const { id } of fleet.machines) fleet.return(id).uncordon(id)
      fleet.allReady().after(700_000).allReady().after(10_000).allReady()
      expect(fleet.wanted.filter(({ observed }) => observed?.ready === true)).toHaveLength(given.replicas)
      expect(fleet.wanted).toHaveLength(given.replicas)
      expect(fleet.broken).toEqual([])
    }),
    { numRuns: 100 },
  )
})
