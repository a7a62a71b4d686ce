import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { AttemptRef, Driver, Handle, ProbeResult } from '../../../runtime/driver.ts'
import { must } from '../../../src/lib/must.ts'
import type { ProbeCheck, ProbeSpec } from '../../../src/model/probe.ts'
import type { TaskSpec } from '../../../src/model/task-spec.ts'
import { type DockerProxy, startDockerProxy } from '../../support/docker-proxy.ts'
import { EXAMPLE_IMAGE } from '../../support/setup/ensure-images.mjs'
import { waitUntil } from '../../support/wait-until.ts'
import { errorOf, never, newRef } from '../driver-suite/bench.ts'
import { containerSpec, type DockerHarness, dockerHarness, script, sharedSocket } from './harness.ts'

const CHECKED = 'drover-example/checked:1'
const HEALTHCHECK = 'HEALTHCHECK --interval=100ms --timeout=5s --retries=1 CMD ["test", "-e", "/tmp/well"]'
const exec = (text: string): ProbeCheck => ({ type: 'exec', command: ['sh', '-c', text] })
const PASSED: ProbeResult = { passed: true }

describe('docker driver: probes and health', () => {
  let harness: DockerHarness
  let proxy: DockerProxy
  let driver: Driver
  let ref: AttemptRef
  /** First lines of all requests of the driver. */
  let requests: string[]

  beforeAll(async () => {
    const { docker, destroy } = await dockerHarness()
    const made = await docker.createContainer({ Image: EXAMPLE_IMAGE, HostConfig: { NetworkMode: 'none' } })
    await made.commit({ repo: CHECKED.split(':')[0], tag: '1', changes: HEALTHCHECK })
    await made.remove({ force: true })
    await destroy()
  })
  afterAll(async () => {
    const { docker, destroy } = await dockerHarness()
    await docker.getImage(CHECKED).remove({ force: true })
    await destroy()
  })
  beforeEach(async () => {
    harness = await dockerHarness()
    requests = []
    proxy = await startDockerProxy(sharedSocket())
    proxy.decide((line) => {
      requests.push(line)
      return 'pass'
    })
    driver = await harness.create({ socketPath: proxy.socketPath })
    ref = newRef()
  })
  afterEach(async () => {
    await driver.close()
    await proxy.close()
    await harness.destroy()
  })

  async function start(
    spec: TaskSpec,
  ): Promise<{ handle: Handle; ask: (check: ProbeCheck, signal?: AbortSignal) => Promise<ProbeResult> }> {
    await driver.prepare(spec, never())
    const handle = await driver.start(ref, spec, { artifacts: {}, secrets: new Map() })
    return { handle, ask: (check, signal = never()) => driver.probe(handle, { check, spec, secrets: new Map() }, signal) }
  }
  const inspections = (handle: Handle): number => requests.filter((line) => line.includes(`/containers/${handle.ref}/json`)).length

  it('the HEALTHCHECK of an image decides where the manifest has no probe', async () => {
    const { handle, ask } = await start(containerSpec({ image: CHECKED, ...script('exec sleep 100000') }))
    await waitUntil(async () => (await driver.health(handle)) === 'unhealthy')
    expect(await ask(exec('touch /tmp/well'))).toEqual(PASSED)
    await waitUntil(async () => (await driver.health(handle)) === 'healthy')
    await driver.stop(handle, 0)
    expect(await driver.health(handle)).toBe('starting')
  })

  it('is starting until it was asked, and not asked at all where the manifest has a probe', async () => {
    const times = { initialDelaySeconds: 0, periodSeconds: 1, timeoutSeconds: 1, successThreshold: 1, failureThreshold: 1 }
    const readiness: ProbeSpec = { check: exec('true'), ...times }
    const slow = await harness.docker.createContainer({ Image: EXAMPLE_IMAGE, HostConfig: { NetworkMode: 'none' } })
    await slow.commit({ repo: CHECKED.split(':')[0], tag: 'slow', changes: 'HEALTHCHECK --interval=1h CMD true' })
    await slow.remove({ force: true })
    const image = CHECKED.replace(':1', ':slow')
    try {
      const unasked = await start(containerSpec({ image, ...script('exec sleep 100000') }))
      expect(await driver.health(unasked.handle)).toBe('starting')
      ref = newRef()
      const probed = await start(containerSpec({ image, ...script('exec sleep 100000'), probes: { readiness } }))
      expect(await driver.health(probed.handle)).toBe('none')
      await driver.remove(ref)
      await driver.remove(unasked.handle)
    } finally {
      await harness.docker.getImage(image).remove({ force: true })
    }
  })

  it('neither health checks nor exec probes wake who waits for the end', async () => {
    const { handle, ask } = await start(containerSpec({ image: CHECKED, ...script('exec sleep 100000') }))
    const waiting = driver.wait(handle, never())
    await waitUntil(() => requests.some((line) => line.includes('/events')))
    await waitUntil(async () => (await driver.health(handle)) === 'unhealthy')
    const before = inspections(handle)
    for (let i = 0; i < 5; i += 1) expect(await ask(exec('touch /tmp/well'))).toEqual(PASSED)
    const { State } = await harness.docker.getContainer(handle.ref).inspect()
    await waitUntil(async () => {
      const now = (await harness.docker.getContainer(handle.ref).inspect()).State.Health?.Log ?? []
      return now.filter(({ Start }) => Start > (State.Health?.Log.at(-1)?.Start ?? '')).length >= 4
    })
    expect(inspections(handle)).toBe(before)
    await driver.stop(handle, 0)
    await waiting
  })

  it('asks a container of the bridge at its own address, which is looked up once', async () => {
    const spec = containerSpec(script('echo here > /tmp/x; exec httpd -f -p 8080 -h /www'), { hostNetwork: false })
    const { handle, ask } = await start(spec)
    const http: ProbeCheck = { type: 'http', scheme: 'HTTP', host: null, port: 8080, path: '/', headers: [] }
    await waitUntil(async () => (await ask(http)).passed)
    const before = inspections(handle)
    for (let i = 0; i < 3; i += 1) expect(await ask(http)).toEqual(PASSED)
    expect(inspections(handle)).toBe(before)
    const { IPAddress: own } = (await harness.docker.getContainer(handle.ref).inspect()).NetworkSettings.Networks.drover ?? {}
    expect(await ask({ ...http, port: 81 })).toEqual({ passed: false, message: `http://${own}:81/: connection refused` })
    // Its address may be another's by now.
    await driver.stop(handle, 0)
    expect(await ask(http)).toEqual({ passed: false, message: 'the container does not run' })
  })

  it('a command runs as the user of the container, in its folder, and whatever it started goes with it', async () => {
    const { handle, ask } = await start(containerSpec({ ...script('exec sleep 100000'), user: 'nobody', workingDir: '/www' }))
    expect(await ask(exec('test "$(id -un)" = nobody && test "$(pwd)" = /www'))).toEqual(PASSED)
    const asked = ask(exec('(sleep 4321 & sleep 4322)'), AbortSignal.timeout(700))
    const commands = async () => JSON.stringify((await harness.docker.getContainer(handle.ref).top()).Processes)
    await waitUntil(async () => (await commands()).includes('4322'))
    expect(await asked).toEqual({ passed: false, message: 'timed out' })
    await waitUntil(async () => !/432[12]/.test(await commands()))
  })

  it('starts no command beside an earlier one that it may not kill', async () => {
    const { handle, ask } = await start(containerSpec(script('exec sleep 100000')))
    const kill = process.kill.bind(process)
    const refused = vi.spyOn(process, 'kill').mockImplementation((pid, signal) => {
      // What an agent that is not root is told.
      if (pid < 0) throw Object.assign(new Error('kill EPERM'), { code: 'EPERM' })
      return kill(pid, signal)
    })
    const slow = exec('sleep 4323')
    const running = async () => {
      const { Processes } = await harness.docker.getContainer(handle.ref).top()
      return Processes.filter((words: string[]) => words.at(-1) === 'sleep 4323').map((words: string[]) => Number(words[1]))
    }
    expect(await ask(slow, AbortSignal.timeout(500))).toEqual({ passed: false, message: 'timed out' })
    expect(await ask(slow)).toEqual({ passed: false, message: 'timed out before, and its command still runs' })
    expect(await ask(exec('true'))).toEqual(PASSED)
    const [only, ...others] = await running()
    expect(others).toEqual([])
    refused.mockRestore()
    process.kill(must(only, 'it runs'), 'SIGKILL')
    await waitUntil(async () => (await ask(slow, AbortSignal.timeout(500))).passed === false && (await running()).length === 0)
  })

  it('a paused container fails a command, and its probes say nothing while the engine is silent', async () => {
    const { handle, ask } = await start(containerSpec(script('exec sleep 100000'), { hostNetwork: false }))
    const container = harness.docker.getContainer(handle.ref)
    await container.pause()
    expect(await ask(exec('true'))).toEqual({ passed: false, message: 'the container does not run' })
    await container.unpause()
    proxy.decide(() => 'swallow')
    for (const check of [exec('true'), { type: 'tcp' as const, host: null, port: 1 }]) {
      expect(await errorOf(ask(check, AbortSignal.timeout(300)))).toHaveProperty('name', 'RetryableError')
    }
  })
})
