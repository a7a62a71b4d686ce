import { afterEach, describe, expect, it } from 'vitest'
import { rewriteHistory } from '../support/git-repo.ts'
import { waitUntil } from '../support/wait-until.ts'
import { APP, config, job, policy, World, type WorldOptions, web } from './world.ts'

const worlds: World[] = []
async function open(files: Record<string, string>, options: WorldOptions = {}): Promise<World> {
  const world = await World.with(files, options)
  worlds.push(world)
  return world
}
afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.close()))
})

const sync = (world: World, allowDelete: 'Any' | 'WithinBudget' = 'WithinBudget') =>
  world.plane.sync(APP, { allowDelete, plan: null, retry: 'No', actor: 'ada' })
const revisionOf = (world: World) => `main@sha1:${world.repo.head()}`

describe('a push', () => {
  it('is rolled out until it is healthy, and says so everywhere', async () => {
    const world = await open({ 'web.yaml': web('web', { replicas: 2 }) })
    await world.proved()
    expect(world.app()).toMatchObject({
      sync: 'Synced',
      health: 'Healthy',
      observedRevision: revisionOf(world),
      lastAttemptedRevision: revisionOf(world),
      lastAppliedRevision: revisionOf(world),
      problems: [],
      holds: [],
    })
    expect(world.workload('web')).toMatchObject({ health: 'Healthy', desired: 2, ready: 2, revision: revisionOf(world), reasons: [] })
    expect(world.tasks()).toMatchObject([
      { slot: '0', phase: 'Running', ready: true, agent: 'node-1', attempt: 1 },
      { slot: '1', phase: 'Running', ready: true, agent: 'node-1', attempt: 1 },
    ])
    expect(world.plane.history(APP)).toMatchObject([
      { id: 1, revision: revisionOf(world), subject: 'first', outcome: 'Healthy', cause: 'poll' },
    ])
  })

  it('that touches one workload leaves the other alone, over twenty commits', async () => {
    const world = await open({ 'web.yaml': web('web'), 'other.yaml': web('other', { replicas: 3 }) })
    await world.synced()
    const untouched = world.ids('other')
    const seen = new Set(world.ids('web'))
    for (let number = 2; number <= 21; number += 1) {
      world.commit({ 'web.yaml': web('web', { image: `a:${number}` }), 'README.md': `${number}` })
      await world.synced()
      for (const id of world.ids('web')) seen.add(id)
    }
    expect(world.ids('other')).toEqual(untouched)
    expect(seen.size).toBe(21)
    expect(world.outcomes()).toHaveLength(21)
    await world.proved()
    expect(new Set(world.outcomes())).toEqual(new Set(['Healthy']))
  })

  it('of files that are no manifests changes nothing but the revision', async () => {
    const world = await open({ 'web.yaml': web('web') })
    await world.proved()
    const before = world.ids()
    world.commit({ 'README.md': 'new' })
    await world.synced()
    expect(world.ids()).toEqual(before)
    expect(world.outcomes()).toEqual(['Healthy'])
    expect(world.app().lastAppliedRevision).toBe(revisionOf(world))
  })

  it('of more replicas adds tasks and restarts none; of fewer it stops some', async () => {
    const world = await open({ 'web.yaml': web('web', { replicas: 2 }) })
    await world.synced()
    const before = world.ids()
    world.commit({ 'web.yaml': web('web', { replicas: 4 }) })
    await world.synced()
    expect(world.ids()).toHaveLength(4)
    expect(world.ids()).toEqual(expect.arrayContaining(before))
    world.commit({ 'web.yaml': web('web', { replicas: 1 }) })
    await world.synced()
    await waitUntil(() => world.ids().length === 1)
    expect(world.ids()).toEqual([before[0]])
  })

  it('of a ConfigMap rolls those who use it, and nobody else', async () => {
    const uses = web('web', { unit: 'envFrom: [{configMapRef: {name: app}}]' })
    const world = await open({ 'web.yaml': uses, 'other.yaml': web('other'), 'app.yaml': config('app', { LEVEL: 'info' }) })
    await world.synced()
    const [before, other] = [world.ids('web'), world.ids('other')]
    world.commit({ 'app.yaml': config('app', { LEVEL: 'debug' }) })
    await world.synced()
    expect(world.ids('web')).not.toEqual(before)
    expect(world.ids('other')).toEqual(other)
  })

  it('that removes a workload stops its tasks, and is Healthy when they are gone', async () => {
    const world = await open({ 'web.yaml': web('web'), 'old.yaml': web('old', { replicas: 2 }) })
    await world.synced()
    world.commit({ 'old.yaml': null })
    await world.synced()
    await waitUntil(() => world.workload('old') === undefined)
    expect(world.ids('old')).toEqual([])
    await waitUntil(() => world.outcomes()[0] === 'Healthy')
    expect(world.outcomes()).toHaveLength(2)
    expect(world.plane.tasks().filter((task) => task.workload === 'old')).toEqual([])
  })

  it('G2: that rewrites history is followed like any other', async () => {
    const world = await open({ 'web.yaml': web('web') })
    await world.synced()
    const base = world.repo.head()
    world.commit({ 'web.yaml': web('web', { image: 'a:2' }) })
    await world.synced()
    rewriteHistory(world.repo, base, { 'web.yaml': web('web', { image: 'a:3' }) })
    await world.synced()
    expect(world.app().lastAppliedRevision).toBe(revisionOf(world))
    expect(world.outcomes()).toHaveLength(3)
  })

  it('G6: good, bad, good in quick succession leaves nothing behind that nobody owns', async () => {
    const good = { 'web.yaml': web('web'), 'extra.yaml': null }
    const world = await open({ 'web.yaml': web('web') })
    await world.synced()
    world.commit({ 'extra.yaml': web('extra'), 'web.yaml': web('web', { image: 'bad:1' }) })
    await waitUntil(() => world.app().observedRevision === revisionOf(world))
    world.commit({ 'web.yaml': 'kind: [broken\n' })
    await world.held('InvalidManifests')
    world.commit(good)
    await world.synced()
    await waitUntil(() => world.workload('extra') === undefined)
    expect(world.tasks().map((task) => task.workload)).toEqual(['web'])
  })
})

