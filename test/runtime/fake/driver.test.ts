import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AttemptRef, type Driver, type Exit, type Handle, WHOLE_LOG } from '../../../runtime/driver.ts'
import { createFakeDriver } from '../../../runtime/drivers/fake/driver.ts'
import { createFileFakeMachine, createMemoryFakeMachine } from '../../../runtime/drivers/fake/machine.ts'
import { must } from '../../../src/lib/must.ts'
import { TaskId } from '../../../src/model/ids.ts'
import type { FakeScript } from '../../../src/model/template.ts'
import { fakeSpec } from './harness.ts'
import { VirtualClock } from './virtual-clock.ts'

const REF: AttemptRef = { task: TaskId.parse('web-1'), attempt: 1 }
const never = () => new AbortController().signal

function bench() {
  const clock = new VirtualClock()
  const machine = createMemoryFakeMachine()
  return { clock, machine, driver: createFakeDriver({ machine, clock }) }
}

const start = (driver: Driver, script: Partial<FakeScript> | null): Promise<Handle> =>
  driver.start(REF, fakeSpec(script), { artifacts: {}, secrets: new Map() })

function watched(exit: Promise<Exit>): { exit: Exit | null } {
  const seen: { exit: Exit | null } = { exit: null }
  void exit.then((value) => {
    seen.exit = value
  })
  return seen
}

