import fc from 'fast-check'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Cluster } from '../../../src/control/leader/cluster.ts'
import { Draft } from '../../../src/control/leader/draft.ts'
import { placePending, type Waiting } from '../../../src/control/leader/place.ts'
import { isLive, isTerminal, occupies, type TaskState } from '../../../src/core/task-state.ts'
import type { AgentId, TaskId, WorkloadKey } from '../../../src/model/ids.ts'
import type { AgentRecord } from '../../../src/model/records.ts'
import type { Task } from '../../../src/model/task.ts'
import { AGENT, agentRecord, deploymentVersion, digest, KEY, NOW, named, observed, task, workload } from '../../support/make.ts'

const EMPTY: Waiting = { unplaced: new Map(), tags: new Map() }

let cluster: Cluster
let draft: Draft
beforeEach(() => {
  cluster = new Cluster()
  draft = new Draft(cluster)
})

/** A workload whose tasks take half of the machine each. */
function put(key: WorkloadKey, over: { spec?: object; priority?: number; template?: object } = {}): void {
  const units = [{ name: 'main', image: 'a:1', resources: { requests: { cpu: 2 } } }]
  const priority = over.priority === undefined ? {} : { priority: over.priority }
  const template = { spec: { driver: 'fake', containers: units, ...priority, ...over.template } }
  cluster.versions.set(digest(key), deploymentVersion({ template, ...over.spec }))
  draft.write({ table: 'workloads', id: key, value: workload({ key, inputsDigest: digest(key), templateDigest: digest(key) }) })
}

function add(key: WorkloadKey, id: string, over: Partial<Task> = {}): void {
  const digests = { inputsDigest: digest(key), templateDigest: digest(key) }
  draft.write({ table: 'tasks', id, value: task({ id: id as TaskId, workload: key, agent: null, ...digests, ...over }) })
}

const join = (id = AGENT): void => draft.write({ table: 'agents', id, value: agentRecord({ id }) })
const stop = (id: string): void => {
  const before = cluster.taskState(id as TaskId).task
  draft.write({ table: 'tasks', id, value: { ...before, desired: 'stop', generation: before.generation + 1 } })
}
const ends = (id: string): void =>
  draft.write({ table: 'observed', id, value: observed({ task: id as TaskId, phase: 'Succeeded', ready: false }) })

function place(before: Waiting) {
  const outcome = placePending({ cluster, tried: draft.tries.take(), before, schedulable: () => 'Yes', seed: 1 })
  for (const one of outcome.placed) draft.write({ table: 'tasks', id: one.id, value: one })
  return outcome
}

describe('what is tried', () => {
  let waiting: Waiting
  beforeEach(() => {
    join()
    put(KEY)
    put(named('other'), { spec: { mode: 'Global' } })
    for (const id of ['web-1', 'web-2', 'web-3', 'web-4']) add(KEY, id)
    waiting = place(EMPTY)
  })

  it('is what has just come, and of what found room nothing is tried again', () => {
    expect([...waiting.unplaced.keys()]).toEqual([KEY])
    expect(cluster.groups.waiting().map(({ tasks }) => [...tasks])).toEqual([['web-3', 'web-4']])
    expect(draft.tries.due).toBe(false)
  })

  const nothing = { scope: 'Workloads', workloads: new Set() }
  const own = { scope: 'Workloads', workloads: new Set([KEY]) }
  const all = expect.objectContaining({ scope: 'All' })
  it.each<[string, () => void, unknown]>([
    ['a task that joins others that wait', () => add(KEY, 'web-5'), nothing],
    ['a task of another version', () => add(KEY, 'web-5', { templateDigest: digest('newer') }), own],
    [
      'a task with a machine of its own to go to',
      () => add(named('other'), 'other-1', { slot: AGENT }),
      { ...own, workloads: new Set([named('other')]) },
    ],
    ['a report that ends nothing', () => draft.write({ table: 'observed', id: 'web-1', value: observed() }), nothing],
    ['a task that waited and is not wanted any more', () => stop('web-3'), own],
    ['a task that is told to stop', () => stop('web-1'), own],
    ['a task that ended', () => ends('web-1'), all],
    ['a machine that joins', () => join('node-2' as typeof AGENT), all],
  ])('after %s', (_, happens, expected) => {
    happens()
    expect(draft.tries.take()).toEqual(expected)
  })

  it('after one that ended is forgotten is nothing: its machine was free before', () => {
    ends('web-1')
    draft.tries.take()
    draft.write({ table: 'tasks', id: 'web-1', value: null })
    draft.write({ table: 'observed', id: 'web-1', value: null })
    expect(draft.tries.due).toBe(false)
  })

  it('is told by reasons that go with the last task that waits', () => {
    stop('web-3')
    waiting = place(waiting)
    expect(waiting.unplaced.get(KEY)).toMatchObject([{ code: 'InsufficientCpu', count: 1 }])
    stop('web-4')
    expect(place(waiting).unplaced.size).toBe(0)
  })
})

it('counts the machines of tasks that have one each to go to, all together', () => {
  const agents = ['node-1', 'node-2', 'node-3'].map((id) => id as typeof AGENT)
  for (const id of agents) join(id)
  put(KEY, { spec: { mode: 'Global' }, template: { placement: { nodeSelector: { disk: 'ssd' } } } })
  for (const id of agents) add(KEY, `web-${id}`, { slot: id })
  expect(place(EMPTY).unplaced.get(KEY)).toMatchObject([{ code: 'ConstraintNotMet', count: 3 }])
})

