import { afterEach, describe, expect, it } from 'vitest'
import { createMemoryJournal } from '../../runtime/journal.ts'
import { neverHeard } from '../../src/core/task-state.ts'
import { channelPair } from '../../src/lib/channel-pair.ts'
import type { AgentId, Epoch } from '../../src/model/ids.ts'
import type { AgentFrame, ServerFrame } from '../../src/model/protocol.ts'
import type { AgentRecord } from '../../src/model/records.ts'
import type { Task, TaskStatus } from '../../src/model/task.ts'
import { agentRecord } from '../support/make.ts'
import { waitUntil } from '../support/wait-until.ts'
import { APP, job, World, web } from './world.ts'

const worlds: World[] = []
async function open(files: Record<string, string>): Promise<{ world: World; agent: Awaited<ReturnType<World['agent']>> }> {
  const world = new World()
  worlds.push(world)
  world.commit(files)
  await world.server()
  const agent = await world.agent()
  await world.synced()
  return { world, agent }
}
afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.close()))
})

interface Caller {
  readonly agent?: Partial<AgentRecord>
  readonly epoch?: Epoch
  readonly tasks?: TaskStatus[]
}

/** A connection that speaks for itself, beside the real agents. */
function dial(world: World, { agent: over, epoch, tasks }: Caller) {
  const { a: agent, b: server } = channelPair<AgentFrame, ServerFrame>()
  void world.servers.at(-1)?.control.gate.accept(server)
  const { joinedAt: _, ...record } = agentRecord({ id: 'node-1' as AgentId, instance: 'instance-node-1', bootId: 'boot', ...over })
  agent.send({ type: 'hello', agent: record, epoch: epoch ?? (0 as Epoch), tasks: tasks ?? [] })
  return agent
}

/** What the tasks of a machine were when they were last heard of. */
const heardOf = (world: World): TaskStatus[] =>
  world.plane.tasks().map(({ id, attempt }) => ({ ...neverHeard({ id } as Task), attempt, ready: true, phase: 'Running' }))

async function firstFrame(channel: ReturnType<typeof dial>): Promise<ServerFrame | null> {
  for await (const frame of channel.frames()) return frame
  return null
}

