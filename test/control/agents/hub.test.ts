import { describe, expect, it } from 'vitest'
import { type AgentInput, Hub } from '../../../src/control/agents/hub.ts'
import type { Channel } from '../../../src/lib/channel.ts'
import { channelPair } from '../../../src/lib/channel-pair.ts'
import { type AgentId, Epoch, type TaskId } from '../../../src/model/ids.ts'
import { AgentFrame, type ServerFrame } from '../../../src/model/protocol.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { AGENT } from '../../support/make.ts'
import { waitUntil } from '../../support/wait-until.ts'

function greeting(id: AgentId = AGENT): AgentFrame {
  const capacity = { cpuMillis: 1, memoryBytes: 1, ports: { from: 1, to: 2 } }
  const drivers = {
    docker: { available: false, detail: '' },
    process: { available: false, detail: '' },
    fake: { available: true, detail: '' },
  }
  return AgentFrame.parse({
    type: 'hello',
    agent: { id, instance: 'i', bootId: 'b', version: '0', capacity, labels: {}, drivers },
    epoch: 0,
    tasks: [],
  })
}

/** A hub whose loop admits every agent but those that are told to be refused. */
function setUp() {
  const clock = createFakeClock()
  const inputs: AgentInput[] = []
  const leads = { now: true }
  const hub = new Hub(
    clock,
    (input) => inputs.push(input),
    () => leads.now,
  )
  const connect = () => {
    const { a: agent, b: server } = channelPair<AgentFrame, ServerFrame>()
    return { agent, server, served: hub.serve(server, null) }
  }
  const heard = (count: number) => waitUntil(() => inputs.length >= count)
  return { clock, inputs, hub, connect, heard, leads }
}

async function admitted(world: ReturnType<typeof setUp>): Promise<{ agent: Channel<AgentFrame, ServerFrame>; served: Promise<void> }> {
  const { agent, server, served } = world.connect()
  agent.send(greeting())
  await world.heard(1)
  world.hub.admit(AGENT, server)
  return { agent, served }
}

describe('an agent that is silent', () => {
  it('stays silent though another connection bears its name', async () => {
    const world = setUp()
    await admitted(world)
    await world.clock.advance(20_000)
    const clone = world.connect()
    clone.agent.send(greeting())
    clone.agent.send({ type: 'heartbeat' })
    clone.agent.send({ type: 'report', seq: 1, statuses: [] })
    await world.heard(3)
    expect(world.hub.standing(AGENT)).toBe('Suspect')
  })

  it('may have work again once it is heard of', async () => {
    const world = setUp()
    const { agent } = await admitted(world)
    await world.clock.advance(20_000)
    agent.send({ type: 'heartbeat' })
    await world.heard(2)
    expect(world.inputs[1]).toEqual({ type: 'returned', agent: AGENT })
    expect(world.hub.standing(AGENT)).toBe('Ready')
  })
})

describe('the silence of an agent', () => {
  it('counts from what was heard of it last, once that is 40 s ago', async () => {
    const { clock, hub, ...world } = setUp()
    await admitted({ clock, hub, ...world })
    await clock.advance(39_999)
    expect(hub.silentFor(AGENT)).toBe(0)
    await clock.advance(1)
    expect(hub.silentFor(AGENT)).toBe(40_000)
  })

  it('that a new leader never heard of counts after a grace of 60 s', async () => {
    const { clock, hub } = setUp()
    await clock.advance(60_000)
    expect(hub.standing(AGENT)).toBe('Unreachable')
    expect(hub.silentFor(AGENT)).toBe(0)
    await clock.advance(50_000)
    expect(hub.silentFor(AGENT)).toBe(50_000)
  })

  it('does not count while this process was stopped itself, nor from before a storm was over', async () => {
    const { clock, hub, ...world } = setUp()
    await admitted({ clock, hub, ...world })
    await clock.advance(300_000)
    hub.excuse(270_000)
    expect(hub.standing(AGENT)).toBe('Suspect')
    await clock.advance(60_000)
    hub.calm()
    expect(hub.silentFor(AGENT)).toBe(0)
    await clock.advance(70_000)
    expect(hub.silentFor(AGENT)).toBe(70_000)
  })
})

describe('what an agent sends to be answered', () => {
  it('is answered with when it was sent, by who leads, and by nobody else', async () => {
    const world = setUp()
    const { agent } = await admitted(world)
    world.leads.now = false
    agent.send({ type: 'heartbeat', at: 1 })
    await world.clock.settle()
    world.leads.now = true
    agent.send({ type: 'heartbeat' })
    agent.send({ type: 'heartbeat', at: 2 })
    expect((await agent.frames()[Symbol.asyncIterator]().next()).value).toEqual({ type: 'pong', at: 2 })
  })

  it('is not answered to another that bears its name', async () => {
    const world = setUp()
    await admitted(world)
    const clone = world.connect()
    clone.agent.send(greeting())
    clone.agent.send({ type: 'heartbeat', at: 1 })
    await world.heard(2)
    clone.server.close('refused')
    expect((await clone.agent.frames()[Symbol.asyncIterator]().next()).done).toBe(true)
  })
})

describe('the clock of an agent', () => {
  it('is compared when a heartbeat tells it, and forgotten with the agent', async () => {
    const world = setUp()
    const { agent } = await admitted(world)
    expect(world.hub.clockOff(AGENT)).toBeNull()
    agent.send({ type: 'heartbeat', at: 1, wall: world.clock.now() + 90_000 })
    await world.clock.settle()
    expect(world.hub.clockOff(AGENT)).toBe(90_000)
    world.hub.forget(AGENT, { epoch: Epoch.parse(1), reason: 'it will not return' })
    expect(world.hub.clockOff(AGENT)).toBeNull()
  })
})

describe('a session', () => {
  it('is sent its whole set once, then only what changed', async () => {
    const world = setUp()
    const { agent } = await admitted(world)
    const gone = ['web-1' as TaskId]
    expect(world.hub.unsynced()).toEqual([AGENT])
    world.hub.sendOrders(AGENT, { epoch: Epoch.parse(1), all: () => [], changed: [], gone: [] })
    world.hub.sendOrders(AGENT, { epoch: Epoch.parse(1), all: () => [], changed: [], gone })
    expect(world.hub.unsynced()).toEqual([])
    const told = agent.frames()[Symbol.asyncIterator]()
    expect((await told.next()).value).toMatchObject({ full: true, gone: [] })
    expect((await told.next()).value).toMatchObject({ full: false, gone })
  })

  it('ends with its connection, and is asked for nothing more', async () => {
    const world = setUp()
    const { agent, served } = await admitted(world)
    agent.close('gone')
    await served
    expect(world.hub.isConnected(AGENT)).toBe(false)
    expect(world.hub.unsynced()).toEqual([])
    expect(world.hub.send(AGENT, { type: 'ack', seq: 1 })).toBe('NotConnected')
  })
})
