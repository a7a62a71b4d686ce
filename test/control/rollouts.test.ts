import { describe, expect, it, type TestContext } from 'vitest'
import type { HistoryView, RolloutView } from '../../src/model/views.ts'
import type { Changes } from '../support/git-repo.ts'
import { waitUntil } from '../support/wait-until.ts'
import { APP, job, policy, World, web } from './world.ts'

/** Each test has a world of its own, so that what one waits for the others need not. */
async function started({ onTestFinished }: TestContext, files: Changes): Promise<World> {
  const world = await World.with(files)
  onTestFinished(() => world.close())
  return world
}

async function open(test: TestContext, files: Changes): Promise<World> {
  const world = await started(test, files)
  await world.proved()
  return world
}

const BROKEN = 'fake: {failStart: true}'
const CRASHING = 'fake: {crashAfterSeconds: 0}'
const NEVER_READY = 'fake: {readyAfterSeconds: 1000000}'
const needs = (kind: string, name: string, condition: string) => `dependsOn: [{kind: ${kind}, name: ${name}, condition: ${condition}}]`
const ref = (name: string) => ({ namespace: 'default', kind: 'Deployment' as const, name })
const request = { allowDelete: 'WithinBudget', plan: null, retry: 'No', actor: 'ann' } as const

const rollouts = (world: World, name = 'web'): RolloutView[] => world.plane.rollouts().filter(({ workload }) => workload === name)
const phases = (world: World, name = 'web'): string[] => rollouts(world, name).map(({ phase }) => phase)
const history = (world: World): HistoryView[] => world.plane.history(APP)
const digestOf = (world: World, name = 'web'): string | undefined => world.workload(name)?.inputsDigest

async function rolledBack(world: World): Promise<void> {
  const under = ['Waiting', 'Rolling', 'Paused', 'Proving']
  const isOver = () => world.plane.rollouts().every(({ phase }) => !under.includes(phase))
  await waitUntil(() => world.outcomes().includes('RolledBack') && world.app().health === 'Healthy' && isOver())
}

/** Turns that only look at git again. */
async function polls(world: World): Promise<void> {
  for (let times = 0; times < 3; times += 1) await world.plane.sync(APP, request)
}

