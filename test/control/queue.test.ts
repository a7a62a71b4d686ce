import { afterEach, describe, expect, it } from 'vitest'
import { waitUntil } from '../support/wait-until.ts'
import { job, World, web } from './world.ts'

const worlds: World[] = []
afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.close()))
})

/** A world whose one machine has room for one task of `CORE`. */
async function narrow(files: Record<string, string>): Promise<World> {
  const world = new World()
  worlds.push(world)
  world.commit(files)
  await world.server()
  await world.agent({ cpuMillis: 1000 })
  return world
}

const CORE = 'resources: {requests: {cpu: 1}}'
const LONG = `${CORE}\nfake: {runForSeconds: 100000}`
const urgent = (priority: number) => ({ template: `priority: ${priority}` })
const places = (world: World) => world.tasks().map(({ workload, agent }) => `${workload} ${agent === null ? 'waits' : 'runs'}`)
const codes = (world: World, object: string) =>
  world.plane.why(object, 'default').lines.flatMap(({ reasons }) => reasons.map(({ code }) => code))
const messages = (world: World, object: string) =>
  world.plane.why(object, 'default').lines.flatMap(({ reasons }) => reasons.map(({ message }) => message))

describe('a change of priority alone', () => {
  it('restarts nothing that runs, and runs no Job again that came to an end', async () => {
    const world = await narrow({ 'web.yaml': web('web'), 'done.yaml': job('done') })
    await world.synced()
    const before = world.ids('web')
    const [run] = world.plane.runs()
    world.commit({ 'web.yaml': web('web', urgent(10)), 'done.yaml': job('done', urgent(90)) })
    await world.synced()
    expect(world.ids('web')).toEqual(before)
    // It counts as a run of the present inputs, for nothing that it ran with has changed.
    expect(world.plane.runs()).toEqual([{ ...run, inputsDigest: world.workload('done')?.inputsDigest }])
  })

  it('moves those that wait before the others', async () => {
    const world = await narrow({ 'holder.yaml': web('holder', { unit: CORE }) })
    await world.synced()
    world.commit({ 'a.yaml': job('a', { unit: LONG }) })
    await waitUntil(() => places(world).includes('a waits'))
    world.commit({ 'b.yaml': job('b', { unit: LONG }) })
    await waitUntil(() => places(world).includes('b waits'))
    const waiting = world.ids('b')
    const commit = world.commit({ 'b.yaml': job('b', { unit: LONG, ...urgent(51) }), 'holder.yaml': null })
    await waitUntil(() => world.app().lastAppliedRevision?.endsWith(commit) === true && places(world).length === 2)
    await waitUntil(() => places(world).includes('b runs'))
    expect(places(world).sort()).toEqual(['a waits', 'b runs'])
    expect(world.ids('b')).toEqual(waiting)
  })
})

describe('a full cluster', () => {
  it('says what the machines lack, who is tried first and who takes turns', async () => {
    const world = await narrow({ 'holder.yaml': web('holder', { unit: CORE }) })
    await world.synced()
    world.commit({
      'high.yaml': web('high', { unit: CORE, replicas: 3, ...urgent(80) }),
      'low.yaml': web('low', { unit: CORE, replicas: 2 }),
      'other.yaml': job('other', { unit: LONG }),
    })
    await waitUntil(() => places(world).filter((place) => place.endsWith('waits')).length === 6)
    expect(codes(world, 'deployment/high')).toContain('InsufficientCpu')
    expect(codes(world, 'deployment/high')).not.toContain('Queued')
    expect(messages(world, 'deployment/low')).toContain(
      'tasks tried first: 3 of higher priority; 1 other workload takes turns with it at priority 50',
    )
    const second = world.ids('low').map((id) => messages(world, `task/${id}`))
    expect(second.flat()).toContain(
      'tasks tried first: 3 of higher priority, 1 of its own workload; 1 other workload takes turns with it at priority 50',
    )
  })

  it('tells of many that wait in one line', async () => {
    const world = await narrow({ 'web.yaml': web('web', { unit: CORE, replicas: 40 }) })
    await waitUntil(() => places(world).filter((place) => place.endsWith('waits')).length === 39)
    const { lines } = world.plane.why('deployment/web', 'default')
    expect(lines.filter(({ about }) => about.includes('Pending')).map(({ about }) => about)).toEqual(['39 tasks Pending'])
  })
})
