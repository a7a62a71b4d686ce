import { afterEach, describe, expect, it } from 'vitest'
import type { RunView } from '../../src/model/views.ts'
import { waitUntil } from '../support/wait-until.ts'
import { cron, job, World, web } from './world.ts'

const worlds: World[] = []
async function open(files: Record<string, string>): Promise<World> {
  const world = await World.with(files)
  worlds.push(world)
  await waitUntil(() => world.app().sync === 'Synced')
  return world
}
afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.close()))
})

const ACTOR = 'cli:ann'
const ref = (kind: 'Deployment' | 'Job' | 'CronJob', name: string) => ({ namespace: 'default', kind, name })
const runsOf = (world: World, name: string): RunView[] => world.plane.runs().filter((run) => run.job === name)
const phasesOf = (world: World, name: string): string[] => runsOf(world, name).map(({ phase }) => phase)
const ended = (world: World, name: string, count: number) =>
  waitUntil(() => runsOf(world, name).filter(({ finishedAt }) => finishedAt !== null).length === count)
const told = (world: World, object: string): string[] =>
  world.plane.why(object, 'default').lines.flatMap(({ about, reasons }) => reasons.map(({ code }) => `${about} ${code}`))
const eventsOf = (world: World, object: string): string[] => world.plane.events({ object }).map(({ reason }) => reason)
const FOREVER = 'fake: {runForSeconds: 100000}'
const FAILS = 'fake: {runForSeconds: 0, exitCode: 3}'

describe('a graph that is begun by hand', () => {
  const graph = (unit: string) => ({
    'a.yaml': cron('a'),
    'b.yaml': cron('b', { more: 'after: [a]' }),
    'c.yaml': cron('c', { more: 'after: [a]', unit }),
    'd.yaml': cron('d', { more: 'after: [b, c]' }),
  })

  it('goes on from the node that failed, once that is mended and run again', async () => {
    const world = await open(graph(FAILS))
    const begun = await world.plane.run(ref('CronJob', 'a'), ACTOR)
    expect(begun).toMatchObject({
      id: 'default.a-manual-1',
      phase: 'Running',
      trigger: 'Manual',
      actor: ACTOR,
      graph: 'default.a-manual-1',
    })
    await Promise.all(['a', 'b', 'c'].map((name) => ended(world, name, 1)))
    const [bad] = runsOf(world, 'c')
    expect(bad).toMatchObject({ id: 'default.c-manual-1', phase: 'Failed', exitCode: 3, parents: [begun.id], graph: begun.id })
    expect(runsOf(world, 'd')).toEqual([])
    expect(told(world, 'cronjob/d')).toEqual(['cronjob/c in the graph of run/default.a-manual-1 ParentFailed'])
    expect(told(world, `run/${bad?.id}`).at(-1)).toBe('cronjob/d ParentFailed')

    world.commit(graph('fake: {runForSeconds: 0}'))
    await world.healthy()
    const again = await world.plane.rerun(String(bad?.id), ACTOR)
    expect(again).toMatchObject({ id: 'default.c-manual-1-2', trigger: 'Rerun', parents: [begun.id], graph: begun.id, number: 2 })
    await ended(world, 'd', 1)
    const [b] = runsOf(world, 'b')
    expect(runsOf(world, 'd')).toMatchObject([{ id: 'default.d-manual-1', phase: 'Succeeded', parents: [b?.id, again.id] }])
    expect(told(world, 'cronjob/d')).toEqual([])
    expect(told(world, `run/${bad?.id}`)).toEqual([`task/${bad?.attempts[0]?.task} attempt 1 Error`])
    expect(eventsOf(world, 'cronjob/default/c')).toEqual(['RunStarted', 'RunFailed', 'Degraded', 'Healthy', 'RunStarted', 'RunSucceeded'])
    const [started] = world.plane.events({ object: 'cronjob/default/a' })
    expect(started).toMatchObject({ actor: ACTOR, message: 'run/default.a-manual-1: Manual', level: 'Normal' })
  })
})

