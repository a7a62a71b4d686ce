import { join } from 'node:path'
import { createAgent } from '../../../runtime/main.ts'
import { createWsUplink } from '../../../runtime/ws-uplink.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { createLog } from '../../../src/main/log.ts'
import { AgentId } from '../../../src/model/ids.ts'
import { DEFAULT_PROCESS_POLICY } from '../../../src/model/process-policy.ts'
import { TEST_KEYRING } from '../vault.ts'

/** An agent as a process of its own, with its real drivers, at a control plane over WebSocket; SIGTERM ends it. */
const [stateDir = '', name = '', url = ''] = process.argv.slice(2)
const stop = new AbortController()
process.once('SIGTERM', () => stop.abort(new Error('ended by SIGTERM')))
const id = AgentId.parse(name)
const agent = await createAgent({
  stateDir,
  name: id,
  version: 'test',
  cluster: 'fleet',
  labels: { fleet: 'yes' },
  processes: DEFAULT_PROCESS_POLICY,
  privateDirs: [],
  dockerSocket: join(stateDir, 'no-docker'),
  openSecret: async (value) => TEST_KEYRING.open(value),
  clock: systemClock,
  random: Math.random,
  log: createLog(process.env),
})
await agent.run(createWsUplink({ servers: [url], clock: systemClock, tls: () => null }), stop.signal)
await agent.close()
