import { describe, expect, it } from 'vitest'
import { restartDelay } from '../../src/core/restart.ts'
import { expendable } from '../../src/core/retention.ts'
import type { TaskId } from '../../src/model/ids.ts'
import { AGENT, attempt, deploymentState, digest, NOW, taskState, waitsFor, workload } from '../support/make.ts'
import { Decider } from './decide.ts'

const unmet = [waitsFor()]
const unwanted = workload({ wanted: false })

describe('a Deployment', () => {
  it('gets its tasks, each with the workload, version and slot it stands for', () => {
    const decider = new Decider(deploymentState({ replicas: 2 })).decide()
    expect(decider.state.tasks.map(({ task }) => task)).toMatchObject([
      { id: 'web-1', slot: '0', agent: null, desired: 'run', generation: 1, run: null, templateDigest: digest('new'), createdAt: NOW },
      { id: 'web-2', slot: '1', agent: null, desired: 'run', generation: 1, run: null, templateDigest: digest('new'), createdAt: NOW },
    ])
    expect(decider.state.tasks[0]?.task).toMatchObject({ workload: decider.state.record.key, inputsDigest: digest('inputs'), app: 'shop' })
  })

  it('is rolled over by a new template, one by one, and asks for a look when time decides', () => {
    const decider = new Decider(deploymentState({ replicas: 2, minReadySeconds: 5 })).decide().allReady().after(5000)
    const before = decider.ids
    decider.template('newer')
    expect(decider.ids).toEqual([...before, 'web-3'])
    decider.say('web-3', { phase: 'Running', ready: true, readySince: decider.now })
    expect(decider.last.wakeAt).toBe(decider.now + 5000)
    decider.after(5000)
    expect(decider.ids).toEqual(['web-2', 'web-3', 'web-4'])
    decider.allReady().after(5000)
    expect(decider.ids).toEqual(['web-3', 'web-4'])
    expect(decider.state.tasks.find(({ task }) => task.id === 'web-1')?.task).toMatchObject({ desired: 'stop', generation: 2 })
  })

  it('keeps its tasks when only the inputs outside of the template change', () => {
    const decider = new Decider(deploymentState({ replicas: 2 })).decide().allReady()
    const { record } = decider.state
    decider.state = { ...decider.state, record: { ...record, inputsDigest: digest('scaled'), generation: 2 }, slots: ['0', '1', '2'] }
    expect(decider.decide().ids).toEqual(['web-1', 'web-2', 'web-3'])
  })

  it('stops before it starts, should a turn be cut in two', () => {
    const decider = new Decider(deploymentState({ strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } })).decide().allReady()
    decider.template('newer')
    expect(decider.acts.map((write) => [write.id, write.table === 'tasks' && write.value?.desired])).toEqual([
      ['web-1', 'stop'],
      ['web-2', 'run'],
    ])
  })
})

describe('removal', () => {
  it('stops the tasks, and forgets all once the last has ended', () => {
    const decider = new Decider(deploymentState({ replicas: 2 })).decide().allReady()
    decider.state = { ...decider.state, record: unwanted, slots: [] }
    decider.decide()
    expect(decider.state.tasks.every(({ task }) => task.desired === 'stop' && task.generation === 2)).toBe(true)
    decider.say('web-1', { phase: 'Stopped' })
    expect(decider.last.writes).toEqual([])
    decider.say('web-2', { phase: 'Stopped' })
    expect(decider.last.writes).toEqual([
      { table: 'tasks', id: 'web-1', value: null },
      { table: 'observed', id: 'web-1', value: null },
      { table: 'tasks', id: 'web-2', value: null },
      { table: 'observed', id: 'web-2', value: null },
      { table: 'rollouts', id: `${unwanted.key}/1`, value: null },
      { table: 'workloads', id: unwanted.key, value: null },
    ])
  })

  it('is at once for tasks that never had a machine', () => {
    const decider = new Decider(deploymentState()).decide()
    decider.state = { ...decider.state, record: unwanted, slots: [] }
    expect(decider.decide().last.writes.at(-1)).toEqual({ table: 'workloads', id: unwanted.key, value: null })
  })
})

describe('dependsOn', () => {
  it('holds back the first start, and a look comes only with a change', () => {
    const decider = new Decider(deploymentState({}, { unmet })).decide()
    expect(decider.acts).toEqual([])
    expect(decider.last.wakeAt).toBeNull()
    decider.state = { ...decider.state, unmet: [] }
    expect(decider.decide().ids).toEqual(['web-1'])
  })

  it('holds back a new version while the old one goes on', () => {
    const decider = new Decider(deploymentState({ replicas: 2 })).decide().allReady()
    decider.state = { ...decider.state, unmet }
    decider.template('newer')
    expect(decider.acts).toEqual([])
    expect(decider.ids).toEqual(['web-1', 'web-2'])
  })

  it('does not hold back what has begun', () => {
    const decider = new Decider(deploymentState({ replicas: 2 })).decide().allReady()
    decider.state = { ...decider.state, unmet }
    decider.say('web-1', { phase: 'Failed', failures: 1 })
    expect(decider.ids).toEqual(['web-2', 'web-3'])
  })
})

