import { expect, it } from 'vitest'
import { type KeepInput, planKeep } from '../../../src/core/rollout/keep.ts'
import { rollingLimits } from '../../../src/core/rollout/rolling.ts'
import type { TaskState } from '../../../src/core/task-state.ts'
import type { TaskId } from '../../../src/model/ids.ts'
import { digest, NOW, taskState } from '../../support/make.ts'
import { specOf } from './make.ts'

/** `new 0 ready`: a task of that version in that slot. */
function told(text: string): TaskState {
  const [version = '', slot = '', how = ''] = text.split(' ')
  const said = how === 'ready' ? { phase: 'Running' as const, ready: true, readySince: NOW } : 'Starting'
  return taskState({ id: `${version}${slot}` as TaskId, slot, templateDigest: digest(version) }, said)
}

interface Case {
  readonly tasks: string
  readonly canaries?: KeepInput['canaries']
  readonly slots?: number
  readonly fallback?: number | null
  readonly type?: 'Recreate'
  readonly expected: { readonly create?: string[]; readonly refill?: string[]; readonly stop?: string[] }
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index))

function plan({ tasks, canaries = 1, slots = 3, fallback = 3, type }: Case) {
  const spec = specOf({ replicas: slots, strategy: { type, rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } })
  const { create, refill, stop } = planKeep({
    slots: numbers(slots),
    tasks: tasks === '' ? [] : tasks.split(', ').map(told),
    templateDigest: digest('new'),
    limits: rollingLimits(spec, slots),
    minReadyMs: 0,
    now: NOW,
    fallback: fallback === null ? null : { templateDigest: digest('old'), slots: numbers(fallback) },
    canaries,
    most: 6,
  })
  return { create, refill, stop }
}

const OLD = 'old 0 ready, old 1 ready, old 2 ready'

it.each<[string, Case]>([
  ['a canary comes beside all old tasks', { tasks: OLD, expected: { create: ['0'] } }],
  ['one that is there is enough', { tasks: `${OLD}, new 1 starting`, expected: {} }],
  ['a later step adds what is missing', { tasks: `${OLD}, new 1 ready`, canaries: 3, expected: { create: ['0', '2'] } }],
  [
    'an old task that died is replaced by one of its own version',
    { tasks: 'old 0 ready, old 2 ready, new 1 ready', expected: { refill: ['1'] } },
  ],
  ['a smaller version takes away none before its time', { tasks: OLD, slots: 1, expected: { create: ['0'] } }],
  ['a larger version refills no more than there were', { tasks: 'old 0 ready', slots: 3, fallback: 1, expected: { create: ['0'] } }],
  [
    'a canary that was given up goes, for its slot is served',
    { tasks: `${OLD}, mid 1 ready`, expected: { create: ['0'], stop: ['mid1'] } },
  ],
  ['held: nothing is added', { tasks: `${OLD}, new 1 starting`, canaries: 'AsTheyAre', expected: {} }],
  [
    'held: a slot that a new task serves alone is left to it',
    { tasks: 'new 0 ready, old 1 ready', canaries: 'AsTheyAre', expected: { refill: ['2'] } },
  ],
  [
    'held: Recreate fills no slot with the old version while another lives',
    { tasks: 'new 0 ready', canaries: 'AsTheyAre', type: 'Recreate', expected: {} },
  ],
  [
    'held: Recreate does once none is left',
    { tasks: 'old 0 ready', canaries: 'AsTheyAre', type: 'Recreate', expected: { refill: ['1', '2'] } },
  ],
  ['without a version that serves there is nothing to refill with', { tasks: '', canaries: 'AsTheyAre', fallback: null, expected: {} }],
])('%s', (_, one) => {
  expect(plan(one)).toEqual({ create: [], refill: [], stop: [], ...one.expected })
})

it('never has more tasks than may live', () => {
  const full = `${OLD}, mid 3 starting, mid 4 starting, mid 5 starting`
  expect(plan({ tasks: full, slots: 6, fallback: 3, canaries: 6, expected: {} }).create).toEqual([])
})
