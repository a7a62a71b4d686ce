import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Drover, workloadOf } from '../support/drover.ts'
import { fake, policy, processes } from '../support/e2e-manifests.ts'
import { commitFiles, type FixtureRepo, makeRepo, scratchFolder } from '../support/git-repo.ts'
import { pictureOf } from '../support/picture.ts'

const NAMES = ['db', 'api', 'web'] as const
const needs = (name: string) => `dependsOn: [{kind: Deployment, name: ${name}, condition: Available}]`
/** Two processes that count once they have run for a second; those that crash end as soon as they start. */
const web = (version: string, does: 'serves' | 'crashes') => {
  const text = processes('web', { version, replicas: 2 }).replace('  template:', '  minReadySeconds: 1\n  template:')
  return does === 'serves' ? text : text.replace('trap ', 'exit 1; trap ')
}

interface World {
  readonly drover: Drover
  readonly repo: FixtureRepo
  readonly folder: string
}

/** A data directory and a repository of their own; the files are the first commit. */
function world(first: Record<string, string>): World {
  const scratch = scratchFolder()
  const repo = makeRepo(join(scratch.path, 'repo'))
  const drover = new Drover({ repo: repo.path })
  beforeAll(async () => {
    commitFiles(repo, first, 'first')
    await drover.start()
  })
  afterAll(async () => {
    await drover.destroy()
    scratch.remove()
  })
  return { drover, repo, folder: scratch.path }
}

async function digests({ drover }: World): Promise<(string | undefined)[]> {
  const app = await drover.app()
  return NAMES.map((name) => workloadOf(app, name)?.inputsDigest)
}

async function idsOf({ drover }: World): Promise<string[][]> {
  return Promise.all(NAMES.map(async (name) => (await pictureOf(drover, name)).tasks.map(({ id }) => id)))
}

async function wellAgain({ drover }: World, bad: string): Promise<void> {
  await drover.rolledBackFrom(bad, 'web')
  await drover.until('healthy as a whole', (app) => app.workloads.every(({ health }) => health === 'Healthy'))
  await drover.proved()
}

describe('an app of three, the third of which fails', () => {
  const chained = (version: string, does: 'serves' | 'crashes' = 'serves') => ({
    'db.yaml': fake('db', { version }),
    'api.yaml': fake('api', { version, more: needs('db') }),
    'web.yaml': web(version, does).replace('  template:', `  ${needs('api')}\n  template:`),
  })

  describe('atomic', () => {
    const here = world({ 'app.yaml': policy({ atomic: true }), ...chained('1') })
    const { drover, repo } = here

    it('all three go back, what still served serves on, and `wait` says what failed', async () => {
      await drover.healthyAt(repo.head())
      const [good, before] = [await digests(here), await idsOf(here)]
      const bad = commitFiles(repo, chained('2', 'crashes'), 'the third fails')
      const waited = drover.cli('wait', 'demo', '--healthy', '--revision', bad, '--timeout', '60s')
      await wellAgain(here, bad)
      expect(await digests(here)).toEqual(good)
      expect((await idsOf(here))[2], 'the third never stopped serving').toEqual(before[2])
      expect(await waited).toMatchObject({ code: 3, stderr: expect.stringContaining('CrashLoop') })
      expect(workloadOf(await drover.app(), 'db')?.quarantine).toMatchObject({ because: 'default/Deployment/web' })
      expect((await drover.history()).map(({ outcome }) => outcome)).toEqual(['Healthy', 'RolledBack', 'Healthy'])
      const after = await idsOf(here)
      for (let times = 0; times < 3; times += 1) await drover.poll()
      expect(await idsOf(here)).toEqual(after)
    })

    it('where none was replaced yet, not one task is another', async () => {
      const [good, before] = [await digests(here), await idsOf(here)]
      const bad = commitFiles(repo, {
        'db.yaml': fake('db', { version: '3', unit: '{readyAfterSeconds: 600}' }),
        'api.yaml': fake('api', { version: '3', unit: '{readyAfterSeconds: 600}' }),
        'web.yaml': web('3', 'crashes'),
      })
      await wellAgain(here, bad)
      expect(await digests(here)).toEqual(good)
      expect(await idsOf(here)).toEqual(before)
    })

    it('mended, all three go on', async () => {
      const before = await digests(here)
      const mended = commitFiles(repo, chained('4'), 'mended')
      const { code } = await drover.cli('wait', 'demo', '--healthy', '--revision', mended, '--timeout', '60s')
      expect(code).toBe(0)
      expect((await digests(here)).every((digest, index) => digest !== before[index])).toBe(true)
      expect((await drover.app())?.workloads.map(({ quarantine }) => quarantine)).toEqual([null, null, null])
    })
  })

  describe('not atomic', () => {
    const here = world(chained('1'))
    const { drover, repo } = here

    it('the two good ones stay new, the third is old', async () => {
      await drover.healthyAt(repo.head())
      const [good, before] = [await digests(here), await idsOf(here)]
      const bad = commitFiles(repo, chained('2', 'crashes'), 'the third fails')
      await wellAgain(here, bad)
      const [db, api, web] = await digests(here)
      expect(db).not.toBe(good[0])
      expect(api).not.toBe(good[1])
      expect(web).toBe(good[2])
      expect((await idsOf(here))[2]).toEqual(before[2])
    })
  })
})