describe('an agent', () => {
  it('that restarts finds its tasks, and none of them restarts', async () => {
    const { world, agent } = await open({ 'web.yaml': web('web', { replicas: 3 }) })
    const before = world.ids()
    await agent.stop()
    await world.agent({ machine: agent.machine, journal: agent.journal })
    world.commit({ 'other.yaml': web('other') })
    await world.synced()
    expect(world.ids('web')).toEqual(before)
    expect(agent.machine.history().filter((record) => before.includes(record.task))).toHaveLength(3)
  })

  it('that is away gets what was decided meanwhile when it returns, and tells what happened', async () => {
    const { world, agent } = await open({ 'web.yaml': web('web'), 'job.yaml': job('slow', { unit: 'fake: {runForSeconds: 0.2}' }) })
    await agent.stop()
    world.commit({ 'web.yaml': web('web', { image: 'a:2' }) })
    await waitUntil(() => world.app().observedRevision?.endsWith(world.repo.head()) === true)
    expect(world.app().health).toBe('Progressing')
    const pending = world.tasks('web').find((task) => task.agent === null)
    expect(pending?.reasons[0]).toMatchObject({ count: 1 })
    await world.agent({ machine: agent.machine, journal: agent.journal })
    await world.synced()
  })

  it('that forgot its tasks has lost them, and they are replaced, not started twice', async () => {
    const { world, agent } = await open({ 'web.yaml': web('web', { replicas: 2 }) })
    const before = world.ids()
    await agent.stop()
    await world.agent({ machine: agent.machine, journal: createMemoryJournal() })
    await waitUntil(() => world.tasks().length === 2 && world.ids().every((id) => !before.includes(id)))
    await world.synced()
    const lost = world.plane.tasks().filter((task) => before.includes(task.id))
    expect(lost.map((task) => [task.phase, task.reasons[0]?.code])).toEqual([
      ['Lost', 'AgentForgot'],
      ['Lost', 'AgentForgot'],
    ])
    const old = () => agent.machine.history().filter((record) => before.includes(record.task))
    await waitUntil(() => old().every((record) => record.stoppedAt !== null))
    expect(old()).toHaveLength(2)
  })

  it.each([
    ['another state directory', { instance: 'copied' }, 'with another state directory'],
    ['a copy of the state directory, on another machine', { bootId: 'boot-of-the-copy' }, 'from another machine'],
  ])('A9: with %s beside the connected one is a clone, and refused', async (_, other, why) => {
    const { world } = await open({ 'web.yaml': web('web') })
    const before = world.ids()
    const clone = dial(world, { agent: other })
    expect(await firstFrame(clone)).toMatchObject({ type: 'refused', reason: expect.stringContaining(why) })
    await clone.closed
    world.commit({ 'other.yaml': web('other') })
    await world.synced()
    expect(world.ids('web')).toEqual(before)
  })

  it('with another state directory in place of one that is away takes its name, and loses its tasks', async () => {
    const { world, agent } = await open({ 'web.yaml': web('web') })
    const before = world.ids()
    await agent.stop()
    await world.agent({ instance: 'new-disk' })
    await waitUntil(() => world.ids()[0] !== before[0] && world.tasks()[0]?.ready === true)
    await world.synced()
    expect(world.plane.tasks().find((task) => task.id === before[0])).toMatchObject({ phase: 'Lost', reasons: [{ code: 'AgentReplaced' }] })
  })

  it('that calls twice is heard on the newer connection, and gets the whole set there', async () => {
    const { world } = await open({ 'web.yaml': web('web') })
    const again = dial(world, { tasks: [] })
    const all = world.plane.tasks().map((task) => expect.objectContaining({ task: task.id }))
    expect(await firstFrame(again)).toMatchObject({ type: 'assignments', full: true, tasks: expect.arrayContaining(all) })
    again.close('enough')
    await world.synced()
  })

  it('stops what was taken for lost because a greeting came late', async () => {
    const { world, agent } = await open({ 'web.yaml': web('web') })
    const [before] = world.ids()
    const late = dial(world, { tasks: [] })
    await firstFrame(late)
    late.close('it was of an earlier connection')
    await waitUntil(() => world.ids()[0] !== before)
    await world.synced()
    await waitUntil(() => agent.machine.history().every((record) => record.task !== before || record.stoppedAt !== null))
  })

  it('A9: that comes back from a reboot takes its place again, and keeps its tasks', async () => {
    const { world, agent } = await open({ 'web.yaml': web('web') })
    const before = world.ids()
    await agent.stop()
    const rebooted = dial(world, { agent: { bootId: 'next boot' }, tasks: heardOf(world) })
    expect(await firstFrame(rebooted)).toMatchObject({ type: 'assignments', full: true })
    expect(world.ids('web')).toEqual(before)
    rebooted.close('enough')
  })

  it('D4: whose runtime does not answer has tasks that are Unknown, not failed, and gets no new ones, until it answers again', async () => {
    const { drivers } = agentRecord()
    const silent = { ...drivers, fake: { available: false, detail: 'RuntimeUnhealthy: no answer' } }
    const { world, agent } = await open({ 'web.yaml': web('web', { more: 'mode: Global' }) })
    // Of a Global Deployment nothing is missing before its first machine is there.
    await waitUntil(() => world.tasks('web')[0]?.ready === true)
    const [before] = world.ids('web')
    await agent.stop()
    const frozen = dial(world, { agent: { drivers: silent }, tasks: heardOf(world) })
    const first = await firstFrame(frozen)
    expect(first, JSON.stringify(first)).toMatchObject({ tasks: [{ task: before, desired: 'run' }] })
    expect(world.tasks('web')).toMatchObject([{ id: before, phase: 'Unknown', reasons: [{ code: 'RuntimeUnhealthy' }] }])
    world.commit({ 'other.yaml': web('other') })
    await waitUntil(() => world.tasks('other')[0]?.reasons[0]?.code === 'RuntimeUnhealthy')
    expect(world.tasks('other')[0]).toMatchObject({ phase: 'Pending', agent: null })
    expect(world.tasks('web')).toMatchObject([{ id: before, desired: 'run', attempt: 1, attempts: [] }])
    frozen.close('it thaws')
    await frozen.closed
    await world.agent({ machine: agent.machine, journal: agent.journal })
    await world.synced()
    expect(world.ids('web')).toEqual([before])
  })

  it('A10: that obeys a later leader gets no orders from this one', async () => {
    const { world } = await open({ 'web.yaml': web('web') })
    const { epoch } = world.plane.version()
    const ahead = dial(world, { epoch: (epoch + 1) as Epoch })
    expect((await firstFrame(ahead))?.type).not.toBe('assignments')
    await ahead.closed
    await world.synced()
  })

  it('A5: may say what it likes: no task of another is touched, and no end is told anew', async () => {
    const { world, agent } = await open({
      'job.yaml': job('migrate', { unit: 'fake: {runForSeconds: 0, exitCode: 0}' }),
      'web.yaml': web('web'),
    })
    const done = world.plane.tasks().find((task) => task.workload === 'migrate')
    const [served] = world.tasks('web')
    await agent.stop()
    const told = (task: string, exitCode: number) => ({
      task: task as never,
      attempt: 1,
      phase: 'Failed' as const,
      ready: false,
      failures: 1,
      reasons: [{ code: 'Forged', message: 'x'.repeat(100_000), count: 1 }],
      backoffUntil: null,
      startedAt: null,
      images: {},
      lastLines: [],
      attempts: [
        { attempt: 1, exitCode, signal: null, reason: 'Forged', message: null, startedAt: null, finishedAt: 1, peakMemoryBytes: null },
      ],
    })
    const forger = dial(world, { tasks: [told(String(done?.id), 9), told(String(served?.id), 9), told('no-such-task', 9)] })
    const again = { ...told(String(done?.id), 8), phase: 'Succeeded' as const }
    forger.send({ type: 'report', seq: 7, statuses: [told(String(done?.id), 8), again, told('another', 1)] })
    const frames: ServerFrame['type'][] = []
    for await (const frame of forger.frames()) {
      frames.push(frame.type)
      if (frame.type === 'ack') break
    }
    expect(frames).toContain('ack')
    forger.close('enough')
    expect(world.plane.tasks().find((task) => task.id === done?.id)).toMatchObject({ phase: 'Succeeded', exitCode: 0 })
    expect(world.plane.runs()[0]).toMatchObject({ phase: 'Succeeded', exitCode: 0 })
    const failed = world.plane.tasks().find((task) => task.id === served?.id)
    expect(failed).toMatchObject({ phase: 'Failed' })
    expect(failed?.reasons[0]?.message.length).toBeLessThan(5000)
  })
})