describe('mistakes', () => {
  it('G4: in one of ten manifests: nine are updated, the tenth stays, and the place is told', async () => {
    const files = (image: string) =>
      Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`w${index}.yaml`, web(`w${index}`, { image })]))
    const world = await open(files('a:1'))
    await world.synced()
    const tenth = world.ids('w4')
    world.commit({ ...files('a:2'), 'w4.yaml': web('w4', { image: 'a:2' }).replace('  replicas: 1', '  replica: 1') })
    await world.held('InvalidManifests')
    await world.healthy()
    expect(world.app()).toMatchObject({ sync: 'OutOfSync', lastAttemptedRevision: revisionOf(world) })
    expect(world.app().lastAppliedRevision).not.toBe(revisionOf(world))
    expect(world.app().problems).toMatchObject([{ file: 'w4.yaml', line: 5, column: 3, hint: expect.stringContaining('replicas') }])
    const at = (name: string) => world.workload(name)?.revision === revisionOf(world)
    expect(world.app().workloads.filter(({ name }) => at(name))).toHaveLength(9)
    expect(at('w4')).toBe(false)
    expect(world.ids('w4')).toEqual(tenth)
    world.commit(files('a:2'))
    await world.synced()
    expect(world.ids('w4')).not.toEqual(tenth)
  })

  it('remove nothing, though the revision lacks a workload, until they are mended', async () => {
    const world = await open({ 'web.yaml': web('web'), 'old.yaml': web('old') })
    await world.synced()
    const old = world.ids('old')
    world.commit({ 'old.yaml': null, 'new.yaml': 'kind: Deplyoment\n' })
    await world.held('InvalidManifests')
    await sync(world, 'Any')
    expect(world.ids('old')).toEqual(old)
    world.commit({ 'new.yaml': null })
    await world.synced()
    await waitUntil(() => world.workload('old') === undefined)
  })

  it('G4: everywhere: the revision is Rejected, what runs goes on, and its rollout still finishes', async () => {
    const slow = web('web', { unit: 'fake: {readyAfterSeconds: 1}' })
    const world = await open({ 'web.yaml': slow })
    await waitUntil(() => world.tasks().length === 1)
    world.commit({ 'web.yaml': 'kind: [\n' })
    await world.held('InvalidManifests')
    expect(world.outcomes()).toEqual(['Rejected', 'Progressing'])
    await waitUntil(() => world.outcomes()[1] === 'Healthy')
    expect(world.outcomes()).toEqual(['Rejected', 'Healthy'])
    expect(world.tasks()).toHaveLength(1)
  })
})

