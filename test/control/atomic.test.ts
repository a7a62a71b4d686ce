import { describe, expect, it, type TestContext } from 'vitest'
import type { Changes } from '../support/git-repo.ts'
import { waitUntil } from '../support/wait-until.ts'
import { APP, policy, World, web } from './world.ts'

async function open({ onTestFinished }: TestContext, files: Changes): Promise<World> {
  const world = await World.with(files)
  onTestFinished(() => world.close())
  await world.proved()
  return world
}

const LATER = { timeoutMs: 15_000 }

describe.concurrent('an atomic app', () => {
  it('closes a revision at its deadline when what it brought is well, and does not return it for a later restart', async (test) => {
    const world = await open(test, {
      'app.yaml': policy({ atomic: true, deadlineSeconds: 5 }),
      'web.yaml': web('web'),
      'other.yaml': web('other', { unit: 'fake: {crashAfterSeconds: 4}' }),
    })
    await waitUntil(() => world.workload('other')?.health === 'Degraded', LATER)
    world.commit({ 'web.yaml': web('web', { image: 'a:2', unit: 'fake: {crashAfterSeconds: 7}' }) }, 'good')
    const newest = () => world.plane.history(APP)[0]
    await waitUntil(() => newest()?.subject === 'good' && newest()?.finishedAt !== null, LATER)
    expect(newest()?.outcome).toBe('Degraded')
    const restarts = () => world.plane.tasks().find(({ workload, desired }) => workload === 'web' && desired === 'run')?.attempt ?? 0
    await waitUntil(() => restarts() > 1, LATER)
    expect(world.outcomes()).toEqual(['Degraded', 'Healthy'])
    expect(world.workload('web')?.quarantine).toBeNull()
  })

  it('removes nothing while a new version may still fail', async (test) => {
    const world = await open(test, { 'app.yaml': policy({ atomic: true }), 'web.yaml': web('web'), 'old.yaml': web('old') })
    const before = world.ids('old')
    world.commit({ 'web.yaml': web('web', { image: 'a:2', unit: 'fake: {crashAfterSeconds: 1}' }), 'old.yaml': null }, 'bad')
    await waitUntil(() => world.outcomes().includes('RolledBack'))
    await world.healthy()
    expect(world.ids('old')).toEqual(before)
    world.commit({ 'web.yaml': web('web', { image: 'a:3' }) }, 'mended')
    await waitUntil(() => world.workload('old') === undefined)
    await world.synced()
  })

  it('does not try again what failed because something else changed', async (test) => {
    const world = await open(test, { 'app.yaml': policy({ atomic: true }), 'web.yaml': web('web'), 'api.yaml': web('api') })
    world.commit({ 'web.yaml': web('web', { image: 'a:2', unit: 'fake: {failStart: true}' }), 'api.yaml': web('api', { image: 'a:2' }) })
    await waitUntil(() => world.outcomes().includes('RolledBack'))
    await world.healthy()
    const commit = world.commit({ 'api.yaml': web('api', { image: 'a:3' }) })
    await waitUntil(() => world.app().observedRevision?.endsWith(commit) === true)
    expect(world.app().holds[0]?.message).toContain('default/Deployment/web in it is as it failed')
    expect(world.outcomes()).toHaveLength(3)
    world.commit({ 'web.yaml': web('web', { image: 'a:4' }) })
    await world.synced()
  })

  it('tells no revision as applied of which nothing was', async (test) => {
    const world = await open(test, { 'app.yaml': policy({ atomic: true }), 'web.yaml': web('web'), 'api.yaml': web('api') })
    world.commit({ 'web.yaml': 'kind: Deployment', 'api.yaml': 'kind: Deployment' }, 'all wrong')
    await waitUntil(() => world.outcomes().length === 2)
    const half = world.commit({ 'web.yaml': web('web', { image: 'a:9' }) }, 'half wrong')
    await waitUntil(() => world.app().observedRevision?.endsWith(half) === true)
    expect(world.outcomes()).toEqual(['Rejected', 'Rejected', 'Healthy'])
    world.commit({ 'web.yaml': web('web'), 'api.yaml': web('api') }, 'as it was')
    await world.synced()
    expect(world.outcomes()).toEqual(['Rejected', 'Rejected', 'Healthy'])
  })
})
