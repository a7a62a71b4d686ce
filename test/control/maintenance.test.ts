import { afterEach, expect, it } from 'vitest'
import { waitUntil } from '../support/wait-until.ts'
import { job, World, web } from './world.ts'

const worlds: World[] = []
afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.close()))
})

async function twoMachines(files: Record<string, string>): Promise<World> {
  const world = new World()
  worlds.push(world)
  world.commit(files)
  await world.server()
  await world.agent({ id: 'node-1' })
  await waitUntil(() => world.plane.tasks().some(({ agent }) => agent === 'node-1'))
  await world.agent({ id: 'node-2' })
  return world
}
const forEver = { unit: 'fake: {}' }

it('ends the tasks of runs on a drained machine at the deadline, and tries them elsewhere without counting a failure', async () => {
  const world = await twoMachines({ 'job.yaml': job('slow', forEver) })
  const view = await world.plane.maintain('node-1', { verb: 'drain', deadlineSeconds: 0, actor: 'ann' })
  expect(view.maintenance).toMatchObject({ phase: 'Draining', actor: 'ann' })
  await waitUntil(() => world.tasks('slow').some(({ agent, phase }) => agent === 'node-2' && phase === 'Running'))
  expect(world.plane.agents().find(({ id }) => id === 'node-1')?.maintenance).toMatchObject({ leaving: 0 })
  expect(world.plane.runs()).toMatchObject([{ phase: 'Running', attempts: [{ reason: 'Drained' }] }])
  expect(world.plane.events({ object: 'agent/node-1' })).toMatchObject([{ reason: 'Draining', actor: 'ann' }])
})

it('gives a cordoned machine nothing new, leaves it what it has, and remembers that over a restart of its agent', async () => {
  const world = await twoMachines({ 'web.yaml': web('web') })
  await world.plane.maintain('node-1', { verb: 'cordon', actor: 'ann' })
  const before = world.ids('web')
  world.commit({ 'more.yaml': web('more', { replicas: 3 }) })
  await world.synced()
  expect(world.tasks('more').map(({ agent }) => agent)).toEqual(['node-2', 'node-2', 'node-2'])
  expect(world.ids('web')).toEqual(before)
  await world.plane.maintain('node-1', { verb: 'uncordon', actor: 'ann' })
  expect(world.plane.agents().find(({ id }) => id === 'node-1')?.maintenance).toBeNull()
})

it('refuses a machine that nobody knows', async () => {
  const world = await twoMachines({ 'web.yaml': web('web') })
  await expect(world.plane.maintain('node-9', { verb: 'cordon', actor: 'ann' })).rejects.toMatchObject({ code: 'NotFound' })
})