describe('gates', () => {
  it('G5: an emptied path is held, and released by an order', async () => {
    const world = await open({ 'web.yaml': web('web') })
    await world.synced()
    const before = world.ids()
    world.commit({ 'web.yaml': null, 'README.md': 'empty' })
    await world.held('EmptySource')
    expect(world.ids()).toEqual(before)
    expect(world.app().sync).toBe('OutOfSync')
    await sync(world, 'Any')
    await waitUntil(() => world.app().workloads.length === 0)
    expect(world.app()).toMatchObject({ sync: 'Synced', health: 'Healthy' })
    expect(world.ids()).toEqual([])
  })

  it('G5: a deletion over budget is held, survives a restart, and is released without a new commit', async () => {
    const files = Object.fromEntries(Array.from({ length: 6 }, (_, index) => [`w${index}.yaml`, web(`w${index}`)]))
    const world = await open(files)
    await world.synced()
    const before = world.ids()
    world.commit({ 'w0.yaml': null, 'w1.yaml': null, 'w2.yaml': null, 'w3.yaml': null })
    await world.held('DeletionBudget')
    await sync(world)
    expect(world.gates()).toEqual(['DeletionBudget'])
    expect(world.ids()).toEqual(before)
    await sync(world, 'Any')
    await waitUntil(() => world.app().workloads.length === 2)
    expect(world.app()).toMatchObject({ sync: 'Synced' })
    expect(world.ids()).toEqual(before.slice(4))
  })

  it('prune: false keeps what git no longer holds', async () => {
    const world = await open({ 'app.yaml': policy({ prune: false }), 'web.yaml': web('web'), 'old.yaml': web('old') })
    await world.synced()
    world.commit({ 'old.yaml': null })
    await world.held('PruneDisabled')
    expect(world.ids('old')).toHaveLength(1)
  })
})

describe('git that is away', () => {
  it.each([
    [
      'the branch is gone',
      (world: World) => world.repo.git('branch', '-m', 'main', 'elsewhere'),
      (world: World) => world.repo.git('branch', '-m', 'elsewhere', 'main'),
    ],
    ['the repository is gone', (world: World) => world.hideRepo(), (world: World) => world.bringRepoBack()],
  ])('G1: %s: nothing stops, and all is well when it returns', async (_, away, back) => {
    const world = await open({ 'web.yaml': web('web', { replicas: 2 }) })
    await world.synced()
    const before = world.ids()
    away(world)
    await world.held('SourceError')
    expect(world.app()).toMatchObject({ sync: 'Unknown', health: 'Healthy' })
    await expect(sync(world, 'Any')).rejects.toThrow()
    expect(world.ids()).toEqual(before)
    back(world)
    await waitUntil(() => world.gates().length === 0)
    expect(world.app()).toMatchObject({ sync: 'Synced', health: 'Healthy' })
    expect(world.ids()).toEqual(before)
    world.commit({ 'web.yaml': web('web', { replicas: 2, image: 'a:2' }) })
    await world.synced()
    expect(world.ids()).not.toEqual(before)
  })

  it('G5: a path that is gone from the commit stops nothing', async () => {
    const world = await open({ 'apps/web.yaml': web('web'), 'README.md': 'x' }, { path: 'apps' })
    await world.synced()
    const before = world.ids()
    world.commit({ 'apps/web.yaml': null })
    await world.held('SourceError')
    expect(world.ids()).toEqual(before)
  })
})

