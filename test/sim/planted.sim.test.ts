import { describe, expect, it, vi } from 'vitest'
import { report } from './expect-clean.ts'
import { PLANTED_BUGS } from './plants/all.ts'
import { hunt, QUICK } from './plants/hunt.ts'
import { runSeed } from './run.ts'

const load = vi.hoisted(() => async <M extends object>(name: string, original: () => Promise<M>): Promise<M> => {
  const { woven } = await import('./plants/plant.ts')
  return woven(name, await original())
})
vi.mock('../../src/core/rollout/rolling.ts', (original) =>
  load('core/rollout/rolling', original<typeof import('../../src/core/rollout/rolling.ts')>),
)
vi.mock('../../src/core/rollout/follow.ts', (original) =>
  load('core/rollout/follow', original<typeof import('../../src/core/rollout/follow.ts')>),
)
vi.mock('../../src/core/rollout/event.ts', (original) =>
  load('core/rollout/event', original<typeof import('../../src/core/rollout/event.ts')>),
)
vi.mock('../../src/core/rollout/keep.ts', (original) =>
  load('core/rollout/keep', original<typeof import('../../src/core/rollout/keep.ts')>),
)
vi.mock('../../src/core/returns.ts', (original) => load('core/returns', original<typeof import('../../src/core/returns.ts')>))
vi.mock('../../src/core/sync.ts', (original) => load('core/sync', original<typeof import('../../src/core/sync.ts')>))
vi.mock('../../src/core/batch/plan-job.ts', (original) =>
  load('core/batch/plan-job', original<typeof import('../../src/core/batch/plan-job.ts')>),
)
vi.mock('../../src/core/batch/run-step.ts', (original) =>
  load('core/batch/run-step', original<typeof import('../../src/core/batch/run-step.ts')>),
)
vi.mock('../../src/core/batch/cron-due.ts', (original) =>
  load('core/batch/cron-due', original<typeof import('../../src/core/batch/cron-due.ts')>),
)
vi.mock('../../src/core/batch/cron-slots.ts', (original) =>
  load('core/batch/cron-slots', original<typeof import('../../src/core/batch/cron-slots.ts')>),
)
vi.mock('../../src/core/batch/leave.ts', (original) => load('core/batch/leave', original<typeof import('../../src/core/batch/leave.ts')>))
vi.mock('../../src/control/agents/hub.ts', (original) =>
  load('control/agents/hub', original<typeof import('../../src/control/agents/hub.ts')>),
)
vi.mock('../../src/control/leader/moves.ts', (original) =>
  load('control/leader/moves', original<typeof import('../../src/control/leader/moves.ts')>),
)
vi.mock('../../src/lib/backoff.ts', (original) => load('lib/backoff', original<typeof import('../../src/lib/backoff.ts')>))
vi.mock('../../src/model/task.ts', (original) => load('model/task', original<typeof import('../../src/model/task.ts')>))
vi.mock('../../src/store/leadership.ts', (original) => load('store/leadership', original<typeof import('../../src/store/leadership.ts')>))

const MOST_SEEDS = 100

describe('finds what was planted, and nothing without it', () => {
  it.each(PLANTED_BUGS.filter(({ name }) => QUICK.has(name)))('$name', async (bug) => {
    const caught = await hunt(bug, { first: 1, last: MOST_SEEDS })
    if (caught === null) return expect.fail(`not found in ${MOST_SEEDS} seeds`)
    const sound = await runSeed({ seed: caught.seed, mode: bug.mode })
    expect(sound.findings, report(sound)).toEqual([])
  })
})