describe.concurrent('a rollout that fails', () => {
  it.for([
    ['refused', BROKEN, '', 'CrashLoop'],
    ['in a crash loop', CRASHING, '', 'CrashLoop'],
    ['never ready', NEVER_READY, 'progressDeadlineSeconds: 1', 'ProgressDeadlineExceeded'],
  ])('%s: returns to the last good version, says why, and git does not fight it', async ([, unit = '', more = '', code = ''], test) => {
    const world = await open(test, { 'web.yaml': web('web', { replicas: 3 }), 'other.yaml': web('other') })
    const [good, before, others] = [digestOf(world), world.ids('web'), world.ids('other')]
    const bad = world.commit({ 'web.yaml': web('web', { replicas: 3, image: 'a:2', unit, more }) }, 'a bad one')
    await rolledBack(world)
    expect(digestOf(world)).toBe(good)
    expect(world.ids('web'), 'what still serves is kept').toEqual(before)
    expect(world.ids('other')).toEqual(others)
    expect(world.workload('web')?.quarantine).toMatchObject({
      good,
      actor: 'drover',
      because: null,
      badRevision: expect.stringContaining(bad),
    })
    expect(world.workload('web')?.quarantine?.reason).toContain(code)
    expect(world.workload('web')?.quarantine?.evidence.length).toBeGreaterThan(0)
    expect(phases(world)).toEqual(['Complete', 'RolledBack', 'Complete'])
    expect(rollouts(world)[1]?.failure?.code).toBe(code)
    expect(world.outcomes()).toEqual(['Healthy', 'RolledBack', 'Healthy'])
    expect(history(world)[1]).toMatchObject({
      reason: expect.stringContaining(code),
      results: [{ workload: 'default/Deployment/web', result: 'RolledBack' }],
    })
    expect(world.app().sync).toBe('OutOfSync')
    await polls(world)
    expect(phases(world)).toHaveLength(3)
    expect(world.outcomes()).toHaveLength(3)
  })

  it('is tried again when somebody asks for it, and not by a new leader', async (test) => {
    const world = await open(test, { 'web.yaml': web('web') })
    world.commit({ 'web.yaml': web('web', { image: 'a:2', unit: BROKEN }) })
    await rolledBack(world)
    await world.restart()
    await waitUntil(() => world.app().sync === 'OutOfSync' && world.app().health === 'Healthy')
    expect(phases(world)).toEqual(['Complete', 'RolledBack', 'Complete'])
    await world.plane.sync(APP, { ...request, retry: 'Quarantined' })
    await waitUntil(() => phases(world).filter((phase) => phase === 'RolledBack').length === 2 && world.app().health === 'Healthy')
  })

  it('is held where the policy says so, tried again by a promotion, and mended by the next commit', async (test) => {
    const world = await open(test, { 'web.yaml': web('web', { replicas: 2 }) })
    const before = world.ids('web')
    world.commit({ 'web.yaml': web('web', { replicas: 2, image: 'a:2', unit: BROKEN, more: 'onFailure: Hold' }) })
    await waitUntil(() => phases(world)[0] === 'Failed')
    expect(world.workload('web')).toMatchObject({ health: 'Degraded', quarantine: null })
    expect(world.ids('web')).toEqual(expect.arrayContaining(before))
    await world.plane.promote(ref('web'), 'ann')
    await waitUntil(() => world.workload('web')?.rollout?.phase !== 'Failed')
    await waitUntil(() => phases(world)[0] === 'Failed')
    await world.plane.abort(ref('web'), 'ann')
    await rolledBack(world)
    expect(world.workload('web')?.quarantine?.reason).toContain('aborted by ann')
    world.commit({ 'web.yaml': web('web', { replicas: 2, image: 'a:3' }) })
    await world.synced()
  })

  it('G9: gives way at once to a good commit while it goes back', async (test) => {
    const slow = { replicas: 4, more: 'strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}' }
    const world = await open(test, { 'web.yaml': web('web', slow) })
    world.commit({ 'web.yaml': web('web', { ...slow, image: 'a:2', unit: BROKEN }) })
    await waitUntil(() => phases(world).includes('RolledBack'))
    world.commit({ 'web.yaml': web('web', { ...slow, image: 'a:3' }) })
    await world.proved()
    expect(world.workload('web')?.quarantine).toBeNull()
    expect(phases(world)[0]).toBe('Complete')
  })

  it('because another that did not change is unwell waits for that, and is not quarantined', async (test) => {
    const dependent = (image: string) =>
      web('web', { image, more: `${needs('Deployment', 'db', 'Available')}\nprogressDeadlineSeconds: 1` })
    const world = await open(test, { 'db.yaml': web('db', { unit: 'fake: {crashAfterSeconds: 4}' }), 'web.yaml': dependent('a:1') })
    const before = world.ids('web')
    await waitUntil(() => world.workload('db')?.reasons.some(({ code }) => code === 'BackOff') === true, { timeoutMs: 15_000 })
    world.commit({ 'web.yaml': dependent('a:2') })
    await waitUntil(() => phases(world)[0] === 'Failed')
    expect(world.workload('web')).toMatchObject({ quarantine: null, health: 'Degraded' })
    expect(rollouts(world)[0]?.failure?.code).toBe('DependencyFailed')
    expect(world.ids('web')).toEqual(before)
    await polls(world)
    expect(world.outcomes()).not.toContain('RolledBack')
  })

  it('of the first version there is goes on trying, for there is nothing to return to', async (test) => {
    const world = await started(test, { 'web.yaml': web('web', { unit: CRASHING }) })
    await waitUntil(() => phases(world)[0] === 'Failed')
    expect(world.workload('web')).toMatchObject({ health: 'Degraded', quarantine: null })
    expect(world.tasks('web')).toHaveLength(1)
  })
})

