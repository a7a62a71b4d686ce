import { afterEach, expect, it, vi } from 'vitest'
import type { RollingInput, RollingPlan } from '../../src/core/rolling.ts'
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

vi.mock('../../src/core/rolling.ts', async (original) => {
  const real = await original<typeof import('../../src/core/rolling.ts')>()
  return {
    ...real,
    planRolling: (input: RollingInput) => {
      const plan = real.planRolling(input)
      if (bug.name === 'restless-rollout') return restless(input, plan)
      return bug.name === 'impatient-rollout' ? impatient(input, plan) : plan
    },
  }
})

vi.mock('../../src/core/job.ts', async (original) => {
  const real = await original<typeof import('../../src/core/job.ts')>()
  return {
    ...real,
    planJob: (...[state, spec, now]: Parameters<typeof real.planJob>) => {
      const ended = state.run?.finishedAt != null && bug.name === 'run-repeated'
      return real.planJob(ended ? { ...state, run: null, tasks: [] } : state, spec, now)
    },
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

afterEach(() => {
  bug.name = 'none'
})

it.each([
  { name: 'impatient-rollout', caughtBy: ['AvailabilityKept'] },
  { name: 'restless-rollout', caughtBy: ['StopHasCause'] },
  { name: 'run-repeated', caughtBy: ['RunEndsOnce', 'NothingBreaks'] },
  { name: 'empty-prunes', caughtBy: ['RemovalIsMeant'] },
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
