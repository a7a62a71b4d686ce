import { afterEach, describe, expect, it } from 'vitest'
import { waitUntil } from '../../support/wait-until.ts'
import { APP, World, type WorldOptions, web } from '../world.ts'

const worlds: World[] = []
/** An app with these revisions, each healthy before the next came. */
async function open(revisions: Record<string, string | null>[], options: WorldOptions = {}): Promise<World> {
  const world = new World(options)
  worlds.push(world)
  await world.server()
  await world.agent()
  for (const [index, files] of revisions.entries()) {
    world.commit(files, `number ${index + 1}`)
    await waitUntil(() => world.plane.apps().length === 1)
    await world.synced()
  }
  return world
}
afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.close()))
})

const rollback = (world: World, to: string, revert: 'No' | 'CommitToGit' = 'No') => world.plane.rollback(APP, { to, revert, actor: 'ada' })
const at = (world: World, name: string) => world.workload(name)?.revision.slice(-40)
const images = ['a:1', 'a:2', 'a:3'].map((image) => ({ 'web.yaml': web('web', { image }) }))

describe('a rollback', () => {
  it('by id brings back what ran, shows what it holds back and is recorded', async () => {
    const world = await open(images)
    const { to, revertCommit } = await rollback(world, '1')
    expect(to).toMatchObject({ id: 1, subject: 'number 1' })
    expect(revertCommit).toBeNull()
    await world.healthy()
    const [first] = world.plane.history(APP).toReversed()
    expect(at(world, 'web')).toBe(first?.revision.slice(-40))
    expect(world.app()).toMatchObject({
      sync: 'OutOfSync',
      health: 'Healthy',
      holds: [{ gate: 'Quarantine' }],
      lastAppliedRevision: first?.revision,
    })
    expect(world.workload('web')?.quarantine).toMatchObject({
      actor: 'ada',
      badRevision: `main@sha1:${world.repo.head()}`,
      goodRevision: first?.revision,
    })
    await waitUntil(() => world.outcomes()[0] === 'Healthy')
    expect(world.plane.history(APP)[0]).toMatchObject({ id: 4, revision: first?.revision, cause: 'rollback to 1 by ada' })
  })

  it('is what a failure returns to from then on, also before it is well again', async () => {
    const slow = { 'web.yaml': web('web', { image: 'a:1', unit: 'fake: {readyAfterSeconds: 2}' }) }
    const world = await open([slow, { 'web.yaml': web('web', { image: 'a:2' }) }])
    await rollback(world, '1')
    world.commit({ 'web.yaml': web('web', { image: 'a:3', unit: 'fake: {failStart: true}' }) })
    await waitUntil(() => world.outcomes().includes('RolledBack'))
    expect(at(world, 'web')).toBe(world.plane.history(APP).at(-1)?.revision.slice(-40))
  })

  it('starts nothing of what was rolled back before, also where that is still on its way out', async () => {
    const there = { template: 'placement: {nodeSelector: {for: feed}}' }
    const needsDb = 'dependsOn: [{kind: Deployment, name: db, condition: Available}]'
    const world = new World()
    worlds.push(world)
    world.commit({ 'web.yaml': web('web') }, 'number 1')
    await world.server()
    await world.agent()
    const second = await world.agent({ id: 'node-2', labels: { for: 'feed' } })
    await world.proved()
    world.commit({ 'feed.yaml': web('feed', { ...there, image: 'a:1' }) }, 'number 2')
    await world.proved()
    const old = world.workload('feed')?.inputsDigest
    const db = web('db', { unit: 'fake: {readyAfterSeconds: 1000000}' })
    world.commit({ 'feed.yaml': web('feed', { ...there, image: 'a:2', more: needsDb }), 'db.yaml': db }, 'number 3')
    await waitUntil(() => world.workload('db') !== undefined)
    await rollback(world, '2')
    await second.stop()
    await rollback(world, '1')
    await rollback(world, '3')
    expect(world.workload('feed')).toMatchObject({ rollout: { phase: 'Waiting' } })
    expect(world.tasks('feed').filter(({ inputsDigest }) => inputsDigest === old)).toEqual([])
  })

  it('G9: stands against git: polls, syncs and restarts leave it, the next change of the inputs lifts it', async () => {
    const world = await open(images)
    await rollback(world, '2')
    await world.healthy()
    const before = world.ids()
    await world.plane.sync(APP, { allowDelete: 'Any', plan: null, retry: 'No', actor: 'ada' })
    world.commit({ 'README.md': 'no change of inputs' })
    await world.healthy()
    expect(world.ids()).toEqual(before)
    expect(world.gates()).toEqual(['Quarantine'])
    await world.restart()
    await waitUntil(() => world.gates().includes('Quarantine'))
    await waitUntil(() => world.app().sync === 'OutOfSync')
    expect(world.ids()).toEqual(before)
    world.commit({ 'web.yaml': web('web', { image: 'a:4' }) })
    await world.synced()
    expect(world.workload('web')?.quarantine).toBeNull()
    expect(world.ids()).not.toEqual(before)
  })

  it('goes by commit, short or whole, and by revision', async () => {
    const world = await open(images)
    const [, second, first] = world.plane.history(APP).map((line) => line.revision)
    await rollback(world, String(first).slice(10, 18))
    await world.healthy()
    expect(world.app().lastAppliedRevision).toBe(first)
    await rollback(world, String(second))
    await world.healthy()
    expect(world.app().lastAppliedRevision).toBe(second)
    await rollback(world, String(first).slice(-40))
    await world.healthy()
    expect(world.app().lastAppliedRevision).toBe(first)
  })

  it('and forth to what git says leaves nothing held', async () => {
    const world = await open(images)
    await rollback(world, '1')
    await world.healthy()
    await rollback(world, '3')
    await world.synced()
    expect(world.app()).toMatchObject({ sync: 'Synced', holds: [] })
    expect(world.workload('web')?.quarantine).toBeNull()
  })

  it('G9: works while git is away', async () => {
    const world = await open(images)
    const before = world.ids()
    world.hideRepo()
    await world.held('SourceError')
    await rollback(world, '1')
    await waitUntil(() => world.app().health === 'Healthy' && !world.ids().includes(String(before[0])))
    expect(world.app().lastAppliedRevision).toBe(world.plane.history(APP).at(-1)?.revision)
    const rolledBack = world.ids()
    world.bringRepoBack()
    await waitUntil(() => !world.gates().includes('SourceError'))
    expect(world.gates()).toEqual(['Quarantine'])
    expect(world.ids()).toEqual(rolledBack)
  })

  it('with a commit to git is Synced again', async () => {
    const world = await open(images)
    const head = world.repo.head()
    const { revertCommit } = await rollback(world, '1', 'CommitToGit')
    expect(revertCommit).toBe(world.repo.head())
    expect(world.repo.git('rev-parse', `${revertCommit}^`)).toBe(head)
    expect(world.repo.git('show', '-s', '--format=%s', String(revertCommit))).toMatch(/^Revert shop to /)
    expect(world.repo.git('show', `${revertCommit}:web.yaml`)).toContain('a:1')
    await world.synced()
    expect(world.app()).toMatchObject({ sync: 'Synced', holds: [] })
    expect(world.workload('web')?.quarantine).toBeNull()
  })

  it('that cannot commit to git stands, and says what is left to do', async () => {
    const world = await open(images)
    world.hideRepo()
    await expect(rollback(world, '1', 'CommitToGit')).rejects.toMatchObject({
      code: 'Conflict',
      message: expect.stringContaining('rolled back, but'),
    })
    await waitUntil(() => world.gates().includes('Quarantine'))
    world.bringRepoBack()
  })
})