describe.concurrent('canary', () => {
  const canary = (image: string, unit = '') =>
    web('web', {
      image,
      unit,
      replicas: 4,
      more: 'strategy: {canary: {steps: [{replicas: 1, manual: true}, {percent: 50}], autoPromote: false}}',
    })
  const updated = (world: World, image: string): number =>
    world.tasks('web').filter((task) => task.inputsDigest !== undefined && task.revision.endsWith(image)).length

  it('runs beside all old tasks until it is promoted, step by step', async (test) => {
    const world = await open(test, { 'web.yaml': canary('a:1') })
    const before = world.ids('web')
    const commit = world.commit({ 'web.yaml': canary('a:2') })
    await waitUntil(() => world.workload('web')?.rollout?.phase === 'Paused')
    expect(world.workload('web')).toMatchObject({ health: 'Suspended', rollout: { step: { number: 1, of: 2, replicas: 1 }, until: null } })
    expect(world.ids('web')).toEqual(expect.arrayContaining(before))
    expect(updated(world, commit)).toBe(1)
    await world.plane.promote(ref('web'), 'ann')
    await waitUntil(() => world.workload('web')?.rollout?.step?.number === 2 && world.workload('web')?.rollout?.phase === 'Paused')
    expect(updated(world, commit)).toBe(2)
    expect(world.ids('web')).toEqual(expect.arrayContaining(before))
    await world.plane.promote(ref('web'), 'ann')
    await world.synced()
    expect(updated(world, commit)).toBe(4)
    await expect(world.plane.promote(ref('web'), 'ann')).rejects.toMatchObject({ code: 'Conflict' })
  })

  it('goes away when it is aborted, and the old ones never noticed', async (test) => {
    const world = await open(test, { 'web.yaml': canary('a:1') })
    const before = world.ids('web')
    world.commit({ 'web.yaml': canary('a:2') })
    await waitUntil(() => world.workload('web')?.rollout?.phase === 'Paused')
    await world.plane.abort(ref('web'), 'ann')
    await rolledBack(world)
    expect(world.ids('web')).toEqual(before)
    expect(world.workload('web')?.quarantine?.reason).toContain('aborted by ann')
    await expect(world.plane.abort(ref('web'), 'ann')).rejects.toMatchObject({ code: 'Conflict' })
  })
})

describe.concurrent('an app of three, the third of which fails', () => {
  const three = (image: string, unit = '') => ({
    'db.yaml': web('db', { image }),
    'api.yaml': web('api', { image, more: needs('Deployment', 'db', 'Available') }),
    'web.yaml': web('web', { image, unit, more: needs('Deployment', 'api', 'Available') }),
  })
  const digests = (world: World) => ['db', 'api', 'web'].map((name) => digestOf(world, name))

  it('atomic: goes back as a whole, and a mended third takes all three along', async (test) => {
    const world = await open(test, { 'app.yaml': policy({ atomic: true }), ...three('a:1') })
    const good = digests(world)
    world.commit(three('a:2', BROKEN), 'the third fails')
    await rolledBack(world)
    await waitUntil(() => world.app().workloads.every(({ health }) => health === 'Healthy'))
    expect(digests(world)).toEqual(good)
    expect(world.workload('db')?.quarantine).toMatchObject({ because: 'default/Deployment/web' })
    expect(world.outcomes()).toEqual(['Healthy', 'RolledBack', 'Healthy'])
    expect(history(world)[0]).toMatchObject({ subject: 'first', cause: 'automatic rollback of revision 2' })
    expect(history(world)[1]?.results.map(({ result }) => result)).toEqual(['RolledBack', 'RolledBack', 'RolledBack'])
    await polls(world)
    expect(world.outcomes()).toHaveLength(3)
    world.commit({ 'web.yaml': three('a:3')['web.yaml'] }, 'mended')
    await world.synced()
    expect(digests(world).every((digest, index) => digest !== good[index])).toBe(true)
    expect(world.app().workloads.every(({ quarantine }) => quarantine === null)).toBe(true)
  })

  it('not atomic: keeps the two that are good', async (test) => {
    const world = await open(test, three('a:1'))
    const good = digests(world)
    world.commit(three('a:2', BROKEN), 'the third fails')
    await rolledBack(world)
    expect(digests(world)[0]).not.toBe(good[0])
    expect(digests(world)[1]).not.toBe(good[1])
    expect(digests(world)[2]).toBe(good[2])
    expect(history(world)[1]?.results.map(({ workload, result }) => [workload.split('/')[2], result])).toEqual([
      ['api', 'Complete'],
      ['db', 'Complete'],
      ['web', 'RolledBack'],
    ])
  })

  it('not atomic: the first takes along those that wait for it, and the fix of the first lifts them', async (test) => {
    const world = await open(test, three('a:1'))
    const [good, before] = [digests(world), [world.ids('api'), world.ids('web')]]
    world.commit({ ...three('a:2'), 'db.yaml': web('db', { image: 'a:2', unit: BROKEN }) })
    await rolledBack(world)
    await waitUntil(() => world.workload('web')?.quarantine !== null)
    expect(digests(world)).toEqual(good)
    expect([world.ids('api'), world.ids('web')], 'they never began').toEqual(before)
    expect(world.workload('web')?.quarantine).toMatchObject({ because: 'default/Deployment/db' })
    world.commit({ 'db.yaml': web('db', { image: 'a:3' }) })
    await world.synced()
    expect(digests(world).every((digest, index) => digest !== good[index])).toBe(true)
  })

  it('atomic: a Job is a gate, before or after', async (test) => {
    const gated = (image: string, exitCode: number) => ({
      'web.yaml': web('web', { image }),
      'check.yaml': job('check', {
        image,
        unit: `fake: {runForSeconds: 0, exitCode: ${exitCode}}`,
        more: `backoffLimit: 0\n${needs('Deployment', 'web', 'Available')}`,
      }),
    })
    const world = await open(test, { 'app.yaml': policy({ atomic: true }), ...gated('a:1', 0) })
    const good = digestOf(world)
    world.commit(gated('a:2', 3), 'the check fails')
    await rolledBack(world)
    expect(digestOf(world)).toBe(good)
    expect(history(world)[1]?.reason).toContain('default/Job/check')
  })

  it('atomic: what a revision removes goes only once the rest is well, and stays when it fails', async (test) => {
    const world = await open(test, { 'app.yaml': policy({ atomic: true }), 'web.yaml': web('web'), 'old.yaml': web('old') })
    const before = world.ids('old')
    world.commit({ 'web.yaml': web('web', { image: 'a:2', unit: NEVER_READY, more: 'progressDeadlineSeconds: 1' }), 'old.yaml': null })
    await waitUntil(() => world.workload('old')?.reasons.some(({ code }) => code === 'AtomicRevision') === true)
    await rolledBack(world)
    expect(world.ids('old')).toEqual(before)
    world.commit({ 'web.yaml': web('web', { image: 'a:3' }) })
    await waitUntil(() => world.workload('old') === undefined)
    await world.synced()
  })

  it('atomic: a revision with a mistake is not applied by halves', async (test) => {
    const world = await open(test, { 'app.yaml': policy({ atomic: true }), ...three('a:1') })
    const good = digests(world)
    world.commit({ ...three('a:2'), 'web.yaml': 'kind: Deployment' })
    await world.held('InvalidManifests')
    expect(digests(world)).toEqual(good)
    expect(world.app().holds[0]?.message).toContain('nothing of it was applied')
  })

  it('atomic: is too late at its deadline', async (test) => {
    const late = { 'app.yaml': policy({ atomic: true, deadlineSeconds: 1 }) }
    const world = await open(test, { ...late, ...three('a:1') })
    const good = digests(world)
    world.commit(three('a:2', NEVER_READY))
    await rolledBack(world)
    expect(digests(world)).toEqual(good)
    expect(history(world)[1]?.reason).toContain('DeadlineExceeded')
  })
})

