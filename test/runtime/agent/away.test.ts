import { expect, it } from 'vitest'
import { ATTEMPTS_KEPT } from '../../../src/model/task.ts'
import { createWorld, fakeSpec } from './world.ts'

const SECOND = 1_000
const HOUR = 3_600_000
const HOURS = 12
const CRASHING = 3
const JOBS = 6

it('P7: keeps what happens in hours without a control plane, over restarts of its own, in bounded room, and tells all of it once', async () => {
  const { clock, hub, journal, startAgent } = createWorld()
  let events = 0
  const counting = {
    ...journal,
    save: async (entry: Parameters<typeof journal.save>[0]) => {
      events += 1
      await journal.save(entry)
    },
  }
  for (let n = 0; n < CRASHING; n += 1) hub.assign(`web-${n}`, fakeSpec({ crashAfterSeconds: 1 }))
  for (let n = 0; n < JOBS; n += 1)
    hub.assign(`job-${n}`, fakeSpec({ runForSeconds: 60 * (n + 1), exitCode: n % 2 }, { restartPolicy: 'Never' }))
  let agent = startAgent({ journal: counting })
  await clock.runUntil(() => hub.observed.size === CRASHING + JOBS, 10 * SECOND)
  hub.reachable = false
  hub.disconnect()
  const reported = hub.reports.length
  for (let quarter = 1; quarter <= 4; quarter += 1) {
    await clock.advance((HOURS / 4) * HOUR)
    await agent.end()
    agent = startAgent({ journal: counting })
  }
  const kept = (await journal.load()).entries
  expect(events).toBeGreaterThan(1_000)
  expect(kept).toHaveLength(CRASHING + JOBS)
  expect(JSON.stringify(kept).length).toBeLessThan(60_000)
  hub.reachable = true
  await clock.runUntil(() => hub.connected, 30 * SECOND)
  await clock.advance(SECOND)
  for (let n = 0; n < CRASHING; n += 1) {
    const status = hub.status(`web-${n}`)
    const numbers = status?.attempts.map(({ attempt }) => attempt) ?? []
    expect(status?.attempt).toBeGreaterThan(100)
    expect(numbers).toEqual(Array.from({ length: ATTEMPTS_KEPT }, (_, index) => (numbers[0] ?? 0) + index))
  }
  for (let n = 0; n < JOBS; n += 1) {
    const { phase, attempts } = hub.status(`job-${n}`) ?? {}
    expect({ phase, codes: attempts?.map(({ exitCode }) => exitCode) }).toEqual({
      phase: n % 2 === 0 ? 'Succeeded' : 'Failed',
      codes: [n % 2],
    })
  }
  expect(hub.steppedBack).toEqual([])
  expect(hub.reports.length - reported).toBeLessThan(CRASHING + JOBS)
  await agent.end()
})
