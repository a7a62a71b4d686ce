import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AttemptRef, Driver, Handle } from '../../../runtime/driver.ts'
import { containerName } from '../../../runtime/drivers/docker/names.ts'
import { RetryableError, TerminalError } from '../../../src/lib/errors.ts'
import type { TaskSpec } from '../../../src/model/task-spec.ts'
import { type DockerProxy, type Fate, startDockerProxy } from '../../support/docker-proxy.ts'
import { EXAMPLE_IMAGE } from '../../support/setup/ensure-images.mjs'
import { waitUntil } from '../../support/wait-until.ts'
import { errorOf, never, newRef, RUN } from '../driver-suite/bench.ts'
import { containerSpec, type DockerHarness, dockerHarness, script, sharedSocket } from './harness.ts'

const NO_FILES = { artifacts: {}, secrets: new Map() }
const is = (method: string, end: string) => (line: string) => line.startsWith(method) && line.includes(end)
const START = is('POST', '/start')
const CREATE = is('POST', '/containers/create')

describe('docker driver: at most one start', () => {
  let harness: DockerHarness
  let proxy: DockerProxy
  let driver: Driver
  let ref: AttemptRef

  beforeEach(async () => {
    harness = await dockerHarness()
    proxy = await startDockerProxy(sharedSocket())
    driver = await harness.create({ socketPath: proxy.socketPath })
    ref = newRef()
  })
  afterEach(async () => {
    await driver.close()
    await proxy.close()
    await harness.destroy()
  })

  const start = (spec: TaskSpec): Promise<Handle> => driver.start(ref, spec, NO_FILES)
  const lose = (request: (line: string) => boolean, fate: Fate): void => proxy.decide((line) => (request(line) ? fate : 'pass'))
  const nameOf = (one: AttemptRef): string => containerName({ cluster: 'suite', agent: harness.agent }, one)
  const container = (one: AttemptRef) => harness.docker.getContainer(nameOf(one))
  /** What the daemon itself remembers of starts. */
  async function startsSeen(): Promise<number> {
    const filters = { event: ['start'], label: [`drover.dev/agent=${harness.agent}`] }
    const stream = await harness.docker.getEvents({ filters, since: 0, until: Date.now() / 1000 })
    let text = ''
    for await (const chunk of stream) text += chunk.toString()
    return text.split('\n').filter((line) => line !== '').length
  }

  it('D6: adopts its own container when the answer to its creation was lost', async () => {
    lose(CREATE, 'swallow')
    expect(await errorOf(start(harness.spec(RUN, ref)))).toBeInstanceOf(RetryableError)
    const { Id } = await container(ref).inspect()
    proxy.decide(() => 'pass')
    expect((await start(harness.spec(RUN, ref))).ref).toBe(Id)
    expect(await startsSeen()).toBe(1)
  })

  it('adopts what runs when the answer to its start was lost', async () => {
    lose(START, 'swallow')
    expect(await errorOf(start(harness.spec(RUN, ref)))).toBeInstanceOf(RetryableError)
    const handle = await start(harness.spec(RUN, ref))
    await waitUntil(async () => (await harness.outside(ref)).starts === 1)
    expect(await driver.health(handle)).toBe('none')
    expect(await startsSeen()).toBe(1)
  })

  it('adopts what has already ended when the answer to its start was lost', async () => {
    lose(START, 'swallow')
    const spec = harness.spec({ kind: 'exit', code: 4, afterMs: 0 }, ref)
    await errorOf(start(spec))
    await waitUntil(async () => (await container(ref).inspect()).State.Status === 'exited')
    expect(await driver.wait(await start(spec), never())).toMatchObject({ exitCode: 4 })
    expect(await startsSeen()).toBe(1)
  })

  it('never starts a container whose order to start may still be under way: a retry makes another', async () => {
    lose(START, 'refuse')
    expect(await errorOf(start(harness.spec(RUN, ref)))).toBeInstanceOf(RetryableError)
    const { Id: first } = await container(ref).inspect()
    proxy.decide(() => 'pass')
    const handle = await start(harness.spec(RUN, ref))
    expect(handle.ref).not.toBe(first)
    // The late order finds nothing to start.
    expect(await errorOf(harness.docker.getContainer(first).start())).toMatchObject({ statusCode: 404 })
    expect(await startsSeen()).toBe(1)
  })

  it('recovers what was created but never started as never started, and makes that true', async () => {
    lose(START, 'refuse')
    await errorOf(start(harness.spec(RUN, ref)))
    const { Id } = await container(ref).inspect()
    proxy.decide(() => 'pass')
    expect(await driver.recover(ref)).toEqual({ state: 'never-started' })
    expect(await errorOf(harness.docker.getContainer(Id).start())).toMatchObject({ statusCode: 404 })
    expect(await errorOf(start(harness.spec(RUN, ref)))).toMatchObject({ code: 'AttemptAbandoned' })
    expect(await startsSeen()).toBe(0)
  })

  it('D10: tells a container that was removed by hand from one that never started', async () => {
    await start(harness.spec(RUN, ref))
    await container(ref).remove({ force: true })
    expect(await driver.recover(ref)).toEqual({ state: 'gone' })
    expect(await errorOf(start(harness.spec(RUN, ref)))).toMatchObject({ code: 'RemovedExternally' })
    expect(await startsSeen()).toBe(1)
  })

  it('D10: an attempt removed by hand while it is waited for ends at once, with an unknown exit code', async () => {
    const handle = await start(harness.spec(RUN, ref))
    const waiting = driver.wait(handle, never())
    await container(ref).remove({ force: true })
    const exit = await waiting
    // The death by KILL may be seen before the removal.
    expect([
      ['RemovedExternally', null],
      ['Error', 137],
    ]).toContainEqual([exit.reason, exit.exitCode])
    expect(await driver.wait(handle, never())).toMatchObject({ exitCode: null, reason: 'RemovedExternally' })
  })

  it('D10: knows a container by its labels when somebody gave it another name', async () => {
    const handle = await start(harness.spec(RUN, ref))
    await container(ref).rename({ name: `${nameOf(ref)}-mine` })
    expect(await driver.recover(ref)).toEqual({ state: 'attached', handle })
    expect(await start(harness.spec(RUN, ref))).toEqual(handle)
    await driver.remove(ref)
    expect(await harness.outside(ref)).toMatchObject({ alive: 0, traces: [] })
  })

  it('D10: an attempt that somebody restarts by hand is over: that run is none of its own, and is ended', async () => {
    const handle = await start(harness.spec(RUN, ref))
    const waiting = driver.wait(handle, never())
    await container(ref).restart({ t: 0 })
    const exit = await waiting
    // Its death may be seen before its return.
    expect([
      ['RestartedExternally', null],
      ['Error', 143],
    ]).toContainEqual([exit.reason, exit.exitCode])
    await waitUntil(async () => !(await container(ref).inspect()).State.Running)
  })

  it('D10: a container that somebody starts again after its end is ended, by a restarted agent too', async () => {
    const handle = await start(harness.spec({ kind: 'exit', code: 3, afterMs: 0 }, ref))
    expect(await driver.wait(handle, never())).toMatchObject({ exitCode: 3 })
    const again = newRef()
    const sleeper = await driver.start(again, harness.spec(RUN, again), NO_FILES)
    await driver.stop(sleeper, 0)
    await container(again).start()
    const restarted = await harness.create()
    expect(await restarted.owned()).toHaveLength(2)
    await waitUntil(async () => !(await container(again).inspect()).State.Running)
    await restarted.close()
  })

  it("D10: leaves a stranger's container alone, whatever its name", async () => {
    const stranger = await harness.docker.createContainer({ name: nameOf(ref), Image: EXAMPLE_IMAGE, HostConfig: { NetworkMode: 'none' } })
    try {
      expect(await errorOf(start(harness.spec(RUN, ref)))).toMatchObject({ code: 'NameConflict' })
      await driver.remove(ref)
      expect((await stranger.inspect()).State.Status).toBe('created')
      expect(await driver.owned()).toEqual([])
    } finally {
      await stranger.remove({ force: true })
    }
  })

  it('D7: a program that does not exist is a terminal failure, and nothing is left but the mark', async () => {
    const error = await errorOf(start(harness.spec({ kind: 'failStart' }, ref)))
    expect(error).toMatchObject({ code: 'StartFailed', message: expect.stringContaining('/no/such/program') })
    expect(await errorOf(container(ref).inspect())).toMatchObject({ statusCode: 404 })
    expect(await driver.recover(ref)).toEqual({ state: 'gone' })
  })

  it('calls a shell that ends with 127 by itself no failed start', async () => {
    const handle = await start(containerSpec(script('no-such-command-here')))
    expect(await driver.wait(handle, never())).toMatchObject({ exitCode: 127, reason: 'Error' })
  })

  it('a folder in place of a program, and an unknown user, fail the start', async () => {
    expect(await errorOf(start(containerSpec({ command: ['/tmp'] })))).toMatchObject({ code: 'StartFailed' })
    ref = newRef()
    const unknown = await errorOf(start(containerSpec({ ...script('true'), user: 'nobody-of-that-name' })))
    expect(unknown).toMatchObject({ code: 'UserNotFound' })
  })

  it('D7: a host port that is taken is PortInUse, and the container is gone', async () => {
    const taker = createServer()
    await new Promise<void>((resolve) => taker.listen(0, '0.0.0.0', resolve))
    const { port } = taker.address() as AddressInfo
    try {
      const ports = [{ name: 'http', containerPort: 80, hostPort: port, protocol: 'TCP' as const }]
      const spec = containerSpec({ ...script('exec sleep 100000'), ports }, { hostNetwork: false })
      expect(await errorOf(start(spec))).toMatchObject({ code: 'PortInUse' })
      expect((await harness.outside(ref)).traces).toEqual(['1'])
    } finally {
      taker.close()
    }
  })

  it('an image that is not there is terminal when it must not be pulled, and says so', async () => {
    const spec = containerSpec({ image: 'drover-example/absent:1', imagePullPolicy: 'Never' })
    expect(await errorOf(driver.prepare(spec, never()))).toMatchObject({
      code: 'ImageNotPresent',
      message: expect.stringContaining('drover-example/absent:1'),
    })
    expect(await errorOf(start(spec))).toMatchObject({ code: 'ImageNotPresent' })
  })

  it('D9: a registry that cannot be reached is worth another try, and named', async () => {
    const spec = containerSpec({ image: '127.0.0.1:1/shop/web:1' })
    const error = await errorOf(driver.prepare(spec, never()))
    expect(error).toBeInstanceOf(RetryableError)
    expect(error).toHaveProperty(
      'message',
      expect.stringMatching(/127\.0\.0\.1:1\/shop\/web:1 is not on this machine and cannot be pulled now/),
    )
  })

  it('D9: a registry without the image is terminal; tasks that want it at the same time ask once', async () => {
    let asked = 0
    const registry = createServer((request, response) => {
      if (request.url?.includes('/manifests/')) asked += 1
      response.statusCode = request.url === '/v2/' ? 200 : 404
      response.end(JSON.stringify({ errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }] }))
    })
    await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve))
    const spec = containerSpec({ image: `127.0.0.1:${(registry.address() as AddressInfo).port}/shop/web:1` })
    try {
      const errors = await Promise.all([1, 2, 3].map(() => errorOf(driver.prepare(spec, never()))))
      for (const error of errors) expect(error).toMatchObject({ code: 'ImageNotFound' })
      const once = asked
      await errorOf(driver.prepare(spec, never()))
      expect(asked).toBe(2 * once)
    } finally {
      registry.close()
      registry.closeAllConnections()
    }
  })

  it('D9: a pull is given up with the last task that wants it', async () => {
    const requests: string[] = []
    const registry = createServer((request) => void requests.push(request.url ?? ''))
    await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve))
    const spec = containerSpec({ image: `127.0.0.1:${(registry.address() as AddressInfo).port}/shop/slow:1` })
    const gone = new AbortController()
    try {
      const pulling = errorOf(driver.prepare(spec, gone.signal))
      await waitUntil(() => requests.length > 0)
      gone.abort(new Error('superseded'))
      expect(await pulling).toHaveProperty('message', 'superseded')
    } finally {
      registry.close()
      registry.closeAllConnections()
    }
  })

  it('refuses what it cannot run before anything is created', async () => {
    const two = containerSpec({})
    const both = { ...two, units: [...two.units, ...two.units] }
    expect(await errorOf(start(both))).toMatchObject({ code: 'NotSupported' })
    for (const image of ['../containers/json?x=', 'UPPER CASE', '']) {
      expect(await errorOf(driver.prepare(containerSpec({ image }), never()))).toBeInstanceOf(TerminalError)
    }
    expect(await harness.docker.listContainers({ all: true, filters: { label: [`drover.dev/agent=${harness.agent}`] } })).toEqual([])
  })
})