it('goes by the priority that git says now, not by that of when a task came', () => {
  join()
  const [first, second, third] = ['first', 'second', 'third'].map(named) as [WorkloadKey, WorkloadKey, WorkloadKey]
  for (const [index, key] of [first, second, third].entries()) {
    put(key)
    add(key, `${key.split('/')[2]}-1`, { createdAt: NOW + index })
  }
  const raised = deploymentVersion({ template: { spec: { driver: 'fake', priority: 51, containers: [{ name: 'main', image: 'a:1' }] } } })
  cluster.versions.set(digest('raised'), raised)
  draft.write({
    table: 'workloads',
    id: third,
    value: workload({ key: third, inputsDigest: digest('raised'), templateDigest: digest(third) }),
  })
  expect(place(EMPTY).placed.map(({ id }) => id)).toEqual(['third-1', 'first-1'])
})

describe('whatever happens', () => {
  const keys = ['plain', 'single', 'even'].map(named)
  const rules = [{}, { placement: { maxPerNode: 1 } }, { placement: { spread: [{ key: 'zone', maxSkew: 1 }] } }]
  const agents = ['node-1', 'node-2', 'node-3'].map((id) => id as AgentId)
  const happening = fc.oneof(
    fc.record({ what: fc.constantFrom<'comes'[]>('comes'), of: fc.nat(2) }),
    fc.record({ what: fc.constantFrom('ends' as const, 'stops' as const, 'forgotten' as const, 'newer' as const), of: fc.nat(30) }),
    fc.record({ what: fc.constantFrom('joins' as const, 'grows' as const), of: fc.nat(2) }),
  )
  let ids = 0

  function happens({ what, of }: { what: string; of: number }): void {
    const agent = agents[of % 3] as AgentId
    const key = keys[of % 3] as WorkloadKey
    const states = [...cluster.tasks.keys()].map((id) => cluster.taskState(id))
    const pick = (of_: readonly TaskState[]): string | undefined => of_[of % Math.max(1, of_.length)]?.task.id
    if (what === 'comes') add(key, `t-${ids++}`)
    if (what === 'newer') add(key, `t-${ids++}`, { templateDigest: digest('newer') })
    if (what === 'joins') draft.write({ table: 'agents', id: agent, value: agentRecord({ id: agent, labels: { zone: agent } }) })
    if (what === 'grows' && cluster.agents.has(agent)) {
      const { capacity, ...record } = cluster.agents.get(agent) as AgentRecord
      draft.write({ table: 'agents', id: agent, value: { ...record, capacity: { ...capacity, cpuMillis: capacity.cpuMillis + 2000 } } })
    }
    const [running, wanted, over] = [states.filter(occupies), states.filter(isLive), states.filter(isTerminal)].map(pick)
    if (what === 'ends' && running !== undefined) ends(running)
    if (what === 'stops' && wanted !== undefined) stop(wanted)
    if (what === 'forgotten' && over !== undefined) {
      draft.write({ table: 'tasks', id: over, value: null })
      draft.write({ table: 'observed', id: over, value: null })
    }
  }

  it('nothing waits that a try of everything would place, and all that wait say why', () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 40 }), (story) => {
        cluster = new Cluster()
        draft = new Draft(cluster)
        for (const [index, key] of keys.entries()) put(key, { template: rules[index] ?? {} })
        let waiting = EMPTY
        for (const one of story) {
          happens(one)
          waiting = place(waiting)
          const tried = { scope: 'All', workloads: new Set<WorkloadKey>() } as const
          const all = placePending({ cluster, tried, before: EMPTY, schedulable: () => 'Yes', seed: 1 })
          expect(all.placed).toEqual([])
          expect([...waiting.unplaced.keys()].sort()).toEqual([...all.unplaced.keys()].sort())
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('100,000 tasks that wait in a full cluster', () => {
  const GROUPS = 100
  const EACH = 1000
  const keys = Array.from({ length: GROUPS }, (_, index) => named(`job-${index}`))

  it('cost a look at one task of each group when one ends, and none when nothing does that could help', () => {
    join()
    put(KEY)
    for (const id of ['web-1', 'web-2']) add(KEY, id)
    const before = place(EMPTY)
    for (const [index, key] of keys.entries()) {
      put(key)
      const digests = { inputsDigest: digest(key), templateDigest: digest(key) }
      for (let slot = 0; slot < EACH; slot++) {
        const id = `job-${index}-${slot}` as TaskId
        cluster.apply({ table: 'tasks', id, value: task({ id, workload: key, agent: null, ...digests }) })
      }
    }
    draft.tries.all()
    let waiting = place(before)
    expect(waiting.unplaced.size).toBe(GROUPS)
    const looks = vi.spyOn(cluster.tasks, 'get')
    waiting = place(waiting)
    expect(looks).toHaveBeenCalledTimes(0)
    ends('web-1')
    looks.mockClear()
    waiting = place(waiting)
    expect(waiting.placed).toHaveLength(1)
    // One of each group for its age and its requirements, and the writes of the one that was placed.
    expect(looks.mock.calls.length).toBeLessThan(GROUPS + 20)
    expect(waiting.unplaced.size).toBe(GROUPS)
  })
})
