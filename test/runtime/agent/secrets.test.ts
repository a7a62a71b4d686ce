import { expect, it } from 'vitest'
import type { Driver } from '../../../runtime/driver.ts'
import type { OpenSecret } from '../../../runtime/secrets.ts'
import { createKeyring, KEY_BYTES } from '../../../src/lib/seal.ts'
import type { FakeScript } from '../../../src/model/template.ts'
import { TEST_KEYRING } from '../../support/vault.ts'
import { createWorld, fakeSpec } from './world.ts'

const MINUTE = 60_000
const PASSWORD = TEST_KEYRING.seal('default/db/password', 'hunter2')
const lost = createKeyring(Buffer.alloc(KEY_BYTES, 8))
const withoutKey: OpenSecret = async (value) => lost.open(value)

function user(script: Partial<FakeScript> = {}) {
  const spec = fakeSpec(script)
  return { ...spec, units: spec.units.map((unit) => ({ ...unit, secretEnv: { PASSWORD } })) }
}

it('gives the driver what a task is to know, and keeps only what is sealed', async () => {
  const { clock, hub, journal, startAgent } = createWorld()
  const given: string[] = []
  const agent = startAgent({
    driver: (real) => ({
      ...real,
      start: (ref, spec, prepared) => {
        given.push(...prepared.secrets.values())
        return real.start(ref, spec, prepared)
      },
    }),
  })
  hub.assign('web-0', user())
  await clock.runUntil(() => hub.status('web-0')?.ready === true, MINUTE)
  expect(given).toEqual(['hunter2'])
  const { entries } = await journal.load()
  expect(JSON.stringify(entries)).toContain(PASSWORD.sealed)
  expect(JSON.stringify(entries)).not.toContain('hunter2')
  await agent.end()
})

it('refuses a task whose secret it cannot open, and says which', async () => {
  const { clock, hub, machine, startAgent } = createWorld()
  const agent = startAgent({ openSecret: withoutKey })
  hub.assign('web-0', user())
  await clock.runUntil(() => hub.status('web-0')?.phase === 'Rejected', MINUTE)
  expect(hub.status('web-0')?.reasons).toEqual([
    expect.objectContaining({ code: 'SecretUnreadable', message: expect.stringContaining('default/db/password') }),
  ])
  expect(machine.history()).toEqual([])
  await agent.end()
})

it('keeps nothing that a task says where the key is lost, for a password could be in it', async () => {
  const { clock, hub, startAgent } = createWorld()
  const talking = (real: Driver): Driver => ({
    ...real,
    logs: async function* () {
      yield { stream: 'stderr', at: null, text: 'cannot log in with hunter2' }
    },
  })
  const crashing = user({ crashAfterSeconds: 60 })
  hub.assign('web-0', crashing)
  const first = startAgent({ driver: talking })
  await clock.runUntil(() => hub.status('web-0')?.attempt === 2, 10 * MINUTE)
  expect(hub.status('web-0')?.lastLines).toEqual(['cannot log in with (secret)'])
  await clock.runUntil(() => hub.status('web-0')?.phase === 'Running', 10 * MINUTE)
  await first.end()
  const second = startAgent({ driver: talking, openSecret: withoutKey })
  await clock.runUntil(() => hub.status('web-0')?.phase !== 'Running', 10 * MINUTE)
  expect(hub.status('web-0')?.lastLines).toEqual([])
  await second.end()
})

it('lets what runs go on when the key is lost', async () => {
  const { clock, hub, machine, startAgent } = createWorld()
  hub.assign('web-0', user())
  const first = startAgent()
  await clock.runUntil(() => hub.status('web-0')?.ready === true, MINUTE)
  await first.end()
  const second = startAgent({ openSecret: withoutKey })
  await clock.advance(5_000)
  expect(hub.status('web-0')).toMatchObject({ phase: 'Running', attempt: 1, ready: true })
  expect(machine.history()).toHaveLength(1)
  await second.end()
})
