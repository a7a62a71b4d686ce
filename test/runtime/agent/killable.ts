import { join } from 'node:path'
import { runAgent } from '../../../runtime/agent.ts'
import { createMemoryDownloadCache } from '../../../runtime/artifacts/downloads.ts'
import { createFakeDriver } from '../../../runtime/drivers/fake/driver.ts'
import { createMemoryFakeMachine } from '../../../runtime/drivers/fake/machine.ts'
import { createProcessDriver } from '../../../runtime/drivers/process/driver.ts'
import { createFileJournal } from '../../../runtime/file-journal.ts'
import { createFileTreeCache } from '../../../runtime/file-trees.ts'
import { readMachine } from '../../../runtime/machine.ts'
import { createWsUplink } from '../../../runtime/ws-uplink.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { DEFAULT_PROCESS_POLICY } from '../../../src/model/process-policy.ts'
import { ROOMY } from '../../support/roomy.ts'
import { TEST_KEYRING } from '../../support/vault.ts'

/** A whole agent in a process of its own, with a real journal and real processes, for its parent to kill. */
const [stateDir = '', url = '', ledger = ''] = process.argv.slice(2)
const machine = await readMachine({ stateDir })
const absent = createFakeDriver({ machine: createMemoryFakeMachine(), clock: systemClock })
const stop = new AbortController()
process.on('SIGTERM', () => stop.abort())
const driver = createProcessDriver({
  stateDir: join(stateDir, 'process'),
  agent: 'killable',
  clock: systemClock,
  log: silentLog,
  policy: { ...DEFAULT_PROCESS_POLICY, hostPaths: [{ path: ledger, readOnly: false }] },
})
const { id, instance, bootId } = machine
await runAgent(
  {
    identity: { id, instance, bootId, version: 'test' },
    capacity: machine.capacity,
    labels: machine.labels,
    uplink: createWsUplink({ servers: [url], clock: systemClock, tls: () => null }),
    drivers: { process: driver, fake: absent, docker: absent },
    journal: await createFileJournal(join(stateDir, 'journal')),
    trees: createFileTreeCache(join(stateDir, 'trees')),
    downloads: createMemoryDownloadCache(),
    disks: ROOMY,
    openSecret: async (value) => TEST_KEYRING.open(value),
    clock: systemClock,
    random: Math.random,
    log: silentLog,
    startLimit: 4,
  },
  stop.signal,
)
await driver.close()
