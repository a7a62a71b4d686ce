import { expect, it } from 'vitest'
import type { Driver, Handle, ProbeRequest, ProbeResult } from '../../../runtime/driver.ts'
import type { ProbeSpec, ProbeSpecs } from '../../../src/model/probe.ts'
import type { TaskSpec } from '../../../src/model/task-spec.ts'
import type { FakeScript } from '../../../src/model/template.ts'
import { checkLedger } from './ledger.ts'
import { createWorld, fakeSpec } from './world.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const PORTS = { startup: 1, readiness: 2, liveness: 3 }

type World = ReturnType<typeof createWorld>
type Probing = { [K in keyof ProbeSpecs]?: Partial<ProbeSpec> }

/** A probe of each kind asks a port of its own, so that a test can tell them apart. */
function probed(probing: Probing, script: Partial<FakeScript> = {}, rest: Partial<TaskSpec> = {}): TaskSpec {
  const spec = fakeSpec(script, rest)
  const kinds = Object.keys(probing) as (keyof Probing)[]
  const probes = Object.fromEntries(kinds.map((kind) => [kind, probeOf(PORTS[kind], probing[kind] ?? {})]))
  return { ...spec, units: spec.units.map((unit) => ({ ...unit, probes })) }
}

const probeOf = (port: number, more: Partial<ProbeSpec>): ProbeSpec => ({
  check: { type: 'tcp', host: null, port },
  initialDelaySeconds: 0,
  periodSeconds: 1,
  timeoutSeconds: 1,
  successThreshold: 1,
  failureThreshold: 2,
  ...more,
})

/** Answers of a task by port; a port that has none is well. What was asked, and in which second, is kept. */
function scripted({ clock }: World) {
  const failing = new Map<number, string>()
  const asked: { at: number; port: number; attempt: number }[] = []
  const began = clock.monotonic()
  const probe = async (handle: Handle, { check }: ProbeRequest): Promise<ProbeResult> => {
    const port = check.type === 'exec' ? 0 : check.port
    asked.push({ at: (clock.monotonic() - began) / SECOND, port, attempt: handle.attempt })
    const message = failing.get(port)
    return message === undefined ? { passed: true } : { passed: false, message }
  }
  return {
    failing,
    asked,
    driver: (real: Driver): Driver => ({ ...real, probe }),
    portsAsked: () => new Set(asked.map(({ port }) => port)),
  }
}

/** What the machine holds of a task in all its attempts. */
const startsOf = ({ machine }: World, task: string) => machine.history().filter((record) => record.task === task)

it('is ready while its readiness probe passes, and says why while it does not', async () => {
  const world = createWorld()
  const { clock, hub, startAgent } = world
  const { failing, driver } = scripted(world)
  hub.assign('web-0', probed({ readiness: { failureThreshold: 3 } }))
  failing.set(PORTS.readiness, 'status 503')
  const agent = startAgent({ driver })
  await clock.advance(1_500)
  expect(hub.status('web-0')).toMatchObject({ phase: 'Running', ready: false, reasons: [], lastLines: [] })
  await clock.advance(SECOND)
  const unready = { phase: 'Running', ready: false, reasons: [{ code: 'ReadinessProbeFailed', message: 'status 503' }] }
  expect(hub.status('web-0')).toMatchObject({ ...unready, lastLines: ['started', 'ready'] })
  failing.clear()
  await clock.advance(SECOND)
  expect(hub.status('web-0')).toMatchObject({ ready: true, reasons: [], lastLines: [] })
  failing.set(PORTS.readiness, 'status 503')
  await clock.advance(2 * SECOND)
  expect(hub.status('web-0')).toMatchObject({ ready: true })
  await clock.advance(SECOND)
  expect(hub.status('web-0')).toMatchObject({ ...unready, attempt: 1, attempts: [] })
  await agent.end()
  expect(clock.sleeping).toBe(0)
})

it('does not repeat itself while a probe fails on', async () => {
  const world = createWorld()
  const { clock, hub, startAgent } = world
  const { failing, driver, asked } = scripted(world)
  hub.assign('web-0', probed({ readiness: {} }))
  failing.set(PORTS.readiness, 'refused')
  const agent = startAgent({ driver })
  await clock.advance(10 * SECOND)
  const reports = hub.reports.length
  await clock.advance(10 * MINUTE)
  expect(asked.length).toBeGreaterThan(600)
  expect(hub.reports).toHaveLength(reports)
  await agent.end()
})

