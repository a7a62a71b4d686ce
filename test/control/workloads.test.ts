import { afterEach, describe, expect, it } from 'vitest'
import { waitUntil } from '../support/wait-until.ts'
import { APP, job, World, web } from './world.ts'

const worlds: World[] = []
async function open(files: Record<string, string>): Promise<World> {
  const world = await World.with(files)
  worlds.push(world)
  return world
}
afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.close()))
})

const needs = (kind: string, name: string, condition: string) => `dependsOn: [{kind: ${kind}, name: ${name}, condition: ${condition}}]`
/** When a workload's first task began to run, by its agent. */
const startedAt = (world: World, name: string) =>
  Math.min(...world.plane.tasks().flatMap((task) => (task.workload === name ? [Date.parse(task.createdAt)] : [])))

describe('dependsOn', () => {
  it('starts in order: database, migration, web', async () => {
    const world = await open({
      'web.yaml': web('web', { more: needs('Job', 'migrate', 'Complete') }),
      'job.yaml': job('migrate', { more: needs('Deployment', 'db', 'Available'), unit: 'fake: {runForSeconds: 0.3}' }),
      'db.yaml': web('db', { unit: 'fake: {readyAfterSeconds: 0.3}' }),
    })
    await waitUntil(() => world.workload('web')?.reasons.some(({ code }) => code === 'DependencyNotReady') === true)
    expect(world.plane.why('deployment/web', 'default').lines.flatMap(({ reasons }) => reasons.map(({ message }) => message))).toEqual([
      'waits for job/migrate to be Complete; it is Progressing',
      'waits for deployment/db to be Available; it is Progressing',
      'rollout 1 is Rolling: 0 of 1 new tasks are available, 1 are wanted in the end',
    ])
    await world.synced()
    const order = ['db', 'migrate', 'web'].map((name) => startedAt(world, name))
    expect(order).toEqual([...order].sort((a, b) => a - b))
    expect(startedAt(world, 'web') - startedAt(world, 'db')).toBeGreaterThanOrEqual(600)
  })

  it('holds a new version of the dependent until the new version of what it needs is there', async () => {
    const files = (image: string, unit = '') => ({
      'web.yaml': web('web', { image, more: needs('Deployment', 'db', 'Available') }),
      'db.yaml': web('db', { image, unit }),
    })
    const world = await open(files('a:1'))
    await world.synced()
    const before = world.ids('web')
    world.commit(files('a:2', 'fake: {failStart: true}'))
    await waitUntil(() => world.workload('web')?.rollout?.fromRevision === null && world.outcomes().includes('RolledBack'))
    expect(world.ids('web')).toEqual(before)
    world.commit(files('a:3'))
    await world.synced()
    expect(world.ids('web')).not.toEqual(before)
    expect(world.plane.tasks().filter((task) => task.workload === 'web')).toHaveLength(2)
  })
})

it('why follows what a workload waits for down to the one that holds up all', async () => {
  const chained = (name: string, on: string) => web(name, { more: needs('Deployment', on, 'Available') })
  const world = await open({
    'web.yaml': chained('web', 'api'),
    'api.yaml': chained('api', 'db'),
    'db.yaml': web('db', { unit: 'fake: {readyAfterSeconds: 100000}' }),
  })
  await waitUntil(() => world.plane.why('deployment/web', 'default').lines.length === 3)
  const { lines } = world.plane.why('deployment/web', 'default')
  const told = lines.flatMap(({ about, reasons }) => reasons.map(({ message }) => `${about}: ${message}`))
  expect(told).toEqual([
    'default/Deployment/web: waits for deployment/api to be Available; it is Progressing',
    'default/Deployment/api: waits for deployment/db to be Available; it is Progressing',
    'rollout/default/Deployment/db/1: rollout 1 is Rolling: 0 of 1 new tasks are available, 1 are wanted in the end',
  ])
})

describe('Global', () => {
  it('has one task on each matching agent, also on one that joins', async () => {
    const world = await open({ 'web.yaml': web('web', { more: 'mode: Global', template: 'placement: {nodeSelector: {zone: a}}' }) })
    await world.agent({ id: 'a-1', labels: { zone: 'a' } })
    await world.agent({ id: 'b-1', labels: { zone: 'b' } })
    await waitUntil(() => world.workload('web')?.desired === 1)
    await world.synced()
    expect(world.tasks().map((task) => [task.slot, task.agent])).toEqual([['a-1', 'a-1']])
    await world.agent({ id: 'a-2', labels: { zone: 'a' } })
    await waitUntil(() => world.tasks().filter((task) => task.ready).length === 2)
    expect(world.tasks().map((task) => task.agent)).toEqual(['a-1', 'a-2'])
    await world.synced()
  })

  it('is updated although a machine is off, which follows when it returns', async () => {
    const global = (image: string) => web('web', { image, more: 'mode: Global\nprogressDeadlineSeconds: 2' })
    const world = await open({ 'web.yaml': global('a:1') })
    const away = await world.agent({ id: 'node-2' })
    await waitUntil(() => world.tasks().filter(({ ready }) => ready).length === 2)
    await world.proved()
    const kept = world.tasks().find(({ agent }) => agent === 'node-2')?.id
    await away.stop()
    const commit = world.commit({ 'web.yaml': global('a:2') })
    const updated = () => world.tasks().filter(({ revision, ready }) => ready && revision.endsWith(commit))
    await world.proved()
    expect(updated().map(({ agent }) => agent)).toEqual(['node-1'])
    expect(world.ids()).toContain(kept)
    await world.agent({ ...away })
    await waitUntil(() => updated().length === 2)
    await world.synced()
  })
})