describe('policy', () => {
  it('Manual: a commit waits until a person says so', async () => {
    const world = await open({ 'app.yaml': policy({ mode: 'Manual' }), 'web.yaml': web('web') })
    await world.held('Manual')
    expect(world.tasks()).toEqual([])
    expect(world.app()).toMatchObject({ sync: 'OutOfSync', observedRevision: revisionOf(world), lastAttemptedRevision: null })
    await sync(world)
    await world.synced()
    const before = world.ids()
    world.commit({ 'web.yaml': web('web', { image: 'a:2' }) })
    await world.held('Manual')
    expect(world.ids()).toEqual(before)
    expect(world.app().observedRevision).toBe(revisionOf(world))
    expect(await sync(world)).toMatchObject({ sync: 'Synced', holds: [] })
    await world.synced()
    expect(world.plane.history(APP)[0]).toMatchObject({ cause: 'sync by ada' })
  })

  it('comes with the revision, and goes with it', async () => {
    const files = Object.fromEntries(['a', 'b', 'c'].map((name) => [`${name}.yaml`, web(name)]))
    const world = await open({ ...files, 'app.yaml': policy({ deletionBudget: { count: 0, percent: 0 } }) })
    await world.synced()
    world.commit({ 'a.yaml': null })
    await world.held('DeletionBudget')
    world.commit({ 'app.yaml': null })
    await world.synced()
    await waitUntil(() => world.workload('a') === undefined)
  })

  it('that cannot be read leaves the one before', async () => {
    const world = await open({ 'app.yaml': policy({ prune: false }), 'web.yaml': web('web'), 'old.yaml': web('old') })
    await world.synced()
    world.commit({ 'app.yaml': policy({ prune: 'perhaps' }) })
    await world.held('InvalidManifests')
    world.commit({ 'app.yaml': policy({ prune: false }), 'old.yaml': null })
    await world.held('PruneDisabled')
  })
})

describe('history', () => {
  it('Degraded while it fails, Superseded by the next, Healthy in the end', async () => {
    const world = await open({ 'web.yaml': web('web') })
    await world.proved()
    world.commit({ 'web.yaml': web('web', { image: 'bad:1', unit: 'fake: {failStart: true}', more: 'onFailure: Hold' }) })
    await waitUntil(() => world.outcomes()[0] === 'Degraded')
    expect(world.app()).toMatchObject({ sync: 'Synced', health: 'Degraded' })
    expect(
      world.tasks('web').filter((task) => task.ready),
      'the good one serves on',
    ).toHaveLength(1)
    world.commit({ 'web.yaml': web('web', { image: 'a:3' }) })
    await world.synced()
    await waitUntil(() => world.outcomes()[0] === 'Healthy')
    expect(world.outcomes()).toEqual(['Healthy', 'Superseded', 'Healthy'])
    for (const line of world.plane.history(APP)) expect(line.finishedAt).not.toBeNull()
  })

  it('holds a Job’s run for each template, and none for a revert', async () => {
    const world = await open({ 'job.yaml': job('migrate', { image: 'a:1' }) })
    await world.synced()
    world.commit({ 'job.yaml': job('migrate', { image: 'a:2' }) })
    await world.synced()
    world.commit({ 'job.yaml': job('migrate', { image: 'a:1' }) })
    await world.synced()
    expect(world.plane.runs().map((run) => [run.phase, run.exitCode, run.attempts.length])).toEqual([
      ['Succeeded', 0, 1],
      ['Succeeded', 0, 1],
    ])
  })
})

it('plan says beforehand what sync then does', async () => {
  const world = await open({
    'app.yaml': policy({ mode: 'Manual' }),
    'web.yaml': web('web'),
    'old.yaml': web('old'),
    'same.yaml': web('same'),
  })
  await world.held('Manual')
  await sync(world)
  await world.synced()
  const before = new Map(world.tasks().map((task) => [task.workload, task.id]))
  world.commit({ 'web.yaml': web('web', { image: 'a:2' }), 'old.yaml': null, 'new.yaml': web('new') })
  await world.held('Manual')
  const plan = await world.plane.plan(APP, { ref: null, files: null })
  expect(plan.changes.map(({ action, name }) => [action, name]).sort()).toEqual([
    ['create', 'new'],
    ['delete', 'old'],
    ['replace', 'web'],
  ])
  await sync(world)
  await world.synced()
  await waitUntil(() => world.workload('old') === undefined)
  const after = new Map(world.tasks().map((task) => [task.workload, task.id]))
  expect([...after.keys()].sort()).toEqual(['new', 'same', 'web'])
  expect(after.get('same')).toBe(before.get('same'))
  expect(after.get('web')).not.toBe(before.get('web'))
  expect((await world.plane.plan(APP, { ref: null, files: null })).changes).toEqual([])
})
