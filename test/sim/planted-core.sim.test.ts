import { afterEach, expect, it, vi } from 'vitest'
import type { RollingInput, RollingPlan } from '../../src/core/rollout/rolling.ts'
import { isAvailable, isLive } from '../../src/core/task-state.ts'
import { report } from './expect-clean.ts'
import { runSeed } from './run.ts'

const bug = vi.hoisted(() => ({ name: 'none' }))

/** Everything old at once, whatever still serves. */
function impatient({ tasks, templateDigest }: RollingInput, plan: RollingPlan): RollingPlan {
  const old = tasks.filter((state) => isLive(state) && state.task.templateDigest !== templateDigest)
  return { ...plan, stop: [...new Set([...plan.stop, ...old.map(({ task }) => task.id)])] }
}

/** What is right is stopped as well, as long as enough others serve. */
function restless({ tasks, templateDigest, limits, now }: RollingInput, plan: RollingPlan): RollingPlan {
  const right = tasks.find((state) => isAvailable(state, 0, now) && state.task.templateDigest === templateDigest)
  return right === undefined || limits.maxUnavailable === 0 || plan.stop.length > 0 ? plan : { ...plan, stop: [right.task.id] }
}

vi.mock('../../src/core/rollout/rolling.ts', async (original) => {
  const real = await original<typeof import('../../src/core/rollout/rolling.ts')>()
  return {
    ...real,
    planRolling: (input: RollingInput) => {
      const plan = real.planRolling(input)
      if (bug.name === 'restless-rollout') return restless(input, plan)
      return bug.name === 'impatient-rollout' ? impatient(input, plan) : plan
    },
  }
})

vi.mock('../../src/core/batch/plan-job.ts', async (original) => {
  const real = await original<typeof import('../../src/core/batch/plan-job.ts')>()
  return {
    ...real,
    planJob: (...[state, spec, now]: Parameters<typeof real.planJob>) => {
      const ended = state.run?.finishedAt != null && bug.name === 'run-repeated'
      return real.planJob(ended ? { ...state, run: null, tasks: [] } : state, spec, now)
    },
  }
})

vi.mock('../../src/core/batch/run-step.ts', async (original) => {
  const real = await original<typeof import('../../src/core/batch/run-step.ts')>()
  return {
    ...real,
    slotsInUse: (...given: Parameters<typeof real.slotsInUse>) => (bug.name === 'exclusive-overlaps' ? [] : real.slotsInUse(...given)),
  }
})

vi.mock('../../src/core/sync.ts', async (original) => {
  const real = await original<typeof import('../../src/core/sync.ts')>()
  return {
    ...real,
    planSync: (input: Parameters<typeof real.planSync>[0]) =>
      real.planSync(bug.name === 'empty-prunes' ? { ...input, allowDelete: 'Any', problems: 0 } : input),
  }
})

vi.mock('../../src/model/task.ts', async (original) => {
  const real = await original<typeof import('../../src/model/task.ts')>()
  return {
    ...real,
    mayFollow: (...given: Parameters<typeof real.mayFollow>) => bug.name === 'stale-status-taken' || real.mayFollow(...given),
  }
})

vi.mock('../../src/core/rollout/follow.ts', async (original) => {
  const real = await original<typeof import('../../src/core/rollout/follow.ts')>()
  return {
    ...real,
    overtaken: (...given: Parameters<typeof real.overtaken>) => (bug.name === 'overtaken-goes-on' ? [] : real.overtaken(...given)),
  }
})

vi.mock('../../src/core/rollout/event.ts', async (original) => {
  const real = await original<typeof import('../../src/core/rollout/event.ts')>()
  return {
    ...real,
    nextEvent: (...[rollout, facts, now]: Parameters<typeof real.nextEvent>) =>
      real.nextEvent(rollout, bug.name === 'deadline-ignored' ? { ...facts, ledSince: now } : facts, now),
    rolloutWakeAt: (...given: Parameters<typeof real.rolloutWakeAt>) =>
      bug.name === 'deadline-ignored' && given[0].state.phase === 'Rolling' ? null : real.rolloutWakeAt(...given),
  }
})

vi.mock('../../src/core/rollout/keep.ts', async (original) => {
  const real = await original<typeof import('../../src/core/rollout/keep.ts')>()
  return {
    ...real,
    planKeep: (input: Parameters<typeof real.planKeep>[0]) => {
      const plan = real.planKeep(input)
      const old = input.tasks.find(
        (state) => isAvailable(state, 0, input.now) && state.task.templateDigest === input.fallback?.templateDigest,
      )
      const stops = bug.name === 'canary-takes-over' && input.canaries !== 'AsTheyAre' && old !== undefined
      return stops ? { ...plan, stop: [...plan.stop, old.task.id] } : plan
    },
  }
})

vi.mock('../../src/core/returns.ts', async (original) => {
  const real = await original<typeof import('../../src/core/returns.ts')>()
  return {
    ...real,
    planReturns: (input: Parameters<typeof real.planReturns>[0]) =>
      bug.name === 'atomic-by-halves' ? real.planReturns(input).slice(-1) : real.planReturns(input),
  }
})

vi.mock('../../src/control/leader/moves.ts', async (original) => {
  const real = await original<typeof import('../../src/control/leader/moves.ts')>()
  return {
    ...real,
    writeQuarantine: (...given: Parameters<typeof real.writeQuarantine>) => {
      if (bug.name !== 'failure-not-quarantined' || given[1].revisionId === null) real.writeQuarantine(...given)
    },
  }
})

afterEach(() => {
  bug.name = 'none'
})

it.each([
  { name: 'impatient-rollout', caughtBy: ['AvailabilityKept'] },
  { name: 'restless-rollout', caughtBy: ['StopHasCause'] },
  { name: 'run-repeated', caughtBy: ['OncePerSpec', 'RunEndsOnce', 'NothingBreaks'] },
  { name: 'exclusive-overlaps', caughtBy: ['ExclusiveIsAlone'] },
  { name: 'empty-prunes', caughtBy: ['RemovalIsMeant'] },
  { name: 'overtaken-goes-on', caughtBy: ['NewestRolloutWins'] },
  { name: 'deadline-ignored', caughtBy: ['ComesToRest'] },
  { name: 'canary-takes-over', caughtBy: ['CanaryBeside', 'AvailabilityKept'] },
  { name: 'atomic-by-halves', caughtBy: ['AtomicTogether'] },
  { name: 'failure-not-quarantined', caughtBy: ['NoFlapping', 'TemplateIsStable'] },
  { name: 'stale-status-taken', caughtBy: ['NothingBreaks', 'TerminalIsFinal', 'AttemptsGrow'] },
])('finds $name in the decisions, and nothing without it', async ({ name, caughtBy }) => {
  for (let seed = 1; seed <= 1000; seed += 1) {
    bug.name = name
    const { findings } = await runSeed({ seed })
    if (!findings.some(({ invariant }) => caughtBy.includes(invariant))) continue
    bug.name = 'none'
    const sound = await runSeed({ seed })
    expect(sound.findings, report(sound)).toEqual([])
    return
  }
  expect.fail('not found in 1000 seeds')
})