describe('fake driver under a virtual clock', () => {
  it('ends at the millisecond the script says', async () => {
    const { clock, driver } = bench()
    const seen = watched(driver.wait(await start(driver, { runForSeconds: 60, exitCode: 5 }), never()))
    await clock.advance(59_999)
    expect(seen.exit).toBeNull()
    await clock.advance(1)
    const times = { startedAt: 1_000_000, finishedAt: 1_060_000, peakMemoryBytes: null }
    expect(seen.exit).toEqual({ exitCode: 5, signal: null, reason: 'Error', ...times })
  })

  it('crashes with a code that is not zero', async () => {
    const { clock, driver } = bench()
    const seen = watched(driver.wait(await start(driver, { crashAfterSeconds: 2, runForSeconds: 9 }), never()))
    await clock.advance(2_000)
    expect(seen.exit).toMatchObject({ exitCode: 1, reason: 'Error' })
  })

  it('is ready after the time the script says, and no more once it ended', async () => {
    const { clock, driver } = bench()
    const handle = await start(driver, { readyAfterSeconds: 3, runForSeconds: 5 })
    const check = { type: 'tcp', host: null, port: 1 } as const
    const probed = () => driver.probe(handle, { check, spec: fakeSpec(null), secrets: new Map() }, never())
    expect(await driver.health(handle)).toBe('starting')
    expect(await probed()).toEqual({ passed: false, message: 'the script says that it is not ready yet' })
    await clock.advance(3_000)
    expect(await driver.health(handle)).toBe('none')
    expect(await probed()).toEqual({ passed: true })
    await clock.advance(2_000)
    expect(await driver.health(handle)).toBe('starting')
    expect(await probed()).toEqual({ passed: false, message: 'it has ended' })
  })

  it('has a health check of its own when the script says that it fails, and it fails on', async () => {
    const { clock, driver } = bench()
    const handle = await start(driver, { readyAfterSeconds: 1, unhealthyAfterSeconds: 3 })
    expect(await driver.health(handle)).toBe('starting')
    await clock.advance(1_000)
    expect(await driver.health(handle)).toBe('healthy')
    await clock.advance(2_000)
    expect(await driver.health(handle)).toBe('unhealthy')
    const probe = driver.probe(handle, { check: { type: 'exec', command: ['true'] }, spec: fakeSpec(null), secrets: new Map() }, never())
    expect(await probe).toEqual({ passed: false, message: 'the script says that it is unhealthy' })
  })

  it('resolves equal images to equal digests, and takes a pinned one as it is', async () => {
    const { driver } = bench()
    const [unit] = fakeSpec(null).units
    const images = async (...units: { name: string; image?: string; pinned?: string }[]) =>
      await driver.prepare({ ...fakeSpec(null), units: units.map((one) => ({ ...must(unit, 'one'), ...one })) }, never())
    const { a, b, c, ...rest } = await images(
      { name: 'a', image: 'localhost:5000/web:1' },
      { name: 'b', image: 'localhost:5000/web:2' },
      { name: 'c', image: 'web:1', pinned: 'web@sha256:1234' },
      { name: 'd' },
    )
    expect(a).toMatch(/^localhost:5000\/web@sha256:[0-9a-f]{64}$/)
    expect(b).not.toBe(a)
    expect(c).toBe('web@sha256:1234')
    expect(rest).toEqual({})
    expect(await images({ name: 'a', image: 'localhost:5000/web:1' })).toEqual({ a })
  })

  it('leaves no timer behind for a task that runs until it is stopped', async () => {
    const { clock, driver } = bench()
    const handle = await start(driver, null)
    const seen = watched(driver.wait(handle, never()))
    await clock.advance(1_000_000_000)
    expect(clock.sleepers.size).toBe(0)
    await driver.stop(handle, 30_000)
    await clock.advance(0)
    expect(seen.exit).toMatchObject({ exitCode: 143, signal: 'SIGTERM', finishedAt: 1_001_000_000 })
  })

  it('counts one start however often it is asked and restarted', async () => {
    const { clock, driver, machine } = bench()
    await start(driver, { runForSeconds: 1 })
    await clock.advance(500)
    await start(createFakeDriver({ machine, clock }), { runForSeconds: 1 })
    await clock.advance(500)
    expect(machine.starts(REF)).toBe(1)
    await driver.remove(REF)
    expect(machine.history()).toMatchObject([{ task: 'web-1', attempt: 1, startedAt: 1_000_000 }])
  })

  it('tells its story as log lines, when each happened', async () => {
    const { clock, driver } = bench()
    const handle = await start(driver, { readyAfterSeconds: 1, runForSeconds: 2, exitCode: 3 })
    const told: string[] = []
    const reading = (async () => {
      for await (const line of driver.logs(handle, { ...WHOLE_LOG, follow: true }, never())) told.push(`${line.at} ${line.text}`)
    })()
    await clock.advance(1_000)
    expect(told).toEqual(['1000000 started', '1001000 ready'])
    await clock.advance(1_000)
    await reading
    expect(told.slice(2)).toEqual(['1002000 exited with code 3'])
  })

  it('does the same whether or not agents restart in between (property)', async () => {
    const seconds = fc.option(fc.integer({ min: 0, max: 50 }), { nil: undefined })
    const scripts = fc.record({ runForSeconds: seconds, crashAfterSeconds: seconds, exitCode: fc.integer({ min: 0, max: 255 }) })
    const pauses = fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(scripts, pauses, async (script, restarts) => {
        const calm = bench()
        const handle = await start(calm.driver, script)
        const wild = bench()
        await start(wild.driver, script)
        for (const pause of restarts) {
          await wild.clock.advance(pause)
          const next = createFakeDriver(wild)
          expect(await next.recover(REF)).toEqual({ state: 'attached', handle })
        }
        await calm.clock.advance(200_000)
        await wild.clock.advance(200_000)
        for (const { driver } of [calm, wild]) await driver.stop(handle, 0)
        const same = await Promise.all([calm, wild].map(({ driver }) => driver.wait(handle, never())))
        const ownEnd = Math.min(script.runForSeconds ?? Infinity, script.crashAfterSeconds ?? Infinity) < Infinity
        if (ownEnd) expect(same[1]).toEqual(same[0])
        else expect(same.map((exit) => exit.exitCode)).toEqual([143, 143])
      }),
      { numRuns: 60 },
    )
  })
})

describe('the file machine', () => {
  it('lets one of many creators win', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'drover-fake-'))
    const machines = Array.from({ length: 8 }, () => createFileFakeMachine(directory))
    const record = { ...REF, unit: 'main', script: null, stoppedAt: null }
    const wins = await Promise.all(machines.map((machine, i) => machine.create({ ...record, startedAt: i })))
    expect(wins.filter(Boolean)).toHaveLength(1)
    expect((await createFileFakeMachine(directory).read(REF))?.startedAt).toBe(wins.indexOf(true))
    await rm(directory, { recursive: true })
  })
})
