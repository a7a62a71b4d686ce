import { execFile } from 'node:child_process'
import { mkdir, readdir, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { runAgent } from '../../../runtime/agent.ts'
import { createMemoryDownloadCache } from '../../../runtime/artifacts/downloads.ts'
import { createDisks } from '../../../runtime/disks.ts'
import type { Driver } from '../../../runtime/driver.ts'
import { createFakeDriver } from '../../../runtime/drivers/fake/driver.ts'
import { createMemoryFakeMachine } from '../../../runtime/drivers/fake/machine.ts'
import { probeCgroups, removeBases } from '../../../runtime/drivers/process/cgroup-tree.ts'
import { layoutOf } from '../../../runtime/drivers/process/names.ts'
import { createFileJournal } from '../../../runtime/file-journal.ts'
import { createMemoryTreeCache } from '../../../runtime/trees.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLog } from '../../../src/lib/log.ts'
import type { AgentId, TaskId } from '../../../src/model/ids.ts'
import { hastyClock } from '../../support/hasty-clock.ts'
import { TEST_KEYRING } from '../../support/vault.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { newRef } from '../driver-suite/bench.ts'
import { livingPids, type ProcessHarness, processHarness, processSpec } from '../process/harness.ts'
import { TestHub } from './hub.ts'

let harness: ProcessHarness
let disk: string

beforeEach(async () => {
  if (process.getuid?.() !== 0) throw new Error('this test mounts a small disk, which only root may do: run the tests as root')
  harness = await processHarness()
  disk = join(harness.ledger, 'small')
  await mkdir(disk)
  await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk])
})
afterEach(async () => {
  await removeBases((await probeCgroups(`drover-test-${layoutOf(join(disk, 'process')).mark}`)).tree)
  await promisify(execFile)('umount', ['--lazy', disk])
  await harness.destroy()
})

/** An agent whose whole state is on the small disk. */
async function startAgent(hub: TestHub) {
  const none: Driver = createFakeDriver({ machine: createMemoryFakeMachine(), clock: systemClock })
  const driver = harness.make({ stateDir: join(disk, 'process') })
  const over = new AbortController()
  const working = runAgent(
    {
      identity: { id: 'machine-1' as AgentId, instance: 'i-1', bootId: 'b-1', version: 'test' },
      capacity: { cpuMillis: 2000, memoryBytes: 1e9, ports: { from: 20_000, to: 31_999 } },
      labels: {},
      uplink: hub.uplink,
      drivers: { process: driver, docker: none, fake: none },
      journal: await createFileJournal(join(disk, 'journal')),
      trees: createMemoryTreeCache(),
      downloads: createMemoryDownloadCache(),
      disks: createDisks({ stateDir: disk, statfs, log: silentLog }),
      openSecret: async (value) => TEST_KEYRING.open(value),
      clock: hastyClock(10),
      random: Math.random,
      log: silentLog,
      startLimit: 4,
    },
    over.signal,
  )
  return {
    end: async () => {
      over.abort()
      await working
      await driver.close()
    },
  }
}

it('A8: a full disk costs no exit code, no task and no order of an agent that restarts on it, and starts nothing new', async () => {
  const hub = new TestHub()
  const pressure = () => hub.hellos.at(-1)?.agent.pressure.map(({ code }) => code)
  const service = newRef()
  const env = { GO: join(harness.ledger, 'go') }
  let agent = await startAgent(hub)
  hub.assign(service.task, { ...processSpec(['sleep', '1000']), restartPolicy: 'Always' })
  hub.assign('job', processSpec(['sh', '-c', 'while [ ! -e "$GO" ]; do sleep 0.05; done; exit 7'], { env }))
  await waitUntil(() => [service.task, 'job' as TaskId].every((task) => hub.status(task)?.phase === 'Running'))
  // It runs as soon as its shim does, which becomes the program a moment later.
  await waitUntil(async () => (await livingPids(service)).length === 1)
  const before = await livingPids(service)
  expect(pressure()).toEqual([])

  const { bavail, bsize } = await statfs(disk)
  await writeFile(join(disk, 'filler'), Buffer.alloc(bavail * bsize))
  await waitUntil(() => pressure()?.includes('DiskPressure') === true)
  await writeFile(env.GO, '')
  await waitUntil(() => hub.status('job')?.phase === 'Failed')
  hub.assign('late', processSpec(['true']))
  await waitUntil(() => hub.status('late')?.reasons[0]?.code === 'JournalFailed')

  await agent.end()
  hub.observed.clear()
  agent = await startAgent(hub)
  await waitUntil(() => hub.status('job')?.phase === 'Failed' && hub.status(service.task)?.phase === 'Running')
  expect(hub.status('job')?.attempts).toMatchObject([{ attempt: 1, exitCode: 7, reason: 'Error' }])
  expect(hub.status(service.task)).toMatchObject({ attempt: 1, attempts: [] })
  expect(await livingPids(service)).toEqual(before)
  expect(await readdir(join(disk, 'journal', 'damaged'))).toEqual([])
  expect(hub.status('late')?.phase ?? 'Preparing').toBe('Preparing')

  await rm(join(disk, 'filler'))
  await waitUntil(() => hub.status('late')?.phase === 'Succeeded' && pressure()?.length === 0)
  expect(hub.steppedBack).toEqual([])
  for (const task of [...hub.orders.keys()]) hub.forget(task)
  await waitUntil(async () => (await readdir(join(disk, 'journal', 'tasks'))).length === 0)
  await agent.end()
})