describe.concurrent('a plan as a contract', () => {
  const files = { 'app.yaml': policy({ mode: 'Manual' }), 'web.yaml': web('web') }

  async function planned(world: World) {
    const { to, fingerprint } = await world.plane.plan(APP, { ref: null, files: null })
    return { revision: to, fingerprint }
  }

  async function manual(test: TestContext): Promise<World> {
    const world = await started(test, files)
    await world.held('Manual')
    await world.plane.sync(APP, request)
    await world.synced()
    return world
  }

  it('is applied while the world is as it was', async (test) => {
    const world = await manual(test)
    world.commit({ 'web.yaml': web('web', { image: 'a:2' }) })
    const plan = await planned(world)
    await world.plane.sync(APP, { ...request, plan })
    await world.synced()
    expect(history(world)[0]?.revision).toBe(plan.revision)
  })

  it('is refused when git has moved', async (test) => {
    const world = await manual(test)
    world.commit({ 'web.yaml': web('web', { image: 'a:2' }) })
    const plan = await planned(world)
    world.commit({ 'web.yaml': web('web', { image: 'a:3' }) })
    await expect(world.plane.sync(APP, { ...request, plan })).rejects.toMatchObject({
      code: 'Conflict',
      message: expect.stringContaining('git is at'),
    })
    expect(world.gates()).not.toContain('SourceError')
  })

  it('is refused when what runs has changed, and when it is to go further than it said', async (test) => {
    const world = await manual(test)
    world.commit({ 'web.yaml': web('web', { image: 'a:2' }) })
    await world.plane.sync(APP, request)
    await world.healthy()
    world.commit({ 'web.yaml': web('web', { image: 'a:3' }) })
    const plan = await planned(world)
    await world.plane.rollback(APP, { to: '1', revert: 'No', actor: 'ann' })
    await expect(world.plane.sync(APP, { ...request, plan })).rejects.toMatchObject({ code: 'Conflict' })
    await expect(world.plane.sync(APP, { ...request, plan, allowDelete: 'Any' })).rejects.toMatchObject({ code: 'Invalid' })
  })
})