describe('a control plane that ends', () => {
  it('hangs up on every agent, also on one that has said nothing yet', async () => {
    const { world } = await open({ 'web.yaml': web('web') })
    const { a: silent, b: server } = channelPair<AgentFrame, ServerFrame>()
    void world.servers[0]?.control.gate.accept(server)
    const greeted = dial(world, {})
    await world.servers[0]?.stop()
    await Promise.all([silent.closed, greeted.closed])
  })

  it('answers that it is not available, to who asked before and who asks after', async () => {
    const { world } = await open({ 'web.yaml': web('web') })
    const plane = world.plane
    const asked = plane.sync(APP, { allowDelete: 'WithinBudget', plan: null, retry: 'No', actor: 'ada' }).then(
      () => 'done',
      (error: { code?: string }) => error.code,
    )
    await world.servers[0]?.stop()
    expect(['done', 'Unavailable']).toContain(await asked)
    expect(() => plane.apps()).toThrow(expect.objectContaining({ code: 'Unavailable' }))
    await expect(plane.sync(APP, { allowDelete: 'WithinBudget', plan: null, retry: 'No', actor: 'ada' })).rejects.toMatchObject({
      code: 'Unavailable',
    })
    await expect(plane.rollback(APP, { to: '1', revert: 'No', actor: 'ada' })).rejects.toMatchObject({ code: 'Unavailable' })
    expect(() => plane.changes(new AbortController().signal)).toThrow(expect.objectContaining({ code: 'Unavailable' }))
  })

  it('ends the streams of those who watch it', async () => {
    const { world } = await open({ 'web.yaml': web('web') })
    const changes = world.plane.changes(new AbortController().signal)[Symbol.asyncIterator]()
    expect(await changes.next()).toMatchObject({ done: false })
    const rest = (async () => {
      while ((await changes.next()).done !== true);
    })()
    await world.servers[0]?.stop()
    await rest
  })
})
