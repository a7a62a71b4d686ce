import { describe, expect, it } from 'vitest'
import { checkLedger } from './ledger.ts'
import type { Fate } from './mortal.ts'
import { createWorld, fakeSpec } from './world.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND

/** A job that fails twice and is retried, one that hangs and is retried, one that succeeds, a service that is stopped after a while. */
async function story(fate: Fate | null) {
  const world = createWorld()
  const { hub, clock, startAgent } = world
  hub.assign('fails-0', fakeSpec({ runForSeconds: 2, exitCode: 7 }, { restartPolicy: 'OnFailure', maxRestarts: 1 }))
  hub.assign('works-0', fakeSpec({ runForSeconds: 3 }, { restartPolicy: 'OnFailure', maxRestarts: 1 }))
  hub.assign('hangs-0', fakeSpec({ unhealthyAfterSeconds: 2 }, { restartPolicy: 'OnFailure', maxRestarts: 1 }))
  hub.assign('web-0', fakeSpec({ readyAfterSeconds: 1 }))
  const first = startAgent(fate === null ? {} : { fate })
  const mourn = async (): Promise<void> => {
    for (let second = 0; second < 10; second += 1) await clock.advance(SECOND)
  }
  await mourn()
  hub.stop('web-0')
  await mourn()
  const killed = first.life.dead
  if (killed) startAgent()
  await clock.advance(2 * MINUTE)
  return { world, first, killed }
}

/** How many calls to the driver and the journal the story takes when nobody dies. */
async function countCalls(): Promise<number> {
  const { first } = await story(null)
  return first.life.calls
}

describe('an agent killed at any call to its driver or its journal', async () => {
  const calls = await countCalls()

  it('has enough calls for this to mean something', () => expect(calls).toBeGreaterThan(30))

  it.each(['before', 'after'] as const)('A1: %s the call takes effect: every story ends as if it had lived', async (when) => {
    let deaths = 0
    for (let atCall = 1; atCall <= calls; atCall += 1) {
      const { world, first, killed } = await story({ atCall, when })
      const hint = `killed ${first.life.diedAt}`
      if (killed) deaths += 1
      checkLedger(world, hint)
      expect(world.hub.status('fails-0'), hint).toMatchObject({ phase: 'Failed', failures: 2 })
      expect(world.hub.status('hangs-0'), hint).toMatchObject({ phase: 'Failed', failures: 2 })
      const whys = world.hub.status('hangs-0')?.attempts.map((record) => record.reason)
      expect(whys, hint).toEqual(['HealthCheckFailed', 'HealthCheckFailed'])
      expect(world.hub.status('works-0'), hint).toMatchObject({ phase: 'Succeeded', failures: 0 })
      expect(world.hub.status('web-0'), hint).toMatchObject({ phase: 'Stopped' })
    }
    expect(deaths).toBeGreaterThan(calls * 0.9)
  })
})
