import { afterEach, expect, it } from 'vitest'
import { waitUntil } from '../support/wait-until.ts'
import { APP, World, web } from './world.ts'

const worlds: World[] = []
async function open(): Promise<World> {
  const world = await World.with({ 'web.yaml': web('web'), 'other.yaml': web('other') })
  worlds.push(world)
  await world.synced()
  return world
}
afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.close()))
})

const sync = (world: World, actor: string) => world.plane.sync(APP, { allowDelete: 'WithinBudget', plan: null, retry: 'No', actor })
const rollback = (world: World, to: string) => world.plane.rollback(APP, { to, revert: 'No', actor: 'ada' })

it('many syncs at once apply a commit once, and each answers with what it applied', async () => {
  const world = await open()
  world.commit({ 'web.yaml': web('web', { image: 'a:2' }) })
  const head = world.repo.head()
  const answers = await Promise.all(Array.from({ length: 8 }, (_, index) => sync(world, `person ${index}`)))
  for (const answer of answers) expect(answer.lastAppliedRevision).toBe(`main@sha1:${head}`)
  await world.synced()
  expect(world.plane.history(APP)).toHaveLength(2)
  expect(world.ids('web')).toHaveLength(1)
})

it('a sync that begins while another is under way sees what was committed before it was asked', async () => {
  const world = await open()
  for (let number = 2; number < 12; number += 1) {
    void sync(world, 'first').catch(() => undefined)
    world.commit({ 'web.yaml': web('web', { image: `a:${number}` }) })
    const answer = await sync(world, 'second')
    expect(answer.lastAppliedRevision).toBe(`main@sha1:${world.repo.head()}`)
  }
})

it('a rollback among syncs: whatever comes first, the rolled back digest never runs again', async () => {
  const world = await open()
  world.commit({ 'web.yaml': web('web', { image: 'bad:2' }) })
  await world.synced()
  const bad = world.workload('web')?.inputsDigest
  await Promise.all([sync(world, 'a'), rollback(world, '1'), sync(world, 'b')])
  await Promise.all([sync(world, 'c'), sync(world, 'd')])
  await world.healthy()
  expect(world.workload('web')?.inputsDigest).not.toBe(bad)
  expect(world.gates()).toEqual(['Quarantine'])
  expect(world.ids('other')).toHaveLength(1)
})

it('of two rollbacks to one revision the second finds nothing to do', async () => {
  const world = await open()
  world.commit({ 'web.yaml': web('web', { image: 'a:2' }) })
  await world.synced()
  const results = await Promise.allSettled([rollback(world, '1'), rollback(world, '1')])
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  expect(results.find((result) => result.status === 'rejected')).toMatchObject({ reason: { code: 'Conflict' } })
  await world.healthy()
  expect(world.plane.history(APP)).toHaveLength(3)
})

it('commits faster than anything gets ready: the last one wins, and nothing of the others is left', async () => {
  const world = await open()
  for (let number = 2; number < 30; number += 1) {
    const unit = 'fake: {readyAfterSeconds: 0.3}'
    world.commit({ 'web.yaml': web('web', { image: `a:${number}`, replicas: 1 + (number % 3), unit }) })
    await waitUntil(() => world.app().lastAttemptedRevision?.endsWith(world.repo.head()) === true)
  }
  await world.synced()
  await waitUntil(() => world.tasks('web').every((task) => task.ready && task.revision === `main@sha1:${world.repo.head()}`))
  expect(world.ids('web')).toHaveLength(1 + (29 % 3))
  await waitUntil(() => world.outcomes()[0] === 'Healthy')
  const [first, ...between] = world.outcomes().slice(1).toReversed()
  expect(first).toBe('Healthy')
  expect(between).toHaveLength(27)
  expect(between).toContain('Superseded')
  for (const outcome of between) expect(['Superseded', 'Healthy']).toContain(outcome)
})