describe('a run by hand', () => {
  it('is refused where it cannot be, which changes nothing', async () => {
    const world = await open({
      'web.yaml': web('web'),
      'rests.yaml': job('rests', { more: 'suspend: true' }),
      'busy.yaml': job('busy', { unit: FOREVER }),
      'slow.yaml': cron('slow', { unit: FOREVER }),
    })
    const { id: slow } = await world.plane.run(ref('CronJob', 'slow'), ACTOR)
    await waitUntil(() => phasesOf(world, 'busy')[0] === 'Running')
    const before = world.plane.runs().map((run) => run.id)
    const [busy] = runsOf(world, 'busy')
    const refusals: [Promise<unknown>, string, string][] = [
      [world.plane.run(ref('Deployment', 'web'), ACTOR), 'Conflict', 'deployment/web runs all the time'],
      [world.plane.run(ref('Job', 'rests'), ACTOR), 'Conflict', 'job/rests is suspended'],
      [world.plane.run(ref('Job', 'busy'), ACTOR), 'Conflict', `run/${busy?.id} of it has not ended`],
      [world.plane.run(ref('CronJob', 'slow'), ACTOR), 'Conflict', `run/${slow} has not ended, and concurrencyPolicy is Forbid`],
      [world.plane.run(ref('CronJob', 'none'), ACTOR), 'NotFound', 'no cronjob none in namespace default'],
      [world.plane.rerun(slow, ACTOR), 'Conflict', `run/${slow} has not ended, in the same graph`],
      [world.plane.rerun('none', ACTOR), 'NotFound', 'no run none'],
    ]
    for (const [asked, code, message] of refusals)
      await expect(asked).rejects.toMatchObject({ code, message: expect.stringContaining(message) })
    expect(world.plane.runs().map((run) => run.id)).toEqual(before)
  })

  it('of a run whose workload is gone is refused', async () => {
    const world = await open({ 'job.yaml': job('migrate'), 'web.yaml': web('web') })
    await world.synced()
    const [run] = world.plane.runs()
    world.commit({ 'job.yaml': null })
    await world.synced()
    await waitUntil(() => world.workload('migrate') === undefined)
    await expect(world.plane.rerun(String(run?.id), ACTOR)).rejects.toMatchObject({ code: 'NotFound' })
  })

  it('runs what a Job ran once more, and is kept by who leads next', async () => {
    const world = await open({ 'job.yaml': job('migrate') })
    await world.synced()
    const made = await world.plane.run(ref('Job', 'migrate'), ACTOR)
    await ended(world, 'migrate', 2)
    await world.restart()
    await waitUntil(() => phasesOf(world, 'migrate').length === 2)
    expect(runsOf(world, 'migrate')).toMatchObject([
      { id: made.id, trigger: 'Manual', actor: ACTOR, succeeded: 1, completions: 1 },
      { trigger: 'Sync', actor: null },
    ])
  })

  it('is still the run of a Job of which git changes only how long it is kept', async () => {
    const world = await open({ 'job.yaml': job('migrate') })
    await ended(world, 'migrate', 1)
    const before = world.workload('migrate')?.inputsDigest
    world.commit({ 'job.yaml': job('migrate', { more: 'ttlSecondsAfterFinished: 100000' }) })
    await waitUntil(() => world.workload('migrate')?.inputsDigest !== before)
    expect(runsOf(world, 'migrate')).toMatchObject([
      { inputsDigest: world.workload('migrate')?.inputsDigest, phase: 'Succeeded', succeeded: 1, completions: 1 },
    ])
  })

  it('is found by its name with its outcome, though nothing of it is kept', async () => {
    const world = await open({ 'job.yaml': job('migrate', { more: 'ttlSecondsAfterFinished: 0\nbackoffLimit: 0', unit: FAILS }) })
    await waitUntil(() => world.workload('migrate')?.health === 'Degraded')
    expect(world.plane.runs()).toEqual([])
    const [started] = world.plane.events({ object: 'job/default/migrate' })
    const id = /^run\/(\S+):/.exec(started?.message ?? '')?.[1] ?? ''
    expect(world.plane.oneRun(id)).toMatchObject({ id, phase: 'Failed', exitCode: 3, attempts: [] })
    expect(() => world.plane.oneRun('none')).toThrow('there is no run "none"')
  })

  it('waits for what the CronJob depends on', async () => {
    const more = 'schedule: 0 0 29 2 *\ndependsOn: [{kind: Deployment, name: db, condition: Available}]'
    const world = await open({ 'db.yaml': web('db', { unit: 'fake: {readyAfterSeconds: 100000}' }), 'load.yaml': cron('load', { more }) })
    const made = await world.plane.run(ref('CronJob', 'load'), ACTOR)
    expect(made).toMatchObject({ phase: 'Pending', startedAt: null })
    expect(told(world, `run/${made.id}`)).toEqual(['default/CronJob/load DependencyNotReady'])
    expect(eventsOf(world, 'cronjob/default/load')).toEqual([])
    world.commit({ 'db.yaml': web('db') })
    await ended(world, 'load', 1)
    expect(phasesOf(world, 'load')).toEqual(['Succeeded'])
  })

  it('of a suspended CronJob runs, and ends what goes on where it says Replace', async () => {
    const more = 'schedule: 0 0 29 2 *\nsuspend: true\nconcurrencyPolicy: Replace'
    const world = await open({ 'load.yaml': cron('load', { more, unit: FOREVER }) })
    expect(told(world, 'cronjob/load')).toEqual(['default/CronJob/load Suspended'])
    await world.plane.run(ref('CronJob', 'load'), ACTOR)
    const second = await world.plane.run(ref('CronJob', 'load'), ACTOR)
    await ended(world, 'load', 1)
    expect(
      runsOf(world, 'load')
        .map(({ reason }) => reason)
        .toSorted(),
    ).toEqual(['Replaced', null])
    expect(eventsOf(world, 'cronjob/default/load')).toEqual(['RunStarted', 'RunReplaced', 'RunStarted'])
    expect(world.workload('load')?.schedule).toMatchObject({ active: [second.id], lastRun: second.id, lastPhase: 'Running', nextRun: null })
  })
})

