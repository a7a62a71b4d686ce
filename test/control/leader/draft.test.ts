import { beforeEach, describe, expect, it } from 'vitest'
import { Cluster } from '../../../src/control/leader/cluster.ts'
import { Draft, InvariantError } from '../../../src/control/leader/draft.ts'
import { digestOf } from '../../../src/lib/canonical.ts'
import type { AgentId, RunId, TaskId } from '../../../src/model/ids.ts'
import type { Rendered } from '../../../src/model/records.ts'
import type { WorkloadVersion } from '../../../src/model/version.ts'
import { agentRecord, deploymentVersion, KEY, NOW, named, observed, revisionRecord, run, task, workload } from '../../support/make.ts'

let cluster: Cluster
let draft: Draft
beforeEach(() => {
  cluster = new Cluster()
  draft = new Draft(cluster)
})

const version = deploymentVersion()
const inputsDigest = digestOf(version)
const put = (over: Parameters<typeof workload>[0] = {}, body: WorkloadVersion = version) => {
  const record = workload({ inputsDigest: digestOf(body), ...over })
  draft.version(record.inputsDigest, body)
  draft.write({ table: 'workloads', id: record.key, value: record })
}
const newTask = (over: Parameters<typeof task>[0] = {}) => {
  const value = task({ inputsDigest, ...over })
  draft.write({ table: 'tasks', id: value.id, value })
}
const event = (message = 'x', object = 'app/shop') =>
  draft.event({ object, app: 'shop', reason: 'Test', message, level: 'Normal', actor: 'test' }, NOW)
const keys = () => draft.ops().map(({ key }) => key)
const kinds = () => keys().map((key) => key.split('/')[0])

describe('the order of operations', () => {
  it('bodies come before the records that name them', () => {
    put()
    const rendered: Rendered = { workloads: { [KEY]: inputsDigest } as Rendered['workloads'] }
    draft.rendered(digestOf(rendered), rendered)
    draft.write({ table: 'revisions', id: 'shop/00000001', value: revisionRecord({ rendered: digestOf(rendered) }) })
    expect(kinds()).toEqual(['blobs', 'workloads', 'blobs', 'revisions'])
  })

  it('the last word on a key goes to the end, once', () => {
    put()
    newTask({ agent: null })
    event()
    newTask()
    expect(keys()).toEqual([`blobs/${inputsDigest}/0`, `workloads/${KEY}`, 'events/000000000001', 'tasks/web-1'])
    expect(draft.ops().at(-1)).toMatchObject({ value: expect.stringContaining('"agent":"node-1"') })
  })

  it('a body that is known is not written again', () => {
    put()
    const before = draft.ops().length
    put({ key: named('other') })
    expect(draft.ops()).toHaveLength(before + 1)
  })

  it('a body on its way out is written after all, when the same turn needs it again', () => {
    put()
    draft.write({ table: 'workloads', id: KEY, value: null })
    draft.dropBody(inputsDigest, [`blobs/${inputsDigest}/0`])
    put()
    expect(draft.ops().filter(({ key }) => key.startsWith('blobs/'))).toMatchObject([{ op: 'put' }])
  })
})

describe('what a turn touched', () => {
  it('is known to those who act on it', () => {
    put()
    newTask()
    expect([...draft.touched.workloads]).toEqual([KEY])
    expect([...draft.touched.apps]).toEqual(['shop'])
    expect([...draft.touched.orders]).toEqual(['web-1'])
  })

  it('a report touches its workload, but is no order', () => {
    put()
    newTask()
    const next = new Draft(cluster)
    next.write({ table: 'observed', id: 'web-1', value: observed() })
    expect([...next.touched.workloads]).toEqual([KEY])
    expect(next.touched.orders.size).toBe(0)
  })

  it('a task that goes is told to its agent', () => {
    put()
    newTask()
    const next = new Draft(cluster)
    next.write({ table: 'tasks', id: 'web-1', value: null })
    expect(next.touched.gone).toEqual([{ agent: 'node-1', task: 'web-1' }])
  })

  it('an agent touches the workloads that have a task on each', () => {
    put()
    put({ key: named('global') }, deploymentVersion({ mode: 'Global' }))
    const next = new Draft(cluster)
    next.write({ table: 'agents', id: 'node-9', value: agentRecord({ id: 'node-9' as AgentId }) })
    expect([...next.touched.workloads]).toEqual([named('global')])
    expect(next.tries.take().scope).toBe('All')
  })

  it('a run touches its Job', () => {
    draft.write({ table: 'runs', id: run().id, value: run() })
    expect([...draft.touched.workloads]).toEqual([run().workload])
  })
})

it('refuses a write that no order of events explains', () => {
  put()
  newTask({ desired: 'stop' })
  expect(() => newTask({ desired: 'run' })).toThrow(InvariantError)
  expect(() => newTask({ desired: 'run' })).toThrow(/DesiredForward/)
})