describe('one Deployment', () => {
  const slow = { replicas: 6, more: 'strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}\n  minReadySeconds: 1' }
  const here = world({ 'web.yaml': fake('web', { ...slow, version: '1' }) })
  const { drover, repo } = here

  it('a good commit that comes while it goes back starts at once and wins', async () => {
    await drover.healthyAt(repo.head())
    // Good for a while, so some old ones are replaced before the first crashes twice, and the way back takes as long.
    const bad = commitFiles(repo, { 'web.yaml': fake('web', { ...slow, version: '2', unit: '{crashAfterSeconds: 2}' }) }, 'bad')
    await drover.until('going back', (app) => workloadOf(app, 'web')?.quarantine?.badRevision.endsWith(bad) === true)
    const good = commitFiles(repo, { 'web.yaml': fake('web', { ...slow, version: '3' }) }, 'good')
    const waited = await drover.cli('wait', 'demo', '--healthy', '--revision', good, '--timeout', '60s')
    expect(waited).toMatchObject({ code: 0 })
    expect(workloadOf(await drover.app(), 'web')?.quarantine).toBeNull()
    const rollouts = await drover.rollouts('web')
    expect(rollouts[0]).toMatchObject({ phase: 'Complete', revision: expect.stringContaining(good) })
    expect(rollouts.map(({ phase }) => phase)).toEqual(['Complete', 'Superseded', 'RolledBack', 'Complete'])
  })

  it('a canary waits beside all old ones until `promote`', async () => {
    const more = 'strategy: {canary: {steps: [{replicas: 1, manual: true}]}}'
    const before = (await pictureOf(drover, 'web')).tasks.map(({ id }) => id)
    const commit = commitFiles(repo, { 'web.yaml': fake('web', { replicas: 6, version: '4', more }) }, 'canary')
    await drover.until('waiting for a person', (app) => workloadOf(app, 'web')?.rollout?.phase === 'Paused')
    const tasks = await drover.running('web')
    expect(tasks.map(({ id }) => id)).toEqual(expect.arrayContaining(before))
    expect(tasks.filter(({ revision }) => revision.endsWith(commit))).toHaveLength(1)
    const timedOut = await drover.cli('wait', 'deployment/web', '--healthy', '--timeout', '1s')
    expect(timedOut).toMatchObject({ code: 4, stderr: expect.stringContaining('drover promote deployment/web') })
    expect(await drover.cli('promote', 'deployment/web')).toMatchObject({ code: 0 })
    expect(await drover.cli('wait', 'deployment/web', '--healthy', '--timeout', '60s')).toMatchObject({ code: 0 })
    expect(new Set((await drover.running('web')).map(({ revision }) => revision.endsWith(commit)))).toEqual(new Set([true]))
    expect(await drover.cli('promote', 'deployment/web')).toMatchObject({ code: 5 })
  })
})

describe('a plan that was kept', () => {
  const here = world({ 'app.yaml': policy({ mode: 'Manual' }), 'web.yaml': fake('web', { version: '1' }) })
  const { drover, repo, folder } = here
  const file = join(folder, 'plan.json')
  const commit = (version: string) => commitFiles(repo, { 'web.yaml': fake('web', { version }) }, `version ${version}`)

  async function plan(at: string): Promise<void> {
    await drover.observed(at)
    expect(await drover.cli('plan', '--out', file)).toMatchObject({ code: 0 })
  }

  it('is applied while the world is as it was', async () => {
    expect(await drover.cli('sync', 'demo', '--wait', '--timeout', '60s')).toMatchObject({ code: 0 })
    const second = commit('2')
    await plan(second)
    expect(await drover.cli('sync', 'demo', '--plan', file, '--wait', '--timeout', '60s')).toMatchObject({ code: 0 })
    await drover.healthyAt(second)
  })

  it('is refused with exit 5 when git has moved, and nothing changes', async () => {
    const before = await pictureOf(drover, 'web')
    await plan(commit('3'))
    await drover.observed(commit('4'))
    expect(await drover.cli('sync', 'demo', '--plan', file)).toMatchObject({ code: 5, stderr: expect.stringContaining('git is at') })
    expect(await pictureOf(drover, 'web')).toEqual(before)
  })

  it('is refused with exit 5 when somebody rolled back meanwhile', async () => {
    await plan(repo.head())
    const first = (await drover.history()).at(-1)
    expect(await drover.cli('rollback', 'demo', '--to', String(first?.id))).toMatchObject({ code: 0 })
    expect(await drover.cli('sync', 'demo', '--plan', file)).toMatchObject({ code: 5 })
    await drover.until('back', (app) => app.health === 'Healthy')
    expect((await drover.running('web')).map(({ revision }) => revision)).toEqual([first?.revision, first?.revision])
  })
})
