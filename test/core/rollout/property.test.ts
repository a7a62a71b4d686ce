import fc from 'fast-check'
import { expect, it } from 'vitest'
import { isFinished } from '../../../src/core/rollout/step.ts'
import { isAvailable } from '../../../src/core/task-state.ts'
import { type Draft, RolloutWorld } from './world.ts'

/** Rollouts that the issue of their promises asks for; each run of the property begins some. */
const ROLLOUTS = 20_000
const RUNS = 7_500

const draft: fc.Arbitrary<Draft> = fc.record({
  template: fc.nat(3),
  replicas: fc.nat(5),
  minReadySeconds: fc.constantFrom(0, 0, 3),
  onFailure: fc.constantFrom('Rollback', 'Rollback', 'Hold', 'Continue'),
  strategy: fc.oneof(
    fc.record({
      rollingUpdate: fc.record({ maxSurge: fc.constantFrom(0, 1, 2, '25%', '100%'), maxUnavailable: fc.constantFrom(1, 2, '25%') }),
    }),
    fc.record({ rollingUpdate: fc.record({ maxSurge: fc.constantFrom(1, 2, '25%'), maxUnavailable: fc.constant(0) }) }),
    fc.constant({ type: 'Recreate' }),
    fc.record({
      canary: fc.record({
        autoPromote: fc.boolean(),
        steps: fc.array(
          fc.oneof(
            fc.record({ replicas: fc.integer({ min: 1, max: 2 }), pauseSeconds: fc.nat(5) }),
            fc.constant({ percent: 100, manual: true as const }),
          ),
          { minLength: 1, maxLength: 3 },
        ),
      }),
    }),
  ),
})

const task = fc.nat(20)
const operation = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant('commit' as const), draft }) },
  { weight: 8, arbitrary: fc.record({ type: fc.constant('allReady' as const) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constantFrom('ready', 'unready', 'crash', 'refuse', 'lose'), task }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constantFrom('wake', 'promote', 'newLeader') }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('block' as const), standing: fc.constantFrom('Moving', 'Stuck', 'No') }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('abort' as const) }) },
)
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

type OnTask = Extract<Operation, { task: number }>

function actOnTask(world: RolloutWorld, { type, task: index }: OnTask): void {
  const chosen = world.live[index % Math.max(1, world.live.length)]
  if (chosen === undefined) return
  if (type === 'ready') world.say(chosen, { phase: 'Running', ready: true })
  if (type === 'unready') world.say(chosen, { phase: 'Running', ready: false })
  if (type === 'crash') world.crash(chosen)
  if (type === 'refuse') world.say(chosen, { phase: 'Rejected' })
  if (type === 'lose') world.say(chosen, { phase: 'Lost' })
}

function act(world: RolloutWorld, given: Operation): void {
  if ('task' in given) actOnTask(world, given)
  if (given.type === 'commit') world.commit(given.draft)
  if (given.type === 'allReady') for (const state of world.live) world.say(state, { phase: 'Running', ready: true })
  if (given.type === 'wake') world.now = Math.max(world.now + 1, world.wakeAt ?? 0)
  if (given.type === 'promote') world.promote()
  if (given.type === 'newLeader') world.newLeader()
  if (given.type === 'block') world.block(given.standing)
  if (given.type === 'abort') world.event(() => ({ type: 'failed', failure: ABORTED }))
}

const ABORTED = { code: 'Aborted', message: 'by ann', because: null, evidence: [] }

/** Nothing more happens but that tasks become ready, if they may, and time passes; a person promotes what waits for one. */
function untilFinished(world: RolloutWorld, fate: 'ready' | 'never'): string[] {
  world.block('No')
  for (let looks = 0; looks < 200; looks += 1) {
    const broken = world.settle()
    if (broken.length > 0) return broken
    const { rollout } = world
    world.stopped()
    if (rollout !== undefined && isFinished(rollout) && (fate === 'never' || whatIsMissing(world).length === 0)) return []
    if (fate === 'ready')
      for (const state of world.live) if (state.observed?.ready !== true) world.say(state, { phase: 'Running', ready: true })
    if (rollout?.state.phase === 'Paused' && rollout.state.until === null) world.promote()
    world.now = Math.max(world.now + 1000, world.wakeAt ?? 0)
  }
  return [`it never ends: ${JSON.stringify(world.rollout?.state)}`]
}

it(`keeps every promise over ${ROLLOUTS} rollouts`, { timeout: 300_000 }, () => {
  let begun = 0
  fc.assert(
    fc.property(
      draft,
      fc.array(operation, { minLength: 5, maxLength: 25 }),
      fc.constantFrom('ready' as const, 'never' as const),
      (first, operations, fate) => {
        const world = new RolloutWorld(first)
        const broken = world.settle()
        for (const one of operations) {
          act(world, one)
          broken.push(...world.settle())
          if (broken.length > 0) break
        }
        if (broken.length === 0) broken.push(...untilFinished(world, fate))
        begun += world.begun
        expect(broken).toEqual([])
      },
    ),
    { numRuns: RUNS },
  )
  expect(begun).toBeGreaterThan(ROLLOUTS)
})

/** A rollout that completed has all its tasks, and no others. */
function whatIsMissing(world: RolloutWorld): string[] {
  if (world.rollout?.state.phase !== 'Complete') return []
  const { templateDigest } = world.state.record
  const right = world.live.filter(
    (state) => state.task.templateDigest === templateDigest && isAvailable(state, world.spec.minReadySeconds * 1000, world.now),
  )
  return right.length === world.state.slots.length && world.live.length === right.length ? [] : ['it is complete, and its tasks are not']
}