it('restarts in place what fails its liveness probe: one record, one failure, and the back-off of a crash', async () => {
  const world = createWorld()
  const { clock, hub, startAgent } = world
  const { failing, driver } = scripted(world)
  hub.assign('web-0', probed({ liveness: { initialDelaySeconds: 5 } }))
  failing.set(PORTS.liveness, 'refused')
  const agent = startAgent({ driver })
  await clock.advance(4 * SECOND)
  expect(hub.status('web-0')).toMatchObject({ phase: 'Running', attempt: 1, ready: true })
  await clock.runUntil(() => hub.status('web-0')?.attempt === 2, MINUTE)
  const record = { attempt: 1, exitCode: 143, reason: 'LivenessProbeFailed', message: 'refused' }
  expect(hub.status('web-0')).toMatchObject({ failures: 1, attempts: [record] })
  expect(hub.status('web-0')?.lastLines).toEqual(['started', 'ready', 'exited with code 143'])
  await clock.runUntil(() => hub.status('web-0')?.attempt === 3, MINUTE)
  expect(hub.status('web-0')).toMatchObject({ phase: 'Preparing', reasons: [{ code: 'BackOff', count: 2 }] })
  expect(hub.status('web-0')?.backoffUntil).toBe(clock.now() + 10 * SECOND)
  failing.clear()
  await clock.advance(5 * MINUTE)
  expect(hub.status('web-0')).toMatchObject({ phase: 'Running', attempt: 3, ready: true, failures: 2 })
  expect(startsOf(world, 'web-0')).toHaveLength(3)
  checkLedger(world, 'liveness')
  await agent.end()
  expect(clock.sleeping).toBe(0)
})

it('goes on counting for one probe while there is news of another', async () => {
  const world = createWorld()
  const { clock, hub, startAgent } = world
  const { failing, driver } = scripted(world)
  hub.assign('web-0', probed({ readiness: { failureThreshold: 1 }, liveness: { failureThreshold: 5 } }))
  failing.set(PORTS.liveness, 'refused')
  const agent = startAgent({ driver })
  await clock.advance(500)
  for (let second = 0; second < 4; second += 1) {
    expect(hub.status('web-0')).toMatchObject({ attempt: 1, ready: second % 2 === 0 })
    if (second % 2 === 0) failing.set(PORTS.readiness, 'busy')
    else failing.delete(PORTS.readiness)
    await clock.advance(SECOND)
  }
  expect(hub.status('web-0')?.attempts).toMatchObject([{ attempt: 1, reason: 'LivenessProbeFailed' }])
  await agent.end()
})

it('counts as failed for its liveness though it may run no more', async () => {
  const world = createWorld()
  const { clock, hub, startAgent } = world
  const { failing, driver } = scripted(world)
  hub.assign('job-0', probed({ liveness: {} }, {}, { restartPolicy: 'OnFailure', maxRestarts: 1 }))
  failing.set(PORTS.liveness, 'refused')
  const agent = startAgent({ driver })
  await clock.runUntil(() => hub.status('job-0')?.phase === 'Failed', MINUTE)
  expect(hub.status('job-0')).toMatchObject({ failures: 2, reasons: [{ code: 'LivenessProbeFailed' }] })
  await agent.end()
})

it('asks nothing else before the startup probe passed, and never asks it again', async () => {
  const world = createWorld()
  const { clock, hub, startAgent } = world
  const { failing, driver, asked, portsAsked } = scripted(world)
  hub.assign('web-0', probed({ startup: { failureThreshold: 30 }, readiness: {}, liveness: {} }))
  failing.set(PORTS.startup, 'refused').set(PORTS.readiness, 'refused')
  const first = startAgent({ driver })
  await clock.advance(10 * SECOND)
  expect(portsAsked()).toEqual(new Set([PORTS.startup]))
  expect(hub.status('web-0')).toMatchObject({ phase: 'Running', ready: false })
  failing.delete(PORTS.startup)
  await clock.advance(5 * SECOND)
  expect(portsAsked()).toEqual(new Set(Object.values(PORTS)))
  await first.end()
  asked.length = 0
  const second = startAgent({ driver })
  await clock.advance(5 * SECOND)
  expect(portsAsked()).toEqual(new Set([PORTS.readiness, PORTS.liveness]))
  expect(hub.status('web-0')).toMatchObject({ phase: 'Running', attempt: 1, ready: false, reasons: [{ code: 'ReadinessProbeFailed' }] })
  await second.end()
})

it('restarts what does not start up, and is ready at the start when nothing else is asked', async () => {
  const world = createWorld()
  const { clock, hub, startAgent } = world
  const { failing, driver } = scripted(world)
  hub.assign('web-0', probed({ startup: {} }))
  failing.set(PORTS.startup, 'refused')
  const agent = startAgent({ driver })
  await clock.runUntil(() => hub.status('web-0')?.attempt === 2, MINUTE)
  expect(hub.status('web-0')?.attempts).toMatchObject([{ reason: 'StartupProbeFailed', message: 'refused' }])
  failing.clear()
  await clock.runUntil(() => hub.status('web-0')?.ready === true, MINUTE)
  expect(hub.status('web-0')).toMatchObject({ phase: 'Running', attempt: 2 })
  await agent.end()
})

