import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { runAgent } from '../../../runtime/agent.ts'
import { createMemoryDownloadCache } from '../../../runtime/artifacts/downloads.ts'
import type { AttemptRef, Driver, Handle, ProbeRequest } from '../../../runtime/driver.ts'
import type { DockerDriverOptions } from '../../../runtime/drivers/docker/driver.ts'
import { createFakeDriver } from '../../../runtime/drivers/fake/driver.ts'
import { createMemoryFakeMachine } from '../../../runtime/drivers/fake/machine.ts'
import { createMemoryJournal } from '../../../runtime/journal.ts'
import type { Drivers } from '../../../runtime/recover.ts'
import { createMemoryTreeCache } from '../../../runtime/trees.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { RetryableError } from '../../../src/lib/errors.ts'
import { silentLog } from '../../../src/lib/log.ts'
import type { AgentId } from '../../../src/model/ids.ts'
import type { SealedValue } from '../../../src/model/secret.ts'
import type { TaskSpec } from '../../../src/model/task-spec.ts'
import { type PrivateDocker, startPrivateDocker } from '../../support/docker.ts'
import { hastyClock } from '../../support/hasty-clock.ts'
import { ROOMY } from '../../support/roomy.ts'
import { TEST_KEYRING } from '../../support/vault.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { TestHub } from '../agent/hub.ts'
import { type Behaviour, errorOf, never, newRef, RUN } from '../driver-suite/bench.ts'
import { realPid } from '../process/harness.ts'
import { containerSpec, type DockerHarness, dockerHarness, script } from './harness.ts'

/** Short, so that a frozen daemon costs a test no minutes; one that only restarts, on a busy machine, needs longer. */
const IMPATIENT = { call: 400, start: 400, ping: 200, stop: 400 }

const NO_FILES = { artifacts: {}, secrets: new Map() }

const HASTY = hastyClock(10)

/** Of an agent that runs nothing but containers. */
const machineParts = (hub: TestHub) => ({
  identity: { id: 'machine-1' as AgentId, instance: 'i-1', bootId: 'b-1', version: 'test' },
  capacity: { cpuMillis: 2000, memoryBytes: 1e9, ports: { from: 20_000, to: 31_999 } },
  labels: {},
  uplink: hub.uplink,
  journal: createMemoryJournal(),
  trees: createMemoryTreeCache(),
  downloads: createMemoryDownloadCache(),
  disks: ROOMY,
  openSecret: async (value: SealedValue) => TEST_KEYRING.open(value),
  random: Math.random,
  log: silentLog,
  startLimit: 4,
})

