import { expect, it } from 'vitest'
import { createWorld, fakeSpec } from './world.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND

it('asks once what became of an attempt, and leaves nothing behind, though orders come while the driver is slow', async () => {
  const { clock, machine, hub, startAgent } = createWorld()
  hub.assign('web-0', fakeSpec())
  const first = startAgent()
  await clock.runUntil(() => hub.status('web-0')?.ready === true, MINUTE)
  await first.end()
  let asked = 0
  const second = startAgent({
    driver: (real) => ({
      ...real,
      async recover(ref) {
        asked += 1
        // Only the first question is slow, so that a second one would overtake it.
        if (asked === 1) await clock.sleep(5 * SECOND, new AbortController().signal)
        return real.recover(ref)
      },
    }),
  })
  await clock.runUntil(() => asked === 1, MINUTE)
  hub.stop('web-0')
  await clock.advance(SECOND)
  hub.forget('web-0')
  await clock.advance(MINUTE)
  expect(asked).toBe(1)
  expect(await machine.list()).toEqual([])
  await second.end()
})
