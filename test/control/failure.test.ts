import { afterEach, describe, expect, it } from 'vitest'
import { createLeapingClock, type LeapingClock } from '../support/leaping-clock.ts'
import { waitUntil } from '../support/wait-until.ts'
import { job, type RunningAgent, World, web } from './world.ts'

const worlds: World[] = []
afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.close()))
})

interface Cluster {
  readonly world: World
  readonly clock: LeapingClock
  readonly agents: readonly RunningAgent[]
}

async function cluster(count: number, files: Record<string, string>): Promise<Cluster> {
  const clock = createLeapingClock()
  const world = new World({ clock })
  worlds.push(world)
  world.commit(files)
  await world.server()
  const agents: RunningAgent[] = []
  for (let number = 1; number <= count; number += 1) agents.push(await world.agent({ id: `node-${number}` }))
  return { world, clock, agents }
}

/** It stays connected to nobody; its tasks run on. */
const back = (world: World, { id, machine, journal }: RunningAgent): Promise<RunningAgent> => world.agent({ id, machine, journal })

const placesOf = (world: World, name: string): (string | null)[] => world.tasks(name).map(({ agent }) => agent)
const startsOf = ({ machine }: RunningAgent): number => machine.history().length
const runningOn = ({ machine }: RunningAgent): number =>
  machine.history().filter(({ startedAt, stoppedAt }) => startedAt !== null && stoppedAt === null).length
const reasonsOf = (world: World, name: string): string[] => world.workload(name)?.reasons.map(({ code }) => code) ?? []

/** Each machine takes one, so that what is replaced has one place to go. */
const one = 'placement: {maxPerNode: 1}'

describe('a machine that falls silent', () => {
  it('P2, A3: is unreachable after 40 s; after 60 its tasks are replaced, and stopped there when it is back', async () => {
    const { world, clock, agents } = await cluster(3, { 'web.yaml': web('web', { replicas: 2, template: one }) })
    await world.synced()
    const gone = agents.find(({ id }) => id === world.tasks('web')[0]?.agent) as RunningAgent
    await gone.stop()
    await clock.leap(45_000)
    expect(world.workload('web')).toMatchObject({ health: 'Progressing', ready: 1 })
    expect(reasonsOf(world, 'web')).toEqual(['AgentUnreachable'])
    expect(world.plane.tasks().find(({ agent }) => agent === gone.id)).toMatchObject({ phase: 'Unknown' })
    expect(world.plane.agents().find(({ id }) => id === gone.id)).toMatchObject({
      status: 'Unreachable',
      silentSince: expect.any(String),
      reasons: [{ code: 'AgentUnreachable' }],
    })
    expect(world.plane.why(`agent/${gone.id}`, 'default')).toMatchObject({
      health: 'Unknown',
      summary: 'Unreachable, 1 tasks',
      lines: [{ about: `agent/${gone.id}`, reasons: [{ code: 'AgentUnreachable' }] }],
    })
    await clock.leap(20_000)
    await waitUntil(() => world.workload('web')?.health === 'Healthy')
    expect(placesOf(world, 'web')).not.toContain(gone.id)
    expect(runningOn(gone)).toBe(1)
    const again = await back(world, gone)
    await waitUntil(() => runningOn(again) === 0)
    expect(world.workload('web')).toMatchObject({ health: 'Healthy', ready: 2 })
    expect(world.plane.events({ object: `agent/${gone.id}` }).map(({ reason }) => reason)).toEqual(['Unreachable', 'Returned'])
  })

  it('and is back before its tasks were replaced goes on with them', async () => {
    const { world, clock, agents } = await cluster(2, { 'web.yaml': web('web') })
    await world.synced()
    const gone = agents.find(({ id }) => id === world.tasks('web')[0]?.agent) as RunningAgent
    const before = world.ids('web')
    await gone.stop()
    await clock.leap(50_000)
    await back(world, gone)
    await waitUntil(() => world.workload('web')?.health === 'Healthy')
    await clock.leap(60_000)
    expect(world.ids('web')).toEqual(before)
    expect(startsOf(gone)).toBe(1)
  })

  it('and has no other machine to take its place keeps its tasks for its return', async () => {
    const { world, clock, agents } = await cluster(1, { 'web.yaml': web('web') })
    await world.synced()
    const [gone] = agents as [RunningAgent]
    const before = world.ids('web')
    await gone.stop()
    await clock.leap(400_000)
    expect(world.workload('web')?.health).toBe('Degraded')
    await back(world, gone)
    await waitUntil(() => world.workload('web')?.health === 'Healthy')
    expect(world.ids('web')).toEqual(before)
    expect(startsOf(gone)).toBe(1)
  })

  it('is waited for by a Global Deployment, whose other machines go on', async () => {
    const { world, clock, agents } = await cluster(2, { 'web.yaml': web('web', { more: 'mode: Global' }) })
    await waitUntil(() => world.workload('web')?.ready === 2)
    const before = world.ids('web')
    await agents[0]?.stop()
    await clock.leap(400_000)
    expect(world.workload('web')).toMatchObject({ health: 'Healthy', desired: 1 })
    await back(world, agents[0] as RunningAgent)
    await waitUntil(() => world.workload('web')?.ready === 2)
    expect(world.ids('web')).toEqual(before)
  })

  it('tells what became of a task that was tried elsewhere meanwhile, and that does not count', async () => {
    const unit = 'fake: {runForSeconds: 100}'
    const { world, clock, agents } = await cluster(2, {
      'job.yaml': job('slow', { unit, template: 'unreachable: {replaceAfterSeconds: 60}' }),
    })
    await waitUntil(() => world.tasks('slow').some(({ phase }) => phase === 'Running'))
    const [first] = world.ids('slow')
    const gone = agents.find(({ id }) => id === world.tasks('slow')[0]?.agent) as RunningAgent
    await gone.stop()
    await clock.leap(70_000)
    await waitUntil(() => world.tasks('slow').some(({ agent, phase }) => agent !== gone.id && phase === 'Running'))
    await clock.leap(40_000)
    await back(world, gone)
    await waitUntil(() => world.plane.events({ object: `task/${first}` }).some(({ reason }) => reason === 'Superseded'))
    expect(world.plane.runs()[0]).toMatchObject({ phase: 'Running', succeeded: 0 })
    expect(
      world.plane
        .tasks()
        .find(({ id }) => id === first)
        ?.reasons.map(({ code }) => code),
    ).toEqual(['AgentUnreachable', 'Superseded'])
    await clock.leap(70_000)
    await waitUntil(() => world.plane.runs()[0]?.phase === 'Succeeded')
    expect(world.plane.runs()[0]?.succeeded).toBe(1)
  })
})

