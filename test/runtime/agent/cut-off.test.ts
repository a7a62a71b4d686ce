import { afterEach, describe, expect, it } from 'vitest'
import type { Driver } from '../../../runtime/driver.ts'
import type { Epoch, TaskId } from '../../../src/model/ids.ts'
import { createWorld, fakeSpec } from './world.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const stopLocal = { afterSeconds: 45, graceSeconds: 10 }

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

/** An agent with a task that it must give up after 45 s, and one that it keeps. */
async function running(rest: Parameters<typeof fakeSpec>[1] = {}, changes: { driver?: (real: Driver) => Driver } = {}) {
  const world = createWorld()
  const { clock, hub, machine } = world
  hub.assign('given-up', fakeSpec({}, { stopLocal, ...rest }))
  hub.assign('kept', fakeSpec())
  const start = () => {
    const agent = world.startAgent(changes)
    ends.push(agent.end)
    return agent
  }
  const agent = start()
  await clock.runUntil(() => hub.status('given-up')?.ready === true && hub.status('kept')?.ready === true, MINUTE)
  const runs = (task: string): number => machine.history().filter((one) => one.task === task && one.stoppedAt === null).length
  const starts = (task: string): number => machine.history().filter((one) => one.task === task).length
  return { ...world, agent, start, runs, starts }
}

describe('an agent that hears of no control plane', () => {
  it('stops in time what it may not run without, keeps the rest, and starts it again when it hears', async () => {
    const { clock, hub, runs, starts } = await running()
    hub.reachable = false
    hub.disconnect()
    await clock.advance(39 * SECOND)
    expect(runs('given-up'), 'the last answer is at most 5 s old').toBe(1)
    await clock.advance(7 * SECOND)
    expect(runs('given-up')).toBe(0)
    await clock.advance(10 * MINUTE)
    expect([starts('given-up'), runs('kept')]).toEqual([1, 1])
    hub.reachable = true
    await clock.runUntil(() => runs('given-up') === 1, MINUTE)
    await clock.runUntil(() => hub.status('given-up')?.ready === true, MINUTE)
    expect(hub.status('given-up')).toMatchObject({
      attempt: 2,
      failures: 0,
      attempts: [{ attempt: 1, reason: 'CutOff', message: 'no control plane was heard of for 45 s' }],
    })
    expect(starts('kept')).toBe(1)
  })

  it('does not start again what was replaced meanwhile', async () => {
    const { clock, hub, starts } = await running()
    hub.reachable = false
    hub.disconnect()
    await clock.advance(2 * MINUTE)
    hub.stop('given-up')
    hub.reachable = true
    await clock.runUntil(() => hub.status('given-up')?.phase === 'Stopped', MINUTE)
    await clock.advance(MINUTE)
    expect(starts('given-up')).toBe(1)
  })

  it('A4: stops it although orders still arrive, when nobody answers what it says', async () => {
    const { clock, hub, runs } = await running()
    hub.answers = false
    await clock.advance(40 * SECOND)
    hub.assign('another', fakeSpec())
    await clock.advance(6 * SECOND)
    expect(runs('another')).toBe(1)
    expect(runs('given-up'), 'it is not heard, whatever it hears').toBe(0)
    hub.answers = true
    await clock.runUntil(() => runs('given-up') === 1, MINUTE)
  })

  it('believes no answer of a leader whose orders it refuses', async () => {
    const { clock, hub, runs } = await running()
    hub.epoch = 0 as Epoch
    hub.disconnect()
    await clock.advance(46 * SECOND)
    expect(runs('given-up')).toBe(0)
  })

  it('gives it no more grace than there is until it is replaced', async () => {
    const graces: number[] = []
    const stopping = (real: Driver): Driver => ({
      ...real,
      stop: async (handle, grace) => {
        graces.push(grace)
        await real.stop(handle, grace)
      },
    })
    const { clock, hub } = await running({ gracePeriodSeconds: 300 }, { driver: stopping })
    hub.reachable = false
    hub.disconnect()
    await clock.advance(46 * SECOND)
    expect(graces).toEqual([10 * SECOND])
  })

  it('and is restarted meanwhile leaves what it finds for as long again', async () => {
    const { clock, hub, agent, start, runs } = await running()
    hub.reachable = false
    hub.disconnect()
    await clock.advance(30 * SECOND)
    await agent.end()
    start()
    await clock.advance(40 * SECOND)
    expect(runs('given-up')).toBe(1)
    await clock.advance(10 * SECOND)
    expect(runs('given-up')).toBe(0)
  })

  it('ends a task that is never restarted, and that is no success', async () => {
    const { clock, hub, starts } = await running({ restartPolicy: 'Never' })
    hub.reachable = false
    hub.disconnect()
    await clock.advance(2 * MINUTE)
    hub.reachable = true
    await clock.runUntil(() => hub.status('given-up')?.phase === 'Failed', MINUTE)
    expect(hub.status('given-up')).toMatchObject({ failures: 0, reasons: [{ code: 'CutOff' }] })
    expect(starts('given-up')).toBe(1)
  })
})

it('never gives up while it is answered', async () => {
  const { clock, hub, machine } = await running()
  await clock.advance(20 * MINUTE)
  expect(machine.history().filter(({ task }) => task === ('given-up' as TaskId))).toHaveLength(1)
  expect(hub.beats).toBeGreaterThan(200)
})