describe('what fails', () => {
  it.each(['Rejected', 'Failed', 'Lost'] as const)('%s: the next try in the slot waits longer each time, up to 80 s', (phase) => {
    const decider = new Decider(deploymentState()).decide()
    const waited: number[] = []
    for (let failures = 1; failures <= 8; failures += 1) {
      const [id] = decider.ids
      decider.say(String(id), { phase })
      const delay = decider.ids.length > 0 ? 0 : (decider.last.wakeAt ?? decider.now) - decider.now
      waited.push(delay)
      if (delay > 0) expect(decider.after(delay - 1).ids, 'not a moment too early').toEqual([])
      if (delay > 0) decider.after(1)
      expect(decider.ids).toHaveLength(1)
    }
    expect(waited.slice(0, 5)).toEqual([1, 2, 3, 4, 5].map(restartDelay))
    expect(waited.slice(5)).toEqual([80_000, 80_000, 80_000])
  })

  it('delays every one of many slots, however many fail at once', () => {
    const decider = new Decider(deploymentState({ replicas: 20 })).decide()
    for (let round = 0; round < 3; round += 1) for (const id of decider.ids) decider.say(id, { phase: 'Rejected' })
    const made = decider.state.tasks.length
    expect(decider.ids).toEqual([])
    for (let again = 0; again < 5; again += 1) decider.decide()
    expect(decider.state.tasks).toHaveLength(made)
    expect(decider.after(20_000).ids).toHaveLength(20)
  })

  it('delays only its own slot, and a new template not at all', () => {
    const decider = new Decider(deploymentState({ replicas: 2 })).decide()
    decider.say('web-1', { phase: 'Rejected' })
    decider.say('web-3', { phase: 'Rejected' })
    expect(decider.ids).toEqual(['web-2'])
    decider.say('web-2', { phase: 'Rejected' })
    expect(decider.ids).toEqual(['web-4'])
    decider.template('mended')
    expect(decider.live.map(({ task }) => [task.slot, task.templateDigest])).toEqual([
      ['0', digest('mended')],
      ['1', digest('mended')],
    ])
  })

  it('is forgiven after ten minutes', () => {
    const decider = new Decider(deploymentState()).decide()
    for (let round = 0; round < 3; round += 1) {
      decider.say(String(decider.ids[0]), { phase: 'Rejected' })
      decider.after((decider.last.wakeAt ?? decider.now) - decider.now)
    }
    decider.allReady().after(600_000)
    const [before] = decider.ids
    decider.say(String(before), { phase: 'Lost' })
    expect(decider.ids).toHaveLength(1)
    expect(decider.ids[0]).not.toBe(before)
  })
})

describe('images that tags were resolved to', () => {
  const images = { [AGENT]: { main: 'a@sha256:1' } }
  const pinned = (revisionHistoryLimit: number) => {
    const decider = new Decider(deploymentState({ revisionHistoryLimit })).decide().allReady().after(4000)
    decider.state = { ...decider.state, rollouts: decider.state.rollouts.map((rollout) => ({ ...rollout, images })) }
    return decider
  }
  const imagesOf = ({ state }: Decider, word: string) =>
    state.rollouts.find(({ to }) => to.templateDigest === digest(word))?.images ?? 'forgotten'

  it('are remembered of the version that a failure returns to', () => {
    const decider = pinned(1).template('bad')
    const bad = decider.live.find(({ task }) => task.templateDigest === digest('bad'))?.task.id ?? ''
    decider.say(bad, { phase: 'Preparing', failures: 2, attempts: [attempt(1, 1), attempt(2, 1)] })
    expect(decider.state.rollouts[0]?.state.phase).toBe('Failed')
    expect(imagesOf(decider, 'new')).toEqual(images)
  })

  it('are remembered of what serves, however many commits come before another does', () => {
    const decider = pinned(10)
    for (let commits = 0; commits < 14; commits += 1) {
      decider.template(`commit ${commits}`)
      const begun = decider.live.find(({ task }) => task.templateDigest === digest(`commit ${commits}`))?.task.id ?? ''
      decider.say(begun, { phase: 'Preparing' }).after(100)
    }
    expect(imagesOf(decider, 'new')).toEqual(images)
  })

  it('are forgotten once nothing runs or returns to them', () => {
    const decider = pinned(1)
    for (const word of ['second', 'third']) {
      decider.template(word)
      for (let turns = 0; turns < 4; turns += 1) decider.allReady().after(4000)
    }
    expect(imagesOf(decider, 'new')).toBe('forgotten')
  })
})

describe('retention', () => {
  const needed = { run: null, templateDigest: digest('new'), slots: ['0'] }
  const ended = (count: number, phase: 'Stopped' | 'Failed', template = 'old') =>
    Array.from({ length: count }, (_, index) =>
      taskState({ id: `${phase}-${index}` as TaskId, createdAt: NOW + index, templateDigest: digest(template), desired: 'stop' }, phase),
    )
  const names = (tasks: ReturnType<typeof ended>) => tasks.map(({ task }) => task.id).sort()

  it('keeps the newest three that stopped and five that failed', () => {
    const all = [...ended(6, 'Stopped'), ...ended(8, 'Failed')]
    expect(names(expendable(all, needed))).toEqual(['Failed-0', 'Failed-1', 'Failed-2', 'Stopped-0', 'Stopped-1', 'Stopped-2'])
    expect(names(expendable(all.toReversed(), needed))).toEqual(names(expendable(all, needed)))
  })

  it('counts failures that delay a slot among those kept', () => {
    const all = [
      ...ended(3, 'Failed', 'new'),
      ...ended(8, 'Failed').map(({ task, observed }) => taskState({ ...task, id: `x${task.id}` as TaskId }, observed)),
    ]
    expect(expendable(all, needed)).toHaveLength(6)
  })

  it('forgets a task that was stopped before it had a machine, and never one that may still run', () => {
    const never = Array.from({ length: 5 }, (_, index) => taskState({ id: `n-${index}` as TaskId, agent: null, desired: 'stop' }))
    const running = [taskState({ desired: 'stop' }, 'Running'), taskState({ desired: 'stop' }), taskState({}, 'Running')]
    expect(names(expendable([...never, ...running], needed))).toHaveLength(2)
    expect(expendable(running, needed)).toEqual([])
  })
})