describe.each([
  { kind: 'plain', args: [] },
  { kind: 'live-restore', args: ['--live-restore'] },
])('docker driver on an ill-treated daemon, $kind', ({ kind, args }) => {
  let daemon: PrivateDocker
  let harness: DockerHarness
  let driver: Driver

  beforeAll(async () => {
    daemon = await startPrivateDocker(args)
  })
  afterAll(() => daemon.destroy())
  beforeEach(async () => {
    harness = await dockerHarness(daemon.socketPath)
    driver = await harness.create()
  })
  afterEach(async () => {
    await driver.close()
    daemon.thaw()
    await harness.destroy()
  })

  const startSpec = (ref: AttemptRef, spec: TaskSpec): Promise<Handle> => driver.start(ref, spec, NO_FILES)
  async function start(behaviour: Behaviour): Promise<{ ref: AttemptRef; handle: Handle }> {
    const ref = newRef()
    const handle = await startSpec(ref, harness.spec(behaviour, ref))
    await waitUntil(async () => (await harness.outside(ref)).starts === 1)
    return { ref, handle }
  }
  async function drivers(options: Partial<DockerDriverOptions>): Promise<Drivers> {
    const none: Driver = {
      ...createFakeDriver({ machine: createMemoryFakeMachine(), clock: systemClock }),
      fingerprint: async () => ({ available: false, detail: 'not here' }),
    }
    await driver.close()
    driver = await harness.create(options)
    return { docker: driver, process: none, fake: none }
  }

  const pidOf = async (handle: Handle): Promise<number> => (await harness.docker.getContainer(handle.ref).inspect()).State.Pid

  /** The daemon dies first, then the task by itself. */
  async function killAndAwaitEnd(handle: Handle): Promise<void> {
    const pid = await pidOf(handle)
    await daemon.kill()
    await waitUntil(() => !existsSync(`/proc/${pid}`))
  }

  if (kind === 'live-restore') {
    it('D2: kill -9 and a new daemon: the tasks run on, waited for by the same driver', async () => {
      const { handle } = await start({ kind: 'run' })
      const short = await start({ kind: 'exit', code: 3, afterMs: 1_000 })
      const waiting = driver.wait(short.handle, never())
      const pid = await pidOf(handle)
      await daemon.kill()
      await daemon.start()
      expect(await waiting).toMatchObject({ exitCode: 3, reason: 'Error' })
      expect(await driver.health(handle)).toBe('none')
      expect(await pidOf(handle)).toBe(pid)
    })
    return
  }

  it('D1: kill -9 and a new daemon kill the tasks: RuntimeRestart, but an exit meanwhile keeps its code', async () => {
    const victim = await start(RUN)
    const own = await start({ kind: 'exit', code: 5, afterMs: 300 })
    const waits = [driver.wait(victim.handle, never()), driver.wait(own.handle, never())]
    await killAndAwaitEnd(own.handle)
    await daemon.start()
    const [killed, ended] = await Promise.all(waits)
    expect(killed).toMatchObject({ reason: 'RuntimeRestart' })
    expect([137, 143]).toContain(killed?.exitCode)
    expect(ended).toMatchObject({ exitCode: 5, reason: 'Error' })
    expect(await harness.outside(victim.ref)).toMatchObject({ starts: 1, alive: 0 })
  })

  it('a daemon that is restarted in order stops the tasks: RuntimeRestart', async () => {
    const quick = await start(RUN)
    const ref = newRef()
    // Takes the daemon longer to end than the slack between its end and the breaking of its streams.
    const stubborn = { handle: await startSpec(ref, { ...harness.spec({ kind: 'ignoreTerm' }, ref), gracePeriodSeconds: 4 }) }
    const waits = [driver.wait(quick.handle, never()), driver.wait(stubborn.handle, never())]
    await daemon.terminate()
    await daemon.start()
    for (const exit of await Promise.all(waits)) expect(exit).toMatchObject({ reason: 'RuntimeRestart' })
  })

  it('a task that this driver stopped is no victim of a restart', async () => {
    const { handle } = await start(RUN)
    const waiting = driver.wait(handle, never())
    await driver.stop(handle, 5_000)
    await daemon.kill()
    await daemon.start()
    expect(await waiting).toMatchObject({ exitCode: 143, reason: 'Error' })
    expect(await driver.wait(handle, never())).toMatchObject({ exitCode: 143, reason: 'Error' })
  })

  it('D3: an end that nobody saw, for the daemon was away, is found when it is back', async () => {
    const { handle } = await start({ kind: 'exit', code: 9, afterMs: 300 })
    await killAndAwaitEnd(handle)
    const began = performance.now()
    const waiting = driver.wait(handle, never())
    await daemon.start()
    expect(await waiting).toMatchObject({ exitCode: 9, reason: 'Error' })
    // Found as the stream stood again, not by the audit after 10 s.
    expect(performance.now() - began).toBeLessThan(8_000)
  })

  it('makes its network once, however many want it at the same time, and survives two of one name', async () => {
    const named = async () => (await harness.docker.listNetworks({ filters: { name: ['drover'] } })).filter(({ Name }) => Name === 'drover')
    const bridged = containerSpec(script('exec sleep 100000'), { hostNetwork: false })
    const drivers = await Promise.all([1, 2, 3, 4].map(() => harness.create()))
    await Promise.all(drivers.map((one) => one.prepare(bridged, never())))
    expect(await named()).toHaveLength(1)

    const second = { Name: 'drover', Driver: 'bridge', CheckDuplicate: false }
    await harness.docker.createNetwork(second)
    expect(await named()).toHaveLength(2)
    const late = await harness.create()
    const handle = await late.start(newRef(), bridged, NO_FILES)
    expect(await late.health(handle)).toBe('none')
    expect(await named()).toHaveLength(1)
    await Promise.all([...drivers, late].map((one) => one.close()))
  })

  it('D4: a frozen daemon hangs nothing, and a thawed one is asked again', async () => {
    const { handle } = await start({ kind: 'exit', code: 6, afterMs: 1_000 })
    const spec = containerSpec({}, { hostNetwork: false })
    const exec: ProbeRequest = { check: { type: 'exec', command: ['true'] }, spec, secrets: new Map() }
    // Its container's address is not known yet.
    const tcp: ProbeRequest = { check: { type: 'tcp', host: null, port: 1 }, spec, secrets: new Map() }
    await driver.close()
    driver = await harness.create({ deadlines: IMPATIENT })
    const waiting = driver.wait(handle, never())
    daemon.freeze()
    for (const call of [
      () => driver.health(handle),
      () => driver.probe(handle, exec, AbortSignal.timeout(200)),
      () => driver.probe(handle, tcp, AbortSignal.timeout(200)),
      () => driver.recover(newRef()),
      () => driver.owned(),
      () => driver.stats(handle),
      () => driver.stop(handle, 0),
      () => startSpec(newRef(), containerSpec(script('true'))),
    ]) {
      expect(await errorOf(call())).toBeInstanceOf(RetryableError)
    }
    daemon.thaw()
    expect((await waiting).exitCode).not.toBeNull()
  })

  it('D4: an order that reached a frozen daemon, and its repeat, start one container once', async () => {
    const ref = newRef()
    const spec = harness.spec(RUN, ref)
    const impatient = await harness.create({ deadlines: IMPATIENT })
    daemon.freeze()
    for (let i = 0; i < 3; i += 1) expect(await errorOf(impatient.start(ref, spec, NO_FILES))).toBeInstanceOf(RetryableError)
    daemon.thaw()
    await waitUntil(() => startSpec(ref, spec).then(() => true))
    await waitUntil(async () => (await harness.outside(ref)).starts === 1)
    const all = await harness.docker.listContainers({ all: true, filters: { label: [`drover.dev/task=${ref.task}`] } })
    expect(all).toHaveLength(1)
    expect(await harness.outside(ref)).toMatchObject({ starts: 1, alive: 1 })
    await impatient.close()
  })

  it('D5: a container whose shim hangs is killed all the same, is not over before Docker says so, and hinders no other', async () => {
    const { handle } = await start(RUN)
    const other = await start(RUN)
    await driver.close()
    driver = await harness.create({ deadlines: { ...IMPATIENT, call: 3_000 } })
    const waiting = driver.wait(handle, never())
    const pid = await pidOf(handle)
    const shim = realPid(/^PPid:\t(\d+)$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1])
    process.kill(shim, 'SIGSTOP')
    try {
      expect(await errorOf(driver.stop(handle, 0))).toBeInstanceOf(RetryableError)
      // A zombie: only its shim could bury it.
      expect(await readFile(`/proc/${pid}/status`, 'utf8')).toMatch(/^State:\tZ/m)
      await waitUntil(() => driver.stop(other.handle, 5_000).then(() => true))
      expect(await driver.wait(other.handle, never())).toMatchObject({ exitCode: 143 })
    } finally {
      process.kill(shim, 'SIGCONT')
    }
    expect(await waiting).toMatchObject({ exitCode: 137, signal: 'SIGKILL' })
    await waitUntil(() => driver.stop(handle, 0).then(() => true))
  })

  it('D4: an agent tells that its runtime does not answer, and its tasks run on unharmed', async () => {
    const hub = new TestHub()
    const over = new AbortController()
    const deadlines = { call: 1_000, start: 20_000, ping: 400, stop: 1_000 }
    const working = runAgent({ ...machineParts(hub), drivers: await drivers({ deadlines, clock: HASTY }), clock: HASTY }, over.signal)
    hub.assign('web', containerSpec(script('exec sleep 100000'), { restartPolicy: 'Always' }))
    await waitUntil(() => hub.status('web')?.phase === 'Running' && hub.hellos.at(-1)?.agent.drivers.docker.available === true)
    daemon.freeze()
    await waitUntil(() => hub.hellos.at(-1)?.agent.drivers.docker.available === false)
    expect(hub.hellos.at(-1)?.agent.drivers.docker.detail).toMatch(/^RuntimeUnhealthy: Docker did not answer/)
    expect(hub.hellos.at(-1)?.tasks).toMatchObject([{ task: 'web', phase: 'Running', failures: 0 }])
    daemon.thaw()
    await waitUntil(() => hub.hellos.at(-1)?.agent.drivers.docker.available === true)
    await waitUntil(() => hub.status('web')?.reasons.length === 0)
    expect(hub.status('web')).toMatchObject({ phase: 'Running', attempt: 1, failures: 0, attempts: [] })
    hub.forget('web')
    await waitUntil(async () => (await harness.docker.listContainers({ all: true })).length === 0)
    over.abort()
    await working
  })

  it('D4: a silent daemon is still available for 15 s, then RuntimeUnhealthy, to an agent that was restarted too', async () => {
    let ahead = 0
    const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + ahead }
    const watching = await harness.create({ deadlines: IMPATIENT, clock })
    expect(await watching.fingerprint(never())).toMatchObject({ available: true, detail: expect.stringMatching(/^Docker \d/) })
    daemon.freeze()
    expect(await watching.fingerprint(never())).toMatchObject({ available: true, detail: expect.stringContaining('not answering') })
    ahead = 15_000
    expect(await watching.fingerprint(never())).toMatchObject({ available: false, detail: expect.stringContaining('RuntimeUnhealthy') })
    const restarted = await harness.create({ deadlines: IMPATIENT })
    expect(await restarted.fingerprint(never())).toMatchObject({
      available: false,
      detail: expect.stringMatching(/^Docker did not answer/),
    })
    await mkdir(join(harness.stateDir, newRef().task, '1'), { recursive: true })
    expect(await restarted.fingerprint(never())).toMatchObject({ available: false, detail: expect.stringMatching(/^RuntimeUnhealthy: /) })
    daemon.thaw()
    await waitUntil(async () => (await watching.fingerprint(never())).detail.endsWith(')'))
    await Promise.all([watching.close(), restarted.close()])
    const nowhere = await harness.create({ socketPath: '/no/such/docker.sock' })
    expect(await nowhere.fingerprint(never())).toMatchObject({ available: false })
    await nowhere.close()
  })
})