describe('slots', () => {
  const everySecond = 'schedule: "* * * * * *"'

  it('start runs that say which slot they are for, and events of both', async () => {
    const world = await open({ 'tick.yaml': cron('tick', { more: everySecond }) })
    await ended(world, 'tick', 2)
    const [run] = runsOf(world, 'tick').toReversed()
    expect(run).toMatchObject({ trigger: 'Schedule', number: 1, actor: null, completions: 1, succeeded: 1 })
    const [started, done] = world.plane.events({ object: 'cronjob/default/tick' })
    expect(started).toMatchObject({ reason: 'RunStarted', actor: 'drover', message: `run/${run?.id}: Schedule, slot ${run?.slot}` })
    expect(done).toMatchObject({ reason: 'RunSucceeded', message: `run/${run?.id}: Completed` })
    expect(world.workload('tick')?.schedule).toMatchObject({ schedule: '* * * * * *', timeZone: 'UTC', after: [], missed: 0 })
    expect(told(world, 'cronjob/tick').at(-1)).toBe('default/CronJob/tick NextSlot')
  })

  it('wait for the end of a run that is in their way, and why says so', async () => {
    const world = await open({ 'tick.yaml': cron('tick', { more: everySecond, unit: FOREVER }) })
    const key = 'default/CronJob/tick'
    await waitUntil(() => told(world, 'cronjob/tick').length === 3)
    const [run] = runsOf(world, 'tick')
    expect(told(world, 'cronjob/tick')).toEqual([`run/${run?.id} Running RunUnderWay`, `${key} SlotWaits`, `${key} NextSlot`])
  })

  it('that wait for too long are missed, and told', async () => {
    const more = `${everySecond}\nstartingDeadlineSeconds: 1`
    const world = await open({ 'tick.yaml': cron('tick', { more, unit: FOREVER }) })
    await waitUntil(() => eventsOf(world, 'cronjob/default/tick').includes('MissedSlots'))
    const missed = world.plane.events({ object: 'cronjob/default/tick' }).find(({ reason }) => reason === 'MissedSlots')
    expect(missed).toMatchObject({ level: 'Warning', message: expect.stringContaining('passed without a run, the latest 20') })
    expect(told(world, 'cronjob/tick')).toContain('default/CronJob/tick MissedSlots')
  })
})