describe('to a revision that held other workloads', () => {
  it('brings back what was removed since, and git does not remove it again', async () => {
    const world = await open([
      { 'web.yaml': web('web'), 'old.yaml': web('old') },
      { 'old.yaml': null, 'web.yaml': web('web', { image: 'a:2' }) },
    ])
    await waitUntil(() => world.workload('old') === undefined)
    await rollback(world, '1')
    await world.healthy()
    expect(world.ids('old')).toHaveLength(1)
    await world.plane.sync(APP, { allowDelete: 'Any', plan: null, retry: 'No', actor: 'ada' })
    expect(world.ids('old')).toHaveLength(1)
    expect(world.gates()).toEqual(['Quarantine', 'Quarantine'])
    world.commit({ 'old.yaml': web('old', { image: 'a:3' }) })
    await world.healthy()
    await waitUntil(() => world.gates().length === 1)
    world.commit({ 'old.yaml': null, 'web.yaml': web('web', { image: 'a:3' }) })
    await world.synced()
    await waitUntil(() => world.workload('old') === undefined)
  })

  it('takes away what was added since, and git does not bring it back', async () => {
    const world = await open([{ 'web.yaml': web('web') }, { 'new.yaml': web('new') }])
    await rollback(world, '1')
    await waitUntil(() => world.workload('new') === undefined)
    await world.plane.sync(APP, { allowDelete: 'WithinBudget', plan: null, retry: 'No', actor: 'ada' })
    expect(world.tasks().map((task) => task.workload)).toEqual(['web'])
    expect(world.app()).toMatchObject({ sync: 'OutOfSync', holds: [{ gate: 'Quarantine' }] })
    world.commit({ 'new.yaml': web('new', { image: 'a:2' }) })
    await world.synced()
    expect(world.ids('new')).toHaveLength(1)
  })
})

