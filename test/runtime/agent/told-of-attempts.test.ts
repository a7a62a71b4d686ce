import { expect, it } from 'vitest'
import type { Driver } from '../../../runtime/driver.ts'
import type { TaskId } from '../../../src/model/ids.ts'
import { createWorld, fakeSpec } from './world.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND

it('tells the last words of a crash, cut to what travels, and goes on without them when the log hangs', async () => {
  const world = createWorld()
  const { clock, hub, startAgent } = world
  const logs: { hang: 'yes' | 'no' } = { hang: 'no' }
  hub.assign('web-0', fakeSpec({ crashAfterSeconds: 20 }))
  const driver = (real: Driver): Driver => ({
    ...real,
    logs: async function* (_handle, { tail }) {
      if (logs.hang === 'yes') await new Promise(() => undefined)
      for (let line = 0; line < (tail ?? 0) + 5; line += 1) yield { stream: 'stderr', at: null, text: `${line}`.repeat(400) }
    },
  })
  const agent = startAgent({ driver })
  await clock.runUntil(() => hub.status('web-0')?.attempt === 2, MINUTE)
  expect(hub.status('web-0')?.lastLines).toHaveLength(10)
  expect(hub.status('web-0')?.lastLines.every((line) => line.length === 300)).toBe(true)
  logs.hang = 'yes'
  await clock.runUntil(() => hub.status('web-0')?.attempt === 3, MINUTE)
  expect(hub.status('web-0')?.attempts.at(-1)?.finishedAt).toBe(clock.now() - 2 * SECOND)
  expect(hub.status('web-0')?.lastLines).toEqual([])
  await agent.end()
})

it('keeps the last words of neither a success nor a stop', async () => {
  const { clock, hub, startAgent } = createWorld()
  hub.assign('job-0', fakeSpec({ runForSeconds: 2 }, { restartPolicy: 'OnFailure' }))
  hub.assign('web-0', fakeSpec())
  const agent = startAgent()
  await clock.advance(5 * SECOND)
  hub.stop('web-0')
  await clock.advance(5 * SECOND)
  expect(hub.status('job-0')).toMatchObject({ phase: 'Succeeded', lastLines: [] })
  expect(hub.status('web-0')).toMatchObject({ phase: 'Stopped', lastLines: [] })
  await agent.end()
})

it('runs in every attempt the very image of the first, over a restart of the agent too', async () => {
  const world = createWorld()
  const { clock, hub, startAgent } = world
  const pins: (string | undefined)[] = []
  let registry = 1
  const spec = fakeSpec({ crashAfterSeconds: 10 })
  hub.assign('web-0', { ...spec, units: spec.units.map((unit) => ({ ...unit, image: 'web:latest' })) })
  const driver = (real: Driver): Driver => ({
    ...real,
    prepare: async ({ units }) => Object.fromEntries(units.map(({ name, pinned }) => [name, pinned ?? `web@sha256:${registry}`])),
    start: async (ref, started, files) => {
      pins.push(started.units[0]?.pinned)
      return await real.start(ref, started, files)
    },
  })
  const first = startAgent({ driver })
  await clock.advance(5 * SECOND)
  expect(hub.status('web-0')?.images).toEqual({ main: 'web@sha256:1' })
  registry = 2
  await clock.advance(10 * SECOND)
  await first.end()
  const second = startAgent({ driver })
  await clock.advance(MINUTE)
  expect(pins.length).toBeGreaterThanOrEqual(3)
  expect(new Set(pins)).toEqual(new Set(['web@sha256:1']))
  expect(hub.status('web-0' as TaskId)?.images).toEqual({ main: 'web@sha256:1' })
  await second.end()
})
