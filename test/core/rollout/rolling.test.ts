import { describe, expect, it } from 'vitest'
import { fixedPort, planRolling, type RollingInput, type RollingLimits, rollingLimits } from '../../../src/core/rollout/rolling.ts'
import type { TaskState } from '../../../src/core/task-state.ts'
import type { TaskId } from '../../../src/model/ids.ts'
import type { DeploymentSpec } from '../../../src/model/manifest.ts'
import type { ObservedPhase } from '../../../src/model/task.ts'
import { deploymentVersion, digest, NOW, taskState } from '../../support/make.ts'

const spec = (over: object = {}): DeploymentSpec => deploymentVersion(over).spec as DeploymentSpec
const updating = (maxSurge: number | string, maxUnavailable: number | string) =>
  spec({ strategy: { rollingUpdate: { maxSurge, maxUnavailable } } })

describe('limits', () => {
  it.each([
    [1, '25%', '25%', 1, 0],
    [2, '25%', '25%', 1, 0],
    [3, '25%', '25%', 1, 0],
    [4, '25%', '25%', 1, 1],
    [5, '25%', '25%', 2, 1],
    [10, '25%', '25%', 3, 2],
    [10, '100%', '0%', 10, 0],
    [10, '0%', '100%', 0, 10],
    [10, 2, 3, 2, 3],
    [3, '50%', 1, 2, 1],
    [0, '25%', '25%', 0, 1],
    [5, 0, 0, 0, 1],
    [5, '0%', '0%', 0, 1],
    [3, 0, '10%', 0, 1],
  ])('%i replicas, surge %s, unavailable %s: as Kubernetes rounds them', (slots, surge, unavailable, maxSurge, maxUnavailable) => {
    expect(rollingLimits(updating(surge, unavailable), slots)).toMatchObject({ strategy: 'RollingUpdate', maxSurge, maxUnavailable })
  })

  it('defaults to 25 % of both', () => {
    expect(rollingLimits(spec(), 8)).toEqual({ mode: 'Replicated', strategy: 'RollingUpdate', maxSurge: 2, maxUnavailable: 2 })
  })

  it.each([
    ['fixed', 8080, true],
    ['dynamic', 0, false],
  ])('a %s host port', (_, hostPort, fixed) => {
    const containers = [{ name: 'web', image: 'a', ports: [{ name: 'http', containerPort: 80, hostPort }] }]
    const made = spec({ replicas: 2, template: { spec: { containers } } })
    expect(fixedPort(made) !== null).toBe(fixed)
    expect(rollingLimits(made, 2)).toMatchObject(fixed ? { maxSurge: 0, maxUnavailable: 1 } : { maxSurge: 1, maxUnavailable: 0 })
  })
})

type Told = ObservedPhase | 'ready' | 'unplaced' | 'stopping'
interface Case {
  readonly slots: string
  readonly tasks: readonly string[]
  readonly limits?: Partial<RollingLimits>
  readonly create?: readonly string[]
  readonly stop?: readonly string[]
}

/** `old 0 ready`: a task named `old0` of an earlier template, in slot 0, that serves. */
function told(text: string, index: number): TaskState {
  const [template = '', slot = '', phase = ''] = text.split(' ') as [string, string, Told]
  const over = {
    id: `${template}${slot}` as TaskId,
    slot,
    templateDigest: digest(template),
    createdAt: NOW - 1000 + index,
    desired: phase === 'stopping' ? ('stop' as const) : ('run' as const),
    ...(phase === 'unplaced' ? { agent: null } : {}),
  }
  if (phase === 'unplaced') return taskState(over)
  if (phase === 'stopping') return taskState(over, 'Stopping')
  return taskState(over, phase === 'ready' ? 'Running' : phase === 'Running' ? { phase, ready: false } : (phase as ObservedPhase))
}

function input({ slots, tasks, limits }: Case): RollingInput {
  return {
    slots: slots === '' ? [] : slots.split(' '),
    tasks: tasks.map(told),
    templateDigest: digest('new'),
    limits: { mode: 'Replicated', strategy: 'RollingUpdate', maxSurge: 1, maxUnavailable: 0, ...limits },
    minReadyMs: 0,
    now: NOW,
  }
}

const stopFirst = { maxSurge: 0, maxUnavailable: 1 }
const recreate = { strategy: 'Recreate' as const, maxSurge: 0, maxUnavailable: 1 }