it('of hundreds of workloads is one rollback, and says so in few words', async () => {
  const names = Array.from({ length: 300 }, (_, index) => `w${index}`)
  const all = (image: string) => ({ 'all.yaml': names.map((name) => web(name, { image, replicas: 0 })).join('---\n') })
  const world = await open([all('a:1'), all('a:2')])
  await rollback(world, '1')
  await world.healthy()
  const [first] = world.plane.history(APP).toReversed()
  expect(new Set(world.app().workloads.map(({ revision }) => revision))).toEqual(new Set([first?.revision]))
  expect(world.app().workloads.every(({ quarantine }) => quarantine !== null)).toBe(true)
  expect(JSON.stringify(world.app().holds).length).toBeLessThan(10_000)
  await world.restart()
  await waitUntil(() => world.app().sync === 'OutOfSync')
  expect(world.app().workloads.every(({ quarantine }) => quarantine !== null)).toBe(true)
  world.commit({ 'all.yaml': null, 'README.md': 'gone' })
  await world.held('EmptySource')
  expect(world.app().workloads).toHaveLength(300)
  await world.plane.sync(APP, { allowDelete: 'Any', plan: null, retry: 'No', actor: 'ada' })
  await waitUntil(() => world.app().workloads.length === 0)
})

describe('is refused', () => {
  it.each([
    ['an id that is not there', '99', 'NotFound'],
    ['a commit that never was', 'feedbeef', 'NotFound'],
    ['three digits, which could be any commit', 'abc', 'NotFound'],
    ['what runs already', '2', 'Conflict'],
  ])('%s', async (_, to, code) => {
    const world = await open(images.slice(0, 2))
    const before = world.ids()
    await expect(rollback(world, to)).rejects.toMatchObject({ code })
    expect(world.ids()).toEqual(before)
    expect(world.gates()).toEqual([])
  })

  it('a revision of which nothing ever ran', async () => {
    const world = await open(images.slice(0, 1))
    world.commit({ 'web.yaml': 'kind: [\n' })
    await world.held('InvalidManifests')
    await expect(rollback(world, '2')).rejects.toMatchObject({ code: 'Conflict' })
  })
})
