import type { Channel } from '../../lib/channel.ts'
import { TerminalError } from '../../lib/errors.ts'
import { must } from '../../lib/must.ts'
import { createKeyring, type Keyring } from '../../lib/seal.ts'
import type { AgentId } from '../../model/ids.ts'
import type { AgentFrame, ServerFrame } from '../../model/protocol.ts'
import type { SealedValue } from '../../model/secret.ts'
import type { TaskSpec } from '../../model/task-spec.ts'
import type { AgentGate } from './agent-gate.ts'

type AgentChannel = Channel<ServerFrame, AgentFrame>

/**
 * The gate for agents on other machines: what it tells an agent of secrets is sealed with that agent's own key, so that
 * whoever reads its disk, or says hello in its name without that key, learns nothing of the cluster's key or of others' values.
 */
export function sealedGate(gate: AgentGate, keyring: Keyring): AgentGate {
  return {
    accept: (channel) => gate.accept(sealedChannel(channel, keyring)),
    tree: (...asked) => gate.tree(...asked),
    receiveLogs: (...sent) => gate.receiveLogs(...sent),
  }
}

type Reseal = (value: SealedValue) => SealedValue

function sealedChannel(channel: AgentChannel, keyring: Keyring): AgentChannel {
  let reseal: Reseal | null = null
  async function* frames(): AsyncGenerator<AgentFrame> {
    for await (const frame of channel.frames()) {
      if (frame.type === 'hello') reseal ??= resealing(keyring, frame.agent.id)
      yield frame
    }
  }
  return {
    frames,
    closed: channel.closed,
    close: (reason) => channel.close(reason),
    send: (frame) => channel.send(frame.type === 'assignments' ? sealedOrders(frame, must(reseal, 'orders follow a hello')) : frame),
  }
}

/** A value that the key here does not open goes as it is: the task that needs it is then refused by the agent, which says why. */
function resealing(keyring: Keyring, agent: AgentId): Reseal {
  const own = createKeyring(keyring.agentKey(agent))
  return (value) => {
    try {
      return own.seal(value.of, keyring.open(value))
    } catch (error) {
      if (error instanceof TerminalError && error.code === 'SecretUnreadable') return value
      throw error
    }
  }
}

type Orders = Extract<ServerFrame, { type: 'assignments' }>

const sealedOrders = (frame: Orders, reseal: Reseal): Orders => ({
  ...frame,
  tasks: frame.tasks.map((order) => ({ ...order, spec: sealedSpec(order.spec, reseal) })),
})

function sealedSpec(spec: TaskSpec, reseal: Reseal): TaskSpec {
  const all = (values: Readonly<Record<string, SealedValue>>): Record<string, SealedValue> =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, reseal(value)]))
  return {
    ...spec,
    units: spec.units.map((unit) => ({ ...unit, secretEnv: all(unit.secretEnv) })),
    volumes: spec.volumes.map((volume) => (volume.type === 'secret' ? { ...volume, files: all(volume.files) } : volume)),
  }
}