describe('why', () => {
  it('counts the machines that do not fit, and why', async () => {
    const world = await open({ 'web.yaml': web('web', { unit: 'resources: {requests: {cpu: 100}}' }), 'ok.yaml': web('ok') })
    await waitUntil(() => world.workload('web')?.reasons[0]?.code === 'InsufficientCpu')
    const [line] = world.plane.why('deployment/web', 'default').lines
    expect(line).toMatchObject({ about: 'default/Deployment/web', reasons: [{ code: 'InsufficientCpu', count: 1 }] })
    const [task] = world.tasks('web')
    expect(task).toMatchObject({ phase: 'Pending', agent: null, reasons: [{ code: 'InsufficientCpu' }] })
    expect(world.plane.why(`task/${task?.id}`, 'default')).toMatchObject({ summary: 'Pending, attempt 0, on no agent' })
    expect(world.plane.why(`app/${APP}`, 'default').lines.map(({ about }) => about)).toEqual(['default/Deployment/web'])
    expect(world.plane.why('deployment/ok', 'default').lines).toEqual([])
  })

  it('places what waits as soon as a machine that fits joins', async () => {
    const world = await open({ 'web.yaml': web('web', { unit: 'resources: {requests: {cpu: 100}}' }) })
    await waitUntil(() => world.workload('web')?.reasons[0]?.code === 'InsufficientCpu')
    await world.agent({ id: 'big', cpuMillis: 200_000 })
    await world.synced()
    expect(world.tasks()).toMatchObject([{ agent: 'big' }])
  })

  it('tells of a crash loop when the next start is due, and of a quarantine what lifts it', async () => {
    const world = await open({ 'web.yaml': web('web') })
    await world.synced()
    world.commit({ 'web.yaml': web('web', { image: 'a:2', unit: 'fake: {crashAfterSeconds: 0}', more: 'onFailure: Continue' }) })
    await waitUntil(() =>
      world.plane.why('deployment/web', 'default').lines.some(({ about, until }) => about.startsWith('task/') && until !== null),
    )
    const crashing = world.plane.why('deployment/web', 'default')
    expect(crashing.health).toBe('Degraded')
    expect(crashing.lines.flatMap(({ reasons }) => reasons.map(({ code }) => code))).toContain('BackOff')
    await world.plane.rollback(APP, { to: '1', revert: 'No', actor: 'ada' })
    const [first] = world.plane.why('deployment/web', 'default').lines
    expect(first?.reasons).toMatchObject([
      { code: 'Quarantined', message: expect.stringContaining('the next commit that changes these inputs lifts it') },
    ])
  })

  it('knows the run of a Job that is gone', async () => {
    const world = await open({ 'job.yaml': job('migrate'), 'web.yaml': web('web') })
    await world.synced()
    const [run] = world.plane.runs()
    expect(world.plane.why(`run/${run?.id}`, 'default')).toMatchObject({ health: 'Healthy' })
    world.commit({ 'job.yaml': null })
    await world.synced()
    await waitUntil(() => world.workload('migrate') === undefined)
    expect(world.plane.why(`run/${run?.id}`, 'default')).toMatchObject({
      object: `run/${run?.id}`,
      summary: expect.stringContaining('Succeeded'),
    })
  })

  it.each(['deployment/none', 'job/web', 'task/none', 'run/none', 'app/none', 'nonsense'])('%s is not found', async (object) => {
    const world = await open({ 'web.yaml': web('web') })
    await world.synced()
    expect(() => world.plane.why(object, 'default')).toThrow(expect.objectContaining({ code: 'NotFound' }))
  })
})

it('events tell the story of one object to who asks for it', async () => {
  const world = await open({ 'web.yaml': web('web'), 'other.yaml': web('other') })
  await world.proved()
  world.commit({ 'web.yaml': web('web', { image: 'a:2' }) })
  await world.proved()
  const all = world.plane.events({})
  const ofWeb = world.plane.events({ object: 'deployment/default/web' })
  expect(ofWeb.map(({ reason }) => reason)).toEqual(['Healthy', 'Progressing', 'Healthy'])
  expect(all.filter((event) => event.object === 'deployment/default/web')).toEqual(ofWeb)
  expect(world.plane.events({ object: `app/${APP}` }).map(({ reason }) => reason)).toEqual(['Applied', 'Healthy', 'Applied', 'Healthy'])
  expect(world.plane.events({ app: 'another' })).toEqual([])
  expect(all.map(({ id }) => id)).toEqual(all.map(({ id }) => id).toSorted())
})

it('logs of a task come from its agent, and end with it', async () => {
  const world = await open({ 'job.yaml': job('migrate') })
  await world.synced()
  const [task] = world.plane.tasks()
  const options = { unit: null, attempt: null, tail: null, since: null, until: null, follow: true }
  const lines: string[] = []
  for await (const line of await world.plane.logs(String(task?.id), options, new AbortController().signal)) lines.push(line.text)
  expect(lines).toEqual(['started', 'exited with code 0'])
  await expect(world.plane.logs('none', options, new AbortController().signal)).rejects.toMatchObject({ code: 'NotFound' })
})
