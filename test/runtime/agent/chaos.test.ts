import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Driver } from '../../../runtime/driver.ts'
import type { Epoch } from '../../../src/model/ids.ts'
import type { ProbeSpecs } from '../../../src/model/probe.ts'
import { TERMINAL } from '../../../src/model/task.ts'
import type { TaskSpec } from '../../../src/model/task-spec.ts'
import { checkLedger } from './ledger.ts'
import { createWorld, fakeSpec } from './world.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const TASKS = ['a', 'b', 'c', 'd']

const script = fc.record(
  {
    runForSeconds: fc.integer({ min: 0, max: 30 }),
    exitCode: fc.constantFrom(0, 0, 1),
    readyAfterSeconds: fc.integer({ min: 0, max: 5 }),
    crashAfterSeconds: fc.integer({ min: 1, max: 40 }),
    unhealthyAfterSeconds: fc.integer({ min: 0, max: 40 }),
  },
  { requiredKeys: [] },
)
const rule = fc.record({
  restartPolicy: fc.constantFrom('Always' as const, 'OnFailure' as const, 'Never' as const),
  maxRestarts: fc.constantFrom(null, 0, 2),
})

/** Each asks the script, which knows whether it is well. */
const probe = fc.record({
  check: fc.constant({ type: 'tcp' as const, host: null, port: 80 }),
  initialDelaySeconds: fc.constantFrom(0, 3),
  periodSeconds: fc.constantFrom(1, 5),
  timeoutSeconds: fc.constant(1),
  successThreshold: fc.constantFrom(1, 2),
  failureThreshold: fc.constantFrom(1, 3),
})
const probes = fc.record({ startup: probe, readiness: probe, liveness: probe }, { requiredKeys: [] })

const operation = fc.oneof(
  fc.record({ type: fc.constant('assign' as const), task: fc.constantFrom(...TASKS), script, rule, probes }),
  fc.record({ type: fc.constantFrom('stop' as const, 'forget' as const), task: fc.constantFrom(...TASKS) }),
  fc.record({
    type: fc.constant('kill' as const),
    atCall: fc.integer({ min: 1, max: 40 }),
    when: fc.constantFrom('before' as const, 'after' as const),
  }),
  fc.record({ type: fc.constantFrom('restart' as const, 'disconnect' as const, 'newLeader' as const, 'resend' as const) }),
  fc.record({ type: fc.constantFrom('unreachable' as const, 'deaf' as const, 'brokenDriver' as const), on: fc.boolean() }),
  fc.record({ type: fc.constant('jumpClock' as const), ms: fc.integer({ min: 0, max: 3600 * SECOND }) }),
)
const story = fc.array(fc.record({ op: operation, thenMs: fc.constantFrom(0, 0, 1, 300, 5 * SECOND, 45 * SECOND) }), {
  minLength: 1,
  maxLength: 25,
})

type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

const withProbes = (spec: TaskSpec, asked: ProbeSpecs): TaskSpec => ({
  ...spec,
  units: spec.units.map((unit) => ({ ...unit, probes: asked })),
})

/** A world in which an agent is always on its way back. */
function createChaos() {
  const world = createWorld()
  const { hub, clock } = world
  const faults = { driver: false }
  const forgotten = new Set<string>()
  const used = new Set<string>()

  const unreliable = (real: Driver): Driver => {
    const broken = async <T>(work: () => Promise<T>): Promise<T> => {
      if (faults.driver) throw new Error('daemon is away')
      const result = await work()
      if (faults.driver) throw new Error('daemon went away')
      return result
    }
    return {
      ...real,
      prepare: (spec, signal) => broken(() => real.prepare(spec, signal)),
      start: (ref, spec, files) => broken(() => real.start(ref, spec, files)),
      recover: (ref) => broken(() => real.recover(ref)),
      stop: (handle, grace) => broken(() => real.stop(handle, grace)),
      remove: (ref) => broken(() => real.remove(ref)),
      owned: () => broken(() => real.owned()),
      health: (handle) => broken(() => real.health(handle)),
      probe: (handle, request, signal) => broken(() => real.probe(handle, request, signal)),
    }
  }
  let agent = world.startAgent({ driver: unreliable })

  const act = async (op: Operation): Promise<void> => {
    switch (op.type) {
      case 'assign':
        if (!used.has(op.task)) hub.assign(op.task, withProbes(fakeSpec(op.script, op.rule), op.probes))
        used.add(op.task)
        break
      case 'stop':
        hub.stop(op.task)
        break
      case 'forget':
        if (used.has(op.task)) forgotten.add(op.task)
        hub.forget(op.task)
        break
      case 'kill':
        agent.life.end('now')
        await clock.settle()
        agent = world.startAgent({ driver: unreliable, fate: { atCall: op.atCall, when: op.when } })
        break
      case 'restart':
        if (agent.life.dead) break
        await agent.end()
        agent = world.startAgent({ driver: unreliable })
        break
      case 'disconnect':
        hub.disconnect()
        break
      case 'newLeader':
        hub.epoch = (hub.epoch + 1) as Epoch
        hub.disconnect()
        break
      case 'resend':
        hub.sendAll()
        break
      case 'unreachable':
        hub.reachable = !op.on
        if (op.on) hub.disconnect()
        break
      case 'deaf':
        hub.acks = !op.on
        break
      case 'brokenDriver':
        faults.driver = op.on
        break
      case 'jumpClock':
        clock.jumpWall(op.ms)
        break
      default:
        op satisfies never
    }
    if (agent.life.dead) agent = world.startAgent({ driver: unreliable })
  }

  const heal = async (): Promise<void> => {
    hub.reachable = true
    hub.acks = true
    faults.driver = false
    agent.life.end('before the end')
    agent = world.startAgent()
    await clock.advance(3 * MINUTE)
    for (const task of TASKS) hub.stop(task)
    await clock.advance(8 * MINUTE)
  }
  return { world, act, heal, forgotten, end: () => agent.end() }
}

it('whatever happens, no attempt starts twice, none is without its record, and nothing is left behind', async () => {
  await fc.assert(
    fc.asyncProperty(story, async (steps) => {
      const { world, act, heal, forgotten, end } = createChaos()
      for (const { op, thenMs } of steps) {
        await act(op)
        await world.clock.advance(thenMs)
      }
      await heal()
      const present = (await world.machine.list()).map((record) => record.task)
      for (const task of forgotten) {
        expect(present).not.toContain(task)
        world.hub.observed.delete(task as never)
      }
      for (const task of world.hub.orders.keys())
        expect(TERMINAL.has(world.hub.status(task)?.phase ?? 'Pending'), `${task} has ended`).toBe(true)
      checkLedger(world, 'after chaos', forgotten)
      await end()
      expect(world.clock.sleeping).toBe(0)
    }),
    { numRuns: 150 },
  )
}, 60_000)