const CASES: Record<string, Case> = {
  'fills every slot at first': { slots: '0 1', tasks: [], create: ['0', '1'] },
  'leaves what is right': { slots: '0 1', tasks: ['new 0 ready', 'new 1 Starting'] },
  'starts one more before it stops any': { slots: '0 1', tasks: ['old 0 ready', 'old 1 ready'], create: ['0'] },
  'waits for the successor': { slots: '0 1', tasks: ['old 0 ready', 'old 1 ready', 'new 0 Running'] },
  'stops the old one when its successor serves, and goes on': {
    slots: '0 1',
    tasks: ['old 0 ready', 'old 1 ready', 'new 0 ready'],
    stop: ['old0'],
    create: ['1'],
  },
  'stops an old one that serves nobody at once': { slots: '0', tasks: ['old 0 Running'], stop: ['old0'], create: ['0'] },
  'stops before it starts when surge is zero': {
    slots: '0 1',
    tasks: ['old 0 ready', 'old 1 ready'],
    limits: stopFirst,
    stop: ['old0'],
    create: ['0'],
  },
  'stop-first waits while one is missing': { slots: '0 1', tasks: ['new 0 Starting', 'old 1 ready'], limits: stopFirst },
  'a superseded rollout: what never served goes, what serves stays': {
    slots: '0 1',
    tasks: ['older 0 ready', 'old 0 Running', 'older 1 ready'],
    stop: ['old0'],
    create: ['0'],
  },
  'two old ones that serve in one slot: one goes, so that the next can come': {
    slots: '0',
    tasks: ['older 0 ready', 'old 0 ready'],
    stop: ['old0'],
    create: ['0'],
  },
  'scales up': { slots: '0 1 2', tasks: ['new 0 ready'], create: ['1', '2'] },
  'scales down': { slots: '0', tasks: ['new 0 ready', 'new 1 ready', 'new 2 ready'], stop: ['new1', 'new2'] },
  'scales to zero': { slots: '', tasks: ['new 0 ready', 'new 1 ready'], stop: ['new0', 'new1'] },
  'scaling down keeps those that serve while the others do not': {
    slots: '0 1',
    tasks: ['new 0 Running', 'new 1 Running', 'new 2 ready', 'new 3 ready', 'new 4 Running'],
    stop: ['new4'],
  },
  'of twins in a slot the one that serves stays': { slots: '0', tasks: ['new 0 Running', 'new 0 ready'], stop: ['new0'] },
  'replaces what failed': { slots: '0', tasks: ['new 0 Failed'], create: ['0'] },
  'replaces what was refused or lost': { slots: '0 1', tasks: ['new 0 Rejected', 'new 1 Lost'], create: ['0', '1'] },
  'does not count what stops': { slots: '0', tasks: ['new 0 stopping'], create: ['0'] },
  'Global: slots are agents; one that no longer matches loses its task': {
    slots: 'a b',
    tasks: ['new a ready', 'new c ready'],
    limits: { mode: 'Global' },
    stop: ['newc'],
    create: ['b'],
  },
  'makes room when successors wait for what the old ones hold': {
    slots: '0 1',
    tasks: ['old 0 ready', 'old 1 ready', 'new 0 unplaced'],
    limits: stopFirst,
    stop: ['old1'],
  },
  'Recreate stops all, and starts none': { slots: '0 1', tasks: ['old 0 ready', 'old 1 ready'], limits: recreate, stop: ['old0', 'old1'] },
  'Recreate waits until the last has ended': { slots: '0 1', tasks: ['old 0 Stopped', 'old 1 stopping'], limits: recreate },
  'Recreate then starts all': { slots: '0 1', tasks: ['old 0 Stopped', 'old 1 Stopped'], limits: recreate, create: ['0', '1'] },
  'Recreate waits for none that never had a machine': {
    slots: '0',
    tasks: ['old 0 unplaced'],
    limits: recreate,
    stop: ['old0'],
    create: ['0'],
  },
  'Recreate scales down at once': { slots: '0', tasks: ['new 0 ready', 'new 1 ready'], limits: recreate, stop: ['new1'] },
}

describe('plan', () => {
  it.each(Object.entries(CASES))('%s', (_, one) => {
    const plan = planRolling(input(one))
    expect({ create: [...plan.create].sort(), stop: [...plan.stop].sort() }).toEqual({ create: one.create ?? [], stop: one.stop ?? [] })
  })

  it('counts a task as serving after minReadySeconds, and says when that will be', () => {
    const given = { ...input({ slots: '0', tasks: ['old 0 ready', 'new 0 ready'] }), minReadyMs: 5000 }
    expect(planRolling(given), 'both serve, and neither is proved').toEqual({ create: [], stop: [], wakeAt: NOW + 5000 })
    const fresh = {
      ...given,
      tasks: [told('old 0 ready', 0), taskState({ id: 'new0' as TaskId }, { readySince: NOW - 4000, phase: 'Running' })],
    }
    const old = { ...fresh, tasks: fresh.tasks.map((state) => (state.task.id === 'old0' ? longReady(state) : state)) }
    expect(planRolling(old)).toEqual({ create: [], stop: [], wakeAt: NOW + 1000 })
    expect(planRolling({ ...old, now: NOW + 1000 })).toEqual({ create: [], stop: ['old0'], wakeAt: null })
  })
})

const longReady = (state: TaskState): TaskState => ({
  ...state,
  observed: state.observed === undefined ? undefined : { ...state.observed, readySince: NOW - 60_000 },
})
