import { afterEach, describe, expect, it } from 'vitest'
import type { Store, Txn } from '../../src/store/store.ts'
import { waitUntil } from '../support/wait-until.ts'
import { APP, World, type WorldOptions, web } from './world.ts'

const worlds: World[] = []
async function open(options: WorldOptions = {}): Promise<World> {
  const world = new World({ ttlMs: 600, ...options })
  worlds.push(world)
  world.commit({ 'web.yaml': web('web', { replicas: 3 }), 'other.yaml': web('other') })
  await world.server()
  await waitUntil(() => world.plane.apps().length === 1)
  await world.server()
  return world
}
afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.close()))
})

const leads = (world: World, index: number): boolean => {
  try {
    return (world.servers[index]?.control.plane.version().epoch ?? 0) > 0
  } catch {
    return false
  }
}
const epochs = (txns: readonly Txn[]) => txns.flatMap((txn) => (txn.fence === null ? [] : [txn.fence.epoch]))

describe('two control planes on one store', () => {
  it('one leads, the other stands by and says so', async () => {
    const world = await open()
    await world.agent()
    await world.synced()
    expect([leads(world, 0), leads(world, 1)]).toEqual([true, false])
    expect(() => world.servers[1]?.control.plane.apps()).toThrow(expect.objectContaining({ code: 'Unavailable' }))
  })

  it('L1: the second takes over at once when the first ends, and no task restarts', async () => {
    const world = await open()
    const agent = await world.agent()
    await world.synced()
    const before = world.ids()
    await world.servers[0]?.stop()
    await waitUntil(() => leads(world, 1))
    world.commit({ 'other.yaml': web('other', { image: 'a:2' }) })
    await world.synced()
    expect(world.ids('web')).toEqual(before.filter((id) => id.startsWith('web')))
    expect(agent.machine.history().filter((record) => record.task.startsWith('web'))).toHaveLength(3)
    expect(world.plane.history(APP)).toHaveLength(2)
  })

  it('L1: the second takes over when the first is cut off; late writes of the first are refused, and no task restarts', async () => {
    const sent: Txn[] = []
    const watching = (store: Store): Store => ({
      list: (prefix) => store.list(prefix),
      get: (key) => store.get(key),
      watch: (prefix, options) => store.watch(prefix, options),
      campaign: (name, options) => store.campaign(name, options),
      close: () => store.close(),
      txn: async (request) => {
        const result = await store.txn(request)
        if (result.status === 'Committed') sent.push(request)
        return result
      },
    })
    const world = await open({ wrap: watching })
    const agent = await world.agent()
    await world.synced()
    const before = world.ids()
    const [first] = world.servers
    if (first === undefined) throw new Error('no server')
    first.faults.unreachable = true
    await waitUntil(() => leads(world, 1))
    await waitUntil(() => !leads(world, 0))
    world.commit({ 'other.yaml': web('other', { image: 'a:2' }) })
    await waitUntil(() => world.workload('other')?.revision.endsWith(world.repo.head()) === true && world.app().health === 'Healthy')
    first.faults.unreachable = false
    await world.synced()
    expect(world.ids('web')).toEqual(before.filter((id) => id.startsWith('web')))
    expect(agent.machine.history().filter((record) => record.task.startsWith('web'))).toHaveLength(3)
    const inOrder = epochs(sent)
    expect(inOrder).toEqual(inOrder.toSorted((a, b) => a - b))
    expect(new Set(inOrder).size).toBe(2)
    const [old] = sent.filter((txn) => txn.fence?.epoch === inOrder[0])
    const late = await world.cluster.connect().txn({ if: [], then: old?.then ?? [], fence: old?.fence ?? null })
    expect(late).toEqual({ status: 'Conflict', failed: 'fence' })
  })

  it('L2: an answer that is lost keeps nobody from leading, nor from finding out', async () => {
    const world = await open({ ttlMs: 4000 })
    await world.agent()
    await world.synced()
    const before = world.ids()
    const [first] = world.servers
    if (first === undefined) throw new Error('no server')
    first.faults.losesReplies = true
    world.commit({ 'other.yaml': web('other', { image: 'a:2' }) })
    await waitUntil(() => world.app().observedRevision?.endsWith(world.repo.head()) === true)
    first.faults.losesReplies = false
    await world.synced()
    expect(world.ids('web')).toEqual(before.filter((id) => id.startsWith('web')))
    expect(world.plane.history(APP)).toHaveLength(2)
  })

  it('one whose lease may have run out answers and writes nothing as leader, though nobody has told it yet', async () => {
    const lease: { isOver: boolean } = { isOver: false }
    const sent: Txn[] = []
    const doubtful = (store: Store): Store => ({
      list: (prefix) => store.list(prefix),
      get: (key) => store.get(key),
      watch: (prefix, options) => store.watch(prefix, options),
      close: () => store.close(),
      txn: (request) => {
        sent.push(request)
        return store.txn(request)
      },
      campaign: async (name, options) => {
        const leadership = await store.campaign(name, options)
        return { ...leadership, validUntil: () => (lease.isOver ? Number.NEGATIVE_INFINITY : leadership.validUntil()) }
      },
    })
    const world = await open({ wrap: doubtful })
    await world.agent()
    await world.synced()
    const [first] = world.servers
    expect(first?.control.leader.leads()).toBe(true)
    lease.isOver = true
    const before = sent.length
    expect(first?.control.leader.leads()).toBe(false)
    expect(() => first?.control.plane.apps()).toThrow(expect.objectContaining({ code: 'Unavailable' }))
    await expect(first?.control.plane.maintain('node-1', { verb: 'cordon', actor: 'ann' })).rejects.toMatchObject({ code: 'Unavailable' })
    expect(sent.slice(before).filter(({ fence }) => fence !== null)).toEqual([])
  })

  it('tells where the leader is, but for itself and while there is none', async () => {
    const world = await open({ advertise: (index) => `https://server-${index}` })
    const urls = () => Promise.all(world.servers.map(({ control }) => control.leader.url()))
    expect(await urls()).toEqual([null, 'https://server-0'])
    await world.servers[0]?.stop()
    await waitUntil(() => leads(world, 1))
    expect(await urls()).toEqual(['https://server-1', null])
  })

  it('L5: a former leader that leads again begins anew, with a grace in which it replaces nothing', async () => {
    const world = await open()
    const agent = await world.agent()
    await world.synced()
    const before = world.ids()
    const starts = () => agent.machine.history().length
    const count = starts()
    const [first] = world.servers
    if (first === undefined) throw new Error('no server')
    first.faults.unreachable = true
    await waitUntil(() => leads(world, 1))
    // What the second learns and does meanwhile, the first has never heard of.
    world.commit({ 'other.yaml': web('other', { image: 'a:2' }) })
    await waitUntil(() => world.app().health === 'Healthy' && world.workload('other')?.revision.endsWith(world.repo.head()) === true)
    first.faults.unreachable = false
    await waitUntil(() => !leads(world, 0))
    await world.servers[1]?.stop()
    await waitUntil(() => leads(world, 0))
    await world.synced()
    await waitUntil(() => world.plane.agents()[0]?.status === 'Ready')
    expect(world.ids('web')).toEqual(before.filter((id) => id.startsWith('web')))
    expect(world.workload('other')?.revision).toContain(world.repo.head())
    expect(starts()).toBe(count + 1)
  })

  it('L6: all control planes restart together, and no task does', async () => {
    const world = await open()
    const agent = await world.agent()
    await world.synced()
    await world.server()
    const before = world.ids()
    const count = agent.machine.history().length
    await world.stopServers()
    await Promise.all([world.server(), world.server(), world.server()])
    await world.synced()
    expect(world.ids()).toEqual(before)
    expect(agent.machine.history()).toHaveLength(count)
  })
})