describe('most machines that fall silent at once', () => {
  it('are waited for, and nothing restarts when they are back', async () => {
    const { world, clock, agents } = await cluster(4, { 'web.yaml': web('web', { replicas: 4, template: one }) })
    await waitUntil(() => world.workload('web')?.health === 'Healthy')
    const before = world.ids('web')
    const gone = agents.slice(0, 3)
    await Promise.all(gone.map((agent) => agent.stop()))
    await clock.leap(400_000)
    expect(world.ids('web')).toEqual(before)
    expect(world.workload('web')).toMatchObject({ health: 'Degraded', ready: 1 })
    expect(reasonsOf(world, 'web')).toContain('ReplacementPaused')
    expect(world.plane.agents().map(({ reasons }) => reasons.map(({ code }) => code).join())).toEqual([
      'AgentUnreachable,ReplacementPaused',
      'AgentUnreachable,ReplacementPaused',
      'AgentUnreachable,ReplacementPaused',
      '',
    ])
    await Promise.all(gone.map((agent) => back(world, agent)))
    await waitUntil(() => world.workload('web')?.health === 'Healthy')
    expect(world.ids('web')).toEqual(before)
    expect(agents.map(startsOf)).toEqual([1, 1, 1, 1])
    const told = world.plane.events({ object: 'cluster/agents' }).map(({ reason }) => reason)
    expect(told).toEqual(['ReplacementPaused', 'ReplacementResumed'])
  })
})

