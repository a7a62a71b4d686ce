import { expect, it } from 'vitest'
import type { AgentGate } from '../../../src/control/agents/agent-gate.ts'
import { sealedGate } from '../../../src/control/agents/sealed-gate.ts'
import { channelPair } from '../../../src/lib/channel-pair.ts'
import { createKeyring, KEY_BYTES } from '../../../src/lib/seal.ts'
import { type AgentId, Epoch, type TaskId } from '../../../src/model/ids.ts'
import type { AgentFrame, Assignment, ServerFrame } from '../../../src/model/protocol.ts'
import type { SealedValue } from '../../../src/model/secret.ts'
import { fakeSpec } from '../../runtime/agent/world.ts'
import { agentRecord } from '../../support/make.ts'
import { TEST_KEYRING } from '../../support/vault.ts'

const order = (value: SealedValue): Assignment => {
  const spec = fakeSpec()
  const units = spec.units.map((unit) => ({ ...unit, secretEnv: { PASSWORD: value } }))
  const volumes = [{ type: 'secret' as const, name: 'key', files: { 'key.pem': value } }]
  return { task: 'task-1' as TaskId, generation: 1, desired: 'run', spec: { ...spec, units, volumes } }
}

/** What an agent hears that says hello as `name`, of orders with these values. */
async function heardBy(name: string, value: SealedValue): Promise<SealedValue[]> {
  const { a: agent, b: server } = channelPair<AgentFrame, ServerFrame>()
  const gate = {
    accept: async (channel) => {
      for await (const frame of channel.frames()) {
        if (frame.type === 'hello')
          channel.send({ type: 'assignments', epoch: Epoch.parse(1), full: true, tasks: [order(value)], gone: [] })
      }
    },
  } as Partial<AgentGate> as AgentGate
  void sealedGate(gate, TEST_KEYRING).accept(server)
  const { joinedAt: _, ...record } = agentRecord({ id: name as AgentId })
  agent.send({ type: 'hello', agent: record, epoch: Epoch.parse(0), tasks: [] })
  for await (const frame of agent.frames()) {
    if (frame.type !== 'assignments') continue
    agent.close('heard enough')
    const { units = [], volumes = [] } = frame.tasks[0]?.spec ?? {}
    return [
      ...units.flatMap(({ secretEnv }) => Object.values(secretEnv)),
      ...volumes.flatMap((volume) => (volume.type === 'secret' ? Object.values(volume.files) : [])),
    ]
  }
  return []
}

it('seals variables and files with the key of the agent that said hello', async () => {
  const heard = await heardBy('node-1', TEST_KEYRING.seal('default/db/password', 'hunter2'))
  const own = createKeyring(TEST_KEYRING.agentKey('node-1' as AgentId))
  expect(heard.map((value) => own.open(value))).toEqual(['hunter2', 'hunter2'])
  expect(() => TEST_KEYRING.open(heard[0] ?? { of: '', sealed: '' })).toThrow()
  const other = createKeyring(TEST_KEYRING.agentKey('node-2' as AgentId))
  expect(() => other.open(heard[0] ?? { of: '', sealed: '' })).toThrow()
})

it('says the same value the same way each time, so that nothing restarts for it', async () => {
  const value = TEST_KEYRING.seal('default/db/password', 'hunter2')
  expect(await heardBy('node-1', value)).toEqual(await heardBy('node-1', value))
})

it('passes on what it cannot open, for the agent to refuse', async () => {
  const foreign = createKeyring(Buffer.alloc(KEY_BYTES, 9)).seal('default/db/password', 'hunter2')
  expect(await heardBy('node-1', foreign)).toEqual([foreign, foreign])
})