it('takes no answer in time for a failure, and tells the driver that it need not go on', async () => {
  const world = createWorld()
  const { clock, hub, startAgent } = world
  let given = 0
  hub.assign('web-0', probed({ liveness: { timeoutSeconds: 3 } }))
  const hangs = (_handle: Handle, _request: ProbeRequest, signal: AbortSignal): Promise<ProbeResult> => {
    signal.addEventListener('abort', () => {
      given += 1
    })
    return new Promise(() => undefined)
  }
  const agent = startAgent({ driver: (real) => ({ ...real, probe: hangs }) })
  await clock.advance(6 * SECOND)
  expect(hub.status('web-0')).toMatchObject({ phase: 'Running', attempt: 1 })
  await clock.advance(2 * SECOND)
  expect(hub.status('web-0')?.attempts).toMatchObject([{ reason: 'LivenessProbeFailed', message: 'timed out after 3 s' }])
  expect(given).toBeGreaterThanOrEqual(2)
  await agent.end()
  expect(clock.sleeping).toBe(0)
})

it('holds nothing against a task that its driver cannot ask', async () => {
  const world = createWorld()
  const { clock, hub, startAgent } = world
  let away = true
  hub.assign('web-0', probed({ readiness: {}, liveness: {} }))
  const probe = async (): Promise<ProbeResult> => {
    if (away) throw new Error('daemon is away')
    return { passed: true }
  }
  const agent = startAgent({ driver: (real) => ({ ...real, probe }) })
  await clock.advance(5 * MINUTE)
  expect(hub.status('web-0')).toMatchObject({ phase: 'Running', attempt: 1, ready: false, reasons: [] })
  away = false
  await clock.advance(2 * SECOND)
  expect(hub.status('web-0')).toMatchObject({ attempt: 1, ready: true })
  await agent.end()
})

it('takes the exit for the truth when a probe failed because of it', async () => {
  const world = createWorld()
  const { clock, hub, startAgent } = world
  const spec = probed({ liveness: { initialDelaySeconds: 30, failureThreshold: 1 } }, { runForSeconds: 30 }, { restartPolicy: 'Never' })
  hub.assign('job-0', spec)
  const noticesLate = (real: Driver): Driver => ({
    ...real,
    wait: async (handle, signal) => {
      const exit = await real.wait(handle, signal)
      await clock.sleep(100, signal)
      return exit
    },
    logs: async function* (...query) {
      await clock.sleep(200)
      yield* real.logs(...query)
    },
  })
  const agent = startAgent({ driver: noticesLate })
  await clock.advance(MINUTE)
  expect(hub.status('job-0')).toMatchObject({ phase: 'Succeeded', failures: 0, attempts: [{ exitCode: 0, reason: 'Completed' }] })
  await agent.end()
})

it('stops as it was told though its probe failed just before', async () => {
  const world = createWorld()
  const { clock, hub, startAgent } = world
  const { failing, driver } = scripted(world)
  hub.assign('web-0', probed({ liveness: {} }))
  failing.set(PORTS.liveness, 'refused')
  const slowStop = (real: Driver): Driver => ({
    ...driver(real),
    stop: async (handle, grace) => {
      await clock.sleep(4 * SECOND)
      await real.stop(handle, grace)
    },
  })
  const agent = startAgent({ driver: slowStop })
  await clock.runUntil(() => hub.status('web-0')?.phase === 'Stopping', MINUTE)
  expect(hub.status('web-0')).toMatchObject({ ready: false, reasons: [{ code: 'LivenessProbeFailed', message: 'refused' }] })
  hub.stop('web-0')
  await clock.advance(MINUTE)
  expect(hub.status('web-0')).toMatchObject({ phase: 'Stopped', failures: 0, attempts: [{ attempt: 1, reason: 'Stopped' }] })
  expect(startsOf(world, 'web-0')).toHaveLength(1)
  await agent.end()
})

it('ends the stop of an unhealthy one after the agent was killed in the middle of it, as what it was', async () => {
  const world = createWorld()
  const { clock, hub, startAgent, journal } = world
  const { failing, driver } = scripted(world)
  hub.assign('web-0', probed({ liveness: {} }))
  failing.set(PORTS.liveness, 'refused')
  const first = startAgent({ driver: (real) => ({ ...driver(real), stop: () => new Promise(() => undefined) }) })
  await clock.runUntil(() => hub.status('web-0')?.phase === 'Stopping', MINUTE)
  first.life.end('in the middle of the stop')
  expect((await journal.load()).entries[0]?.state.life).toMatchObject({ phase: 'Stopping', because: { code: 'LivenessProbeFailed' } })
  failing.clear()
  const second = startAgent({ driver })
  await clock.advance(MINUTE)
  expect(hub.status('web-0')).toMatchObject({ phase: 'Running', attempt: 2, ready: true, failures: 1 })
  expect(hub.status('web-0')?.attempts).toMatchObject([{ attempt: 1, reason: 'LivenessProbeFailed', message: 'refused' }])
  checkLedger(world, 'killed while it stopped')
  await second.end()
})