describe('a new leader', () => {
  it('replaces nothing of a machine that it never heard of before its grace is over', async () => {
    const { world, clock, agents } = await cluster(2, { 'web.yaml': web('web') })
    await world.synced()
    const gone = agents.find(({ id }) => id === world.tasks('web')[0]?.agent) as RunningAgent
    await gone.stop()
    await clock.leap(30_000)
    await world.restart()
    await waitUntil(() => world.app().sync === 'Synced')
    await clock.leap(110_000)
    expect(placesOf(world, 'web')).toEqual([gone.id])
    await clock.leap(15_000)
    await waitUntil(() => placesOf(world, 'web').every((agent) => agent !== gone.id))
  })
})

describe('a machine that is forgotten', () => {
  const forgetting = { connected: 'Refuse', actor: 'ann' } as const

  it('loses its tasks at once, is refused when it is back, stops what it runs, and joins again when it is admitted', async () => {
    const { world, agents } = await cluster(2, { 'web.yaml': web('web') })
    await world.synced()
    const gone = agents.find(({ id }) => id === world.tasks('web')[0]?.agent) as RunningAgent
    await expect(world.plane.forget(gone.id, forgetting)).rejects.toMatchObject({ code: 'Conflict' })
    await gone.stop()
    await waitUntil(() => world.plane.agents().some(({ status }) => status === 'Suspect'))
    expect(await world.plane.forget(gone.id, forgetting)).toMatchObject({ id: gone.id, lost: 1, actor: 'ann' })
    expect(world.plane.agents().map(({ id }) => id)).not.toContain(gone.id)
    await waitUntil(() => world.workload('web')?.health === 'Healthy')
    const again = await back(world, gone)
    await waitUntil(() => runningOn(again) === 0)
    expect(world.plane.agents().map(({ id }) => id)).not.toContain(gone.id)
    expect(() => world.plane.why(`agent/${gone.id}`, 'default')).toThrow(`was forgotten by ann`)
    await world.plane.admit(gone.id, 'ann')
    await waitUntil(() => world.plane.agents().some(({ id }) => id === gone.id))
    expect(world.plane.events({ object: `agent/${gone.id}` }).map(({ reason }) => reason)).toEqual(['Forgotten', 'Admitted'])
  })

  it('while it is connected is told to stop what it runs', async () => {
    const { world, agents } = await cluster(2, { 'web.yaml': web('web') })
    await world.synced()
    const gone = agents.find(({ id }) => id === world.tasks('web')[0]?.agent) as RunningAgent
    await world.plane.forget(gone.id, { connected: 'Forget', actor: 'ann' })
    await waitUntil(() => runningOn(gone) === 0 && world.workload('web')?.health === 'Healthy')
    expect(placesOf(world, 'web')).not.toContain(gone.id)
  })

  it('and nobody of a name that is not known', async () => {
    const { world } = await cluster(1, { 'web.yaml': web('web') })
    await expect(world.plane.forget('node-9', forgetting)).rejects.toMatchObject({ code: 'NotFound' })
    await expect(world.plane.admit('node-1', 'ann')).rejects.toMatchObject({ code: 'NotFound' })
  })
})

describe('a machine that is drained', () => {
  it('keeps the tasks of Deployments until others serve, and those of Global ones for good', async () => {
    const { world, clock, agents } = await cluster(2, {
      'web.yaml': web('web', { replicas: 2 }),
      'logs.yaml': web('logs', { more: 'mode: Global' }),
    })
    await waitUntil(() => world.workload('web')?.ready === 2 && world.workload('logs')?.ready === 2)
    const from = String(world.tasks('web')[0]?.agent)
    const deadlineSeconds = 600
    await world.plane.maintain(from, { verb: 'drain', deadlineSeconds, actor: 'ann' })
    const least: number[] = []
    await waitUntil(() => {
      least.push(world.workload('web')?.ready ?? 0)
      return world.plane.agents().find(({ id }) => id === from)?.maintenance?.leaving === 0
    })
    expect(Math.min(...least)).toBeGreaterThanOrEqual(2)
    expect(placesOf(world, 'web')).not.toContain(from)
    expect(placesOf(world, 'logs')).toContain(from)
    world.commit({ 'logs.yaml': web('logs', { more: 'mode: Global', image: 'a:2' }) })
    await clock.leap(10_000)
    await world.synced()
    expect(placesOf(world, 'logs')).toContain(from)
    expect(agents).toHaveLength(2)
  })
})
