import { expect, it } from 'vitest'
import type { Driver, Handle } from '../../../runtime/driver.ts'
import { checkLedger } from './ledger.ts'
import { createWorld, fakeSpec } from './world.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND

it('restarts what its own health check calls unhealthy', async () => {
  const world = createWorld()
  const { clock, hub, startAgent } = world
  hub.assign('web-0', fakeSpec({ readyAfterSeconds: 1, unhealthyAfterSeconds: 20 }))
  const agent = startAgent()
  await clock.advance(5 * SECOND)
  expect(hub.status('web-0')).toMatchObject({ phase: 'Running', ready: true })
  await clock.runUntil(() => hub.status('web-0')?.attempt === 2, 27 * SECOND)
  expect(hub.status('web-0')?.attempts).toMatchObject([{ attempt: 1, reason: 'HealthCheckFailed', exitCode: 143 }])
  expect(hub.status('web-0')?.lastLines).toEqual(['started', 'ready', 'unhealthy', 'exited with code 143'])
  await clock.advance(10 * MINUTE)
  checkLedger(world, 'own health')
  await agent.end()
  expect(clock.sleeping).toBe(0)
})

it('does not take the end of a task for its bad health', async () => {
  const world = createWorld()
  const { clock, hub, startAgent } = world
  hub.assign('job-0', fakeSpec({ runForSeconds: 30 }, { restartPolicy: 'Never' }))
  const ended = async (real: Driver, handle: Handle) => {
    const health = await real.health(handle)
    const [only] = world.machine.history()
    return clock.now() - (only?.startedAt ?? 0) < 30 * SECOND ? 'healthy' : health === 'none' ? 'none' : 'unhealthy'
  }
  const wait: (real: Driver) => Driver['wait'] = (real) => async (handle, signal) => {
    const exit = await real.wait(handle, signal)
    await clock.sleep(500, signal)
    return exit
  }
  const agent = startAgent({ driver: (real) => ({ ...real, health: (handle) => ended(real, handle), wait: wait(real) }) })
  await clock.advance(MINUTE)
  expect(hub.status('job-0')).toMatchObject({ phase: 'Succeeded', attempts: [{ exitCode: 0, reason: 'Completed' }] })
  await agent.end()
})

it('asks a task without any health check once, and never again', async () => {
  const { clock, hub, startAgent } = createWorld()
  let asked = 0
  hub.assign('web-0', fakeSpec())
  const health =
    (real: Driver): Driver['health'] =>
    (handle) => {
      asked += 1
      return real.health(handle)
    }
  const agent = startAgent({ driver: (real) => ({ ...real, health: health(real) }) })
  await clock.advance(10 * MINUTE)
  expect(hub.status('web-0')).toMatchObject({ phase: 'Running', ready: true })
  expect(asked).toBe(1)
  await agent.end()
})

it('tells of no stop of its own that a crash would make it forget', async () => {
  const world = createWorld()
  const { clock, hub, journal, startAgent } = world
  const disk = { full: false }
  const save: typeof journal.save = async (entry) => {
    if (disk.full) throw new Error('no space left on device')
    await journal.save(entry)
  }
  hub.assign('web-0', fakeSpec({ unhealthyAfterSeconds: 20 }))
  const hangs = (real: Driver): Driver => ({ ...real, stop: () => new Promise(() => undefined) })
  const first = startAgent({ driver: hangs, journal: { ...journal, save } })
  await clock.runUntil(() => hub.status('web-0')?.ready === true, MINUTE)
  disk.full = true
  await clock.advance(5 * MINUTE)
  expect(hub.status('web-0')).toMatchObject({ phase: 'Running', attempt: 1 })
  await first.end()
  const second = startAgent()
  await clock.runUntil(() => hub.status('web-0')?.attempt === 2, 10 * MINUTE)
  await second.end()
})