describe('events', () => {
  it('are numbered in order, also after a reload', () => {
    for (let index = 0; index < 3; index += 1) event()
    const again = new Cluster()
    for (const value of cluster.events.values()) again.apply({ table: 'events', id: value.id, value })
    const next = new Draft(again)
    next.event({ object: 'app/shop', app: 'shop', reason: 'Test', message: 'y', level: 'Normal', actor: 'test' }, NOW)
    expect(next.ops()).toMatchObject([{ key: 'events/000000000004' }])
  })

  it('the oldest go when a thousand are kept', () => {
    for (let index = 0; index < 1005; index += 1) event('x', `app/${index}`)
    expect(cluster.events.size).toBe(1000)
    expect([...cluster.events.keys()].at(0)).toBe('000000000006')
    expect(
      draft
        .ops()
        .filter(({ op }) => op === 'delete')
        .map(({ key }) => key),
    ).toEqual([1, 2, 3, 4, 5].map((number) => `events/${String(number).padStart(12, '0')}`))
  })

  it('of one object are a hundred, so that a busy one leaves room for all others', () => {
    event('quiet', 'app/quiet')
    for (let index = 0; index < 1005; index += 1) event()
    expect(cluster.events.size).toBe(101)
    expect(cluster.eventsOfObject('app/quiet')).toEqual(['000000000001'])
    expect(cluster.eventsOfObject('app/shop').at(0)).toBe('000000000907')
  })

  it('say no more than a record may hold', () => {
    event('x'.repeat(1_000_000))
    expect(JSON.stringify(draft.ops()).length).toBeLessThan(10_000)
  })
})

describe('versions', () => {
  it('are kept while a workload or a task refers to them, and dropped after the turn in which none does any more', () => {
    put()
    newTask()
    cluster.versions.dropUnused()
    draft.write({ table: 'workloads', id: KEY, value: null })
    cluster.versions.dropUnused()
    expect(cluster.versions.has(inputsDigest)).toBe(true)
    draft.write({ table: 'tasks', id: 'web-1', value: null })
    expect(cluster.versions.has(inputsDigest)).toBe(true)
    cluster.versions.dropUnused()
    expect(cluster.versions.has(inputsDigest)).toBe(false)
    expect(() => cluster.version(inputsDigest)).toThrow(/broken assumption/)
  })

  it('that a record goes on using are not lost by its changes', () => {
    put()
    for (let generation = 2; generation < 5; generation += 1) put({ generation })
    cluster.versions.dropUnused()
    expect(cluster.versions.uses(inputsDigest)).toBe(1)
    const other = deploymentVersion({ replicas: 7 })
    put({}, other)
    cluster.versions.dropUnused()
    expect([cluster.versions.has(inputsDigest), cluster.versions.has(digestOf(other))]).toEqual([false, true])
  })

  it('that nobody came to use are dropped too', () => {
    draft.version(inputsDigest, version)
    cluster.versions.dropUnused()
    expect(cluster.versions.has(inputsDigest)).toBe(false)
  })
})

describe('usage of an agent', () => {
  const asked = deploymentVersion({
    template: { spec: { containers: [{ name: 'a', image: 'a', resources: { requests: { cpu: 2, memory: '1Gi' } } }] } },
  })
  const usage = () => {
    const { cpuMillis, memoryBytes, tasks, ports } = cluster.usageOf('node-1' as AgentId)
    return [cpuMillis, memoryBytes / 2 ** 30, tasks, [...ports]]
  }
  const made = (over: Parameters<typeof task>[0] = {}) => newTask({ inputsDigest: digestOf(asked), ports: { http: 20_001 }, ...over })

  it('counts tasks from when they are placed until they have ended, whatever is told between', () => {
    put({}, asked)
    made({ agent: null, ports: {} })
    expect(usage()).toEqual([0, 0, 0, []])
    made()
    expect(usage()).toEqual([2000, 1, 1, [20_001]])
    draft.write({ table: 'observed', id: 'web-1', value: observed() })
    made({ desired: 'stop' })
    expect(usage()).toEqual([2000, 1, 1, [20_001]])
    draft.write({ table: 'observed', id: 'web-1', value: observed({ phase: 'Stopped', ready: false }) })
    expect(usage()).toEqual([0, 0, 0, []])
    draft.write({ table: 'tasks', id: 'web-1', value: null })
    draft.write({ table: 'observed', id: 'web-1', value: null })
    expect(usage()).toEqual([0, 0, 0, []])
  })

  it('knows what is pending, and what belongs to whom', () => {
    put({}, asked)
    made({ agent: null })
    made({ id: 'web-2' as TaskId })
    expect(cluster.groups.waiting().flatMap(({ tasks }) => [...tasks])).toEqual(['web-1'])
    expect(cluster.tasksOfWorkload(KEY).map((state) => state.task.id)).toEqual(['web-1', 'web-2'])
    expect(cluster.tasksOfAgent('node-1' as AgentId).map((state) => state.task.id)).toEqual(['web-2'])
    made({ id: 'web-3' as TaskId, run: 'r' as RunId })
    expect(cluster.tasksOfRun('r' as RunId).map((state) => state.task.id)).toEqual(['web-3'])
    draft.write({ table: 'tasks', id: 'web-3', value: null })
    expect(cluster.tasksOfRun('r' as RunId)).toEqual([])
    made({ agent: null, desired: 'stop' })
    expect(cluster.groups.waiting()).toEqual([])
  })

  it('knows who waits for whom, as long as it does', () => {
    const needs = deploymentVersion({ dependsOn: [{ kind: 'Deployment', name: 'db', condition: 'Available' }] })
    put({}, needs)
    expect(cluster.dependentsOf(named('db'))).toEqual([KEY])
    put()
    expect(cluster.dependentsOf(named('db'))).toEqual([])
  })
})
