import { expect, it } from 'vitest'
import { WHOLE_LOG } from '../../../runtime/driver.ts'
import type { Epoch, TaskId } from '../../../src/model/ids.ts'
import { createWorld, fakeSpec } from './world.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const ref = (task: string, attempt: number) => ({ task: task as TaskId, attempt })

it('runs what it is told, says so, and leaves it running when it ends', async () => {
  const { clock, machine, hub, startAgent } = createWorld()
  hub.assign('web-0', fakeSpec())
  const agent = startAgent()
  await clock.runUntil(() => hub.status('web-0')?.ready === true, MINUTE)
  expect(hub.status('web-0')).toMatchObject({ phase: 'Running', attempt: 1, failures: 0, ready: true })
  await agent.end()
  expect(clock.sleeping).toBe(0)
  expect(machine.history()).toEqual([expect.objectContaining({ task: 'web-0', attempt: 1, stoppedAt: null })])
})

it('says ready once it is, and not before', async () => {
  const { clock, hub, startAgent } = createWorld()
  hub.assign('web-0', fakeSpec({ readyAfterSeconds: 7 }))
  const agent = startAgent()
  await clock.advance(6 * SECOND)
  expect(hub.status('web-0')).toMatchObject({ phase: 'Running', ready: false })
  await clock.advance(2 * SECOND)
  expect(hub.status('web-0')).toMatchObject({ phase: 'Running', ready: true })
  await agent.end()
})

it('adopts what runs after a restart, without a second start and without a moment of not being ready', async () => {
  const { clock, machine, hub, startAgent } = createWorld()
  hub.assign('web-0', fakeSpec({ readyAfterSeconds: 1 }))
  const first = startAgent()
  await clock.runUntil(() => hub.status('web-0')?.ready === true, MINUTE)
  await first.end()
  const second = startAgent()
  await clock.advance(5 * SECOND)
  expect(hub.hellos.at(-1)?.tasks).toMatchObject([{ task: 'web-0', attempt: 1, phase: 'Running', ready: true }])
  expect(hub.status('web-0')).toMatchObject({ phase: 'Running', attempt: 1, ready: true, attempts: [] })
  expect(machine.starts(ref('web-0', 1))).toBe(1)
  expect(machine.history()).toHaveLength(1)
  await second.end()
})

it('tells the exit code of a job that ended while no agent was there', async () => {
  const { clock, hub, startAgent } = createWorld()
  hub.assign('job-0', fakeSpec({ runForSeconds: 60, exitCode: 3 }, { restartPolicy: 'Never' }))
  const first = startAgent()
  await clock.runUntil(() => hub.status('job-0')?.phase === 'Running', MINUTE)
  await first.end()
  await clock.advance(10 * MINUTE)
  const second = startAgent()
  await clock.runUntil(() => hub.status('job-0')?.phase === 'Failed', MINUTE)
  expect(hub.status('job-0')?.attempts).toMatchObject([{ attempt: 1, exitCode: 3, reason: 'Error' }])
  await second.end()
})

it('restarts what crashes at once, then 10 s, 20 s, ... later, and shows the back-off', async () => {
  const { clock, machine, hub, startAgent } = createWorld()
  hub.assign('web-0', fakeSpec({ crashAfterSeconds: 1 }))
  const agent = startAgent()
  await clock.runUntil(() => (hub.status('web-0')?.attempt ?? 0) === 3, MINUTE)
  const status = hub.status('web-0')
  expect(status).toMatchObject({ phase: 'Preparing', failures: 2, reasons: [{ code: 'BackOff', count: 2 }] })
  expect(status?.backoffUntil).toBe(clock.now() + 10 * SECOND)
  await clock.advance(20 * MINUTE)
  const starts = machine.history().map((record) => record.startedAt ?? 0)
  const gaps = starts.slice(1).map((at, index) => (at - (starts[index] ?? 0)) / SECOND - 1)
  expect(gaps.slice(0, 8)).toEqual([0, 10, 20, 40, 80, 160, 300, 300])
  await agent.end()
})

it('goes on restarting while nobody is there to ask, and tells all of it afterwards', async () => {
  const { clock, hub, startAgent } = createWorld()
  hub.assign('job-0', fakeSpec({ crashAfterSeconds: 5 }, { restartPolicy: 'OnFailure', maxRestarts: 3 }))
  const agent = startAgent()
  await clock.runUntil(() => hub.status('job-0')?.phase === 'Running', MINUTE)
  hub.reachable = false
  hub.disconnect()
  await clock.advance(10 * MINUTE)
  expect(hub.status('job-0')).toMatchObject({ phase: 'Running', attempt: 1 })
  hub.reachable = true
  await clock.runUntil(() => hub.status('job-0')?.phase === 'Failed', MINUTE)
  expect(hub.status('job-0')).toMatchObject({ attempt: 4, failures: 4 })
  expect(hub.status('job-0')?.attempts.map((record) => record.attempt)).toEqual([1, 2, 3, 4])
  expect(hub.steppedBack).toEqual([])
  await agent.end()
})

it('A11: reconnects within 30 s, the jitter included', async () => {
  const { clock, hub, startAgent } = createWorld()
  const agent = startAgent()
  hub.reachable = false
  hub.disconnect()
  await clock.advance(60 * MINUTE)
  hub.reachable = true
  await clock.runUntil(() => hub.connected, 30 * SECOND)
  await agent.end()
})

it('A5: says a status again until it is acknowledged', async () => {
  const { clock, hub, startAgent } = createWorld()
  hub.acks = false
  hub.assign('job-0', fakeSpec({ runForSeconds: 1 }, { restartPolicy: 'Never' }))
  const agent = startAgent()
  await clock.advance(MINUTE)
  const unanswered = hub.reports.length
  expect(unanswered).toBeGreaterThan(1)
  hub.acks = true
  await clock.advance(MINUTE)
  const answered = hub.reports.length
  expect(answered).toBeGreaterThan(unanswered)
  expect(hub.status('job-0')?.phase).toBe('Succeeded')
  await clock.advance(10 * MINUTE)
  expect(hub.reports).toHaveLength(answered)
  await agent.end()
})

it('A10: refuses the orders of a leader that has been replaced, after a restart too', async () => {
  const { clock, machine, hub, startAgent } = createWorld()
  hub.epoch = 7 as Epoch
  hub.assign('web-0', fakeSpec())
  const first = startAgent()
  await clock.runUntil(() => hub.status('web-0')?.phase === 'Running', MINUTE)
  hub.epoch = 6 as Epoch
  hub.stop('web-0')
  await clock.advance(MINUTE)
  await first.end()
  const second = startAgent()
  await clock.advance(MINUTE)
  expect(hub.hellos.at(-1)?.epoch).toBe(7)
  expect(machine.history()).toMatchObject([{ stoppedAt: null }])
  hub.epoch = 8 as Epoch
  await clock.runUntil(() => hub.status('web-0')?.phase === 'Stopped', MINUTE)
  await second.end()
})

it('takes an equal generation for a repeat and a lower one for a late order', async () => {
  const { clock, machine, hub, startAgent } = createWorld()
  hub.assign('web-0', fakeSpec())
  const agent = startAgent()
  await clock.runUntil(() => hub.status('web-0')?.phase === 'Running', MINUTE)
  const run = [...hub.orders.values()]
  for (const generation of [0, 1]) {
    const late = run.map((order) => ({ ...order, generation, desired: 'stop' as const }))
    hub.send({ type: 'assignments', epoch: hub.epoch, full: false, tasks: late, gone: [] })
  }
  await clock.advance(MINUTE)
  expect(hub.status('web-0')?.phase).toBe('Running')
  hub.stop('web-0')
  await clock.runUntil(() => hub.status('web-0')?.phase === 'Stopped', MINUTE)
  hub.send({ type: 'assignments', epoch: hub.epoch, full: false, tasks: run, gone: [] })
  await clock.advance(MINUTE)
  expect(machine.history()).toHaveLength(1)
  await agent.end()
})

it('stops while it backs off, at once and with no further attempt', async () => {
  const { clock, hub, startAgent, machine } = createWorld()
  hub.assign('web-0', fakeSpec({ crashAfterSeconds: 1 }))
  const agent = startAgent()
  await clock.runUntil(() => hub.status('web-0')?.backoffUntil != null, MINUTE)
  const before = clock.now()
  hub.stop('web-0')
  await clock.runUntil(() => hub.status('web-0')?.phase === 'Stopped', MINUTE)
  expect(clock.now()).toBe(before)
  expect(hub.status('web-0')?.attempts.map((record) => record.attempt)).toEqual([1, 2])
  await clock.advance(10 * MINUTE)
  expect(machine.history()).toHaveLength(2)
  await agent.end()
})

it('removes every trace of a task that it was told to forget', async () => {
  const { clock, hub, startAgent, machine, journal } = createWorld()
  hub.assign('web-0', fakeSpec({ crashAfterSeconds: 1 }))
  const agent = startAgent()
  await clock.advance(MINUTE)
  hub.forget('web-0')
  await clock.advance(MINUTE)
  expect(await machine.list()).toEqual([])
  expect((await journal.load()).entries).toEqual([])
  hub.disconnect()
  await clock.advance(MINUTE)
  expect(hub.hellos.at(-1)?.tasks).toEqual([])
  await agent.end()
})

it('keeps the logs of the newest attempts only, while a task crashes on', async () => {
  const { clock, hub, startAgent, machine } = createWorld()
  hub.assign('web-0', fakeSpec({ crashAfterSeconds: 1 }))
  const agent = startAgent()
  await clock.advance(60 * MINUTE)
  const newest = hub.status('web-0')?.attempt ?? 0
  expect(newest).toBeGreaterThan(10)
  const kept = (await machine.list()).map((record) => record.attempt)
  expect(kept.length).toBeLessThanOrEqual(4)
  expect(Math.min(...kept)).toBeGreaterThanOrEqual(newest - 4)
  await agent.end()
})

it('stops and removes what nobody assigned: tasks left out of the full set, and strangers on the machine', async () => {
  const { clock, hub, startAgent, machine } = createWorld()
  hub.assign('web-0', fakeSpec())
  hub.assign('web-1', fakeSpec())
  const first = startAgent()
  await clock.runUntil(() => hub.status('web-1')?.phase === 'Running', MINUTE)
  await first.end()
  hub.orders.delete('web-1' as TaskId)
  const stranger = { ...ref('lost-0', 2), unit: 'main', script: null, startedAt: clock.now(), stoppedAt: null }
  await machine.create(stranger)
  const second = startAgent()
  await clock.advance(MINUTE)
  expect((await machine.list()).map((record) => record.task)).toEqual(['web-0'])
  expect(hub.status('web-0')?.phase).toBe('Running')
  await second.end()
})

it('A10: touches nothing before a leader has sent the whole set', async () => {
  const { clock, hub, startAgent, machine } = createWorld()
  hub.greets = false
  await machine.create({ ...ref('lost-0', 1), unit: 'main', script: null, startedAt: clock.now(), stoppedAt: null })
  const agent = startAgent()
  await clock.advance(10 * MINUTE)
  expect(await machine.list()).toMatchObject([{ task: 'lost-0', stoppedAt: null }])
  await agent.end()
})

it('A1: goes on with the attempt it finds when the journal entry of a task was lost', async () => {
  const { clock, hub, startAgent, machine } = createWorld()
  hub.assign('web-0', fakeSpec())
  await machine.create({ ...ref('web-0', 3), unit: 'main', script: null, startedAt: clock.now(), stoppedAt: null })
  const agent = startAgent()
  await clock.runUntil(() => hub.status('web-0')?.phase === 'Running', MINUTE)
  expect(hub.status('web-0')?.attempt).toBe(3)
  expect(machine.history()).toHaveLength(1)
  await agent.end()
})

it('rejects what cannot start here, with the code, and does not try again', async () => {
  const { clock, hub, startAgent } = createWorld()
  hub.assign('web-0', fakeSpec({ failStart: true }))
  const agent = startAgent()
  await clock.advance(10 * MINUTE)
  expect(hub.status('web-0')).toMatchObject({ phase: 'Rejected', attempt: 1, attempts: [], reasons: [{ code: 'StartFailed' }] })
  await agent.end()
})

it('A8: does not start a task whose intent it cannot write down, and does when the disk has room again', async () => {
  const { clock, hub, startAgent, machine, journal } = createWorld()
  let full = true
  const save: typeof journal.save = async (entry) => {
    if (full) throw new Error('ENOSPC')
    await journal.save(entry)
  }
  hub.assign('web-0', fakeSpec())
  const agent = startAgent({ journal: { ...journal, save } })
  await clock.advance(MINUTE)
  expect(machine.history()).toEqual([])
  expect(hub.status('web-0')).toMatchObject({ phase: 'Preparing', failures: 0, reasons: [{ code: 'JournalFailed' }] })
  full = false
  await clock.runUntil(() => hub.status('web-0')?.phase === 'Running', 2 * MINUTE)
  full = true
  hub.stop('web-0')
  await clock.runUntil(() => hub.status('web-0')?.phase === 'Stopped', MINUTE)
  await agent.end()
})

it('A8: tells no end that a crash would make it forget, and tells it once the disk has room again', async () => {
  const { clock, hub, startAgent, journal } = createWorld()
  let full = false
  const save: typeof journal.save = async (entry) => {
    if (full) throw new Error('ENOSPC')
    await journal.save(entry)
  }
  hub.assign('web-0', fakeSpec({ failStart: true }))
  const start = (fills: boolean) =>
    startAgent({
      journal: { ...journal, save },
      driver: (real) => ({
        ...real,
        start: async (attempt, spec, files) => {
          full = fills
          return await real.start(attempt, spec, files)
        },
      }),
    })
  const first = start(true)
  await clock.advance(MINUTE)
  expect(hub.status('web-0')).toMatchObject({ phase: 'Starting', attempt: 1 })
  await first.end()
  const second = start(true)
  await clock.advance(MINUTE)
  full = false
  await clock.runUntil(() => full, MINUTE)
  await clock.advance(MINUTE)
  expect(hub.status('web-0')).toMatchObject({ phase: 'Starting', attempt: 2 })
  full = false
  await clock.runUntil(() => hub.status('web-0')?.phase === 'Rejected', MINUTE)
  await second.end()
})

it('writes down what it is about to start before it does', async () => {
  const { clock, hub, startAgent, journal } = createWorld()
  const written: unknown[] = []
  hub.assign('web-0', fakeSpec({ crashAfterSeconds: 1 }))
  const agent = startAgent({
    driver: (real) => ({
      ...real,
      start: async (attempt, spec, files) => {
        const { entries } = await journal.load()
        written.push(entries.map(({ state }) => ({ task: state.task, attempt: state.attempt, phase: state.life.phase })))
        return await real.start(attempt, spec, files)
      },
    }),
  })
  await clock.runUntil(() => hub.status('web-0')?.attempt === 3, MINUTE)
  expect(written).toEqual([1, 2].map((attempt) => [{ task: 'web-0', attempt, phase: 'Starting' }]))
  await agent.end()
})

it('records as lost what somebody removed while the agent was away', async () => {
  const { clock, hub, startAgent, machine } = createWorld()
  hub.assign('web-0', fakeSpec({}, { restartPolicy: 'OnFailure', maxRestarts: 1 }))
  const first = startAgent()
  await clock.runUntil(() => hub.status('web-0')?.phase === 'Running', MINUTE)
  await first.end()
  await machine.remove(ref('web-0', 1))
  const second = startAgent()
  await clock.advance(MINUTE)
  expect(hub.status('web-0')).toMatchObject({ phase: 'Running', attempt: 2, failures: 1 })
  expect(hub.status('web-0')?.attempts).toMatchObject([{ attempt: 1, exitCode: null, reason: 'LostUnknownExit' }])
  await second.end()
})

it('ends the stop of what somebody has removed already', async () => {
  const { clock, hub, startAgent, machine } = createWorld()
  hub.assign('web-0', fakeSpec())
  const agent = startAgent()
  await clock.runUntil(() => hub.status('web-0')?.phase === 'Running', MINUTE)
  await machine.remove(ref('web-0', 1))
  hub.stop('web-0')
  await clock.advance(MINUTE)
  expect(hub.status('web-0')).toMatchObject({ phase: 'Stopped', attempts: [{ attempt: 1, exitCode: null, reason: 'RemovedExternally' }] })
  await agent.end()
})

it('D4: connects though a driver hangs, and says so', async () => {
  const { clock, hub, startAgent } = createWorld()
  const forever = () => new Promise<never>(() => undefined)
  const agent = startAgent({ driver: (real) => ({ ...real, fingerprint: forever, owned: forever }) })
  await clock.runUntil(() => hub.hellos.length === 1, MINUTE)
  expect(hub.hellos[0]?.agent.drivers.fake).toEqual({ available: false, detail: 'RuntimeUnhealthy: no answer within 6 s' })
  await agent.end()
})

it('greets anew when a driver becomes available', async () => {
  const { clock, hub, startAgent } = createWorld()
  let available = false
  const agent = startAgent({ driver: (real) => ({ ...real, fingerprint: async () => ({ available, detail: '' }) }) })
  await clock.advance(5 * MINUTE)
  expect(hub.hellos).toHaveLength(1)
  available = true
  await clock.advance(2 * MINUTE)
  expect(hub.hellos.map((hello) => hello.agent.drivers.fake?.available)).toEqual([false, true])
  await agent.end()
})

it('comes back with growing pauses while it is refused', async () => {
  const { clock, hub, startAgent } = createWorld()
  hub.greets = false
  const agent = startAgent()
  let answered = 0
  for (let second = 0; second < 600; second += 1) {
    await clock.advance(SECOND)
    for (; answered < hub.hellos.length; answered += 1) hub.send({ type: 'refused', reason: 'this agent is another' })
  }
  expect(hub.hellos.length).toBeGreaterThan(30)
  expect(hub.hellos.length).toBeLessThan(60)
  await agent.end()
})

it('starts no more at once than the machine is to bear', async () => {
  const { clock, hub, startAgent } = createWorld()
  let under = 0
  let most = 0
  for (let index = 0; index < 20; index += 1) hub.assign(`web-${index}`, fakeSpec())
  const agent = startAgent({
    driver: (real) => ({
      ...real,
      start: async (attempt, spec, files) => {
        under += 1
        most = Math.max(most, under)
        await clock.sleep(100)
        under -= 1
        return await real.start(attempt, spec, files)
      },
    }),
  })
  await clock.runUntil(() => [...hub.observed.values()].filter((status) => status.phase === 'Running').length === 20, MINUTE)
  expect(most).toBe(4)
  await agent.end()
})

it('waits out a driver that fails for a while, without using up an attempt', async () => {
  const { clock, hub, startAgent } = createWorld()
  const failing = { prepare: true, start: true }
  hub.assign('web-0', fakeSpec({}, { maxRestarts: 0 }))
  const agent = startAgent({
    driver: (real) => ({
      ...real,
      prepare: async (spec, signal) => {
        if (failing.prepare) throw new Error('registry is away')
        return await real.prepare(spec, signal)
      },
      start: async (attempt, spec, files) => {
        if (failing.start) throw new Error('daemon is away')
        return await real.start(attempt, spec, files)
      },
    }),
  })
  await clock.advance(MINUTE)
  expect(hub.status('web-0')).toMatchObject({
    phase: 'Preparing',
    attempt: 1,
    reasons: [{ code: 'PrepareFailed', message: 'registry is away' }],
  })
  failing.prepare = false
  await clock.advance(2 * MINUTE)
  expect(hub.status('web-0')?.reasons).toMatchObject([{ code: 'StartFailed', message: 'daemon is away' }])
  failing.start = false
  await clock.runUntil(() => hub.status('web-0')?.phase === 'Running', 2 * MINUTE)
  expect(hub.status('web-0')).toMatchObject({ failures: 0, attempts: [] })
  await agent.end()
})

it('answers for logs on a connection of its own, of the running attempt and of one that ended', async () => {
  const { clock, hub, startAgent } = createWorld()
  hub.assign('web-0', fakeSpec({ crashAfterSeconds: 10 }))
  const agent = startAgent()
  await clock.advance(15 * SECOND)
  const ask = (ticket: string, attempt: number | null, follow = false) =>
    hub.send({ type: 'logs', ticket, task: 'web-0' as TaskId, options: { ...WHOLE_LOG, attempt, follow } })
  ask('now', null)
  ask('then', 1)
  ask('never', 9)
  ask('on', null, true)
  await clock.settle()
  expect(hub.logs.get('now')?.map((line) => line.text)).toEqual(['started', 'ready'])
  expect(hub.logs.get('then')?.map((line) => line.text)).toEqual(['started', 'ready', 'exited with code 1'])
  expect(hub.logs.get('never')).toEqual([])
  await clock.advance(30 * SECOND)
  expect(hub.logs.get('on')?.map((line) => line.text)).toEqual(['started', 'ready', 'exited with code 1'])
  await agent.end()
})

it('beats every 5 s, and greets with what the machine is and can', async () => {
  const { clock, hub, startAgent } = createWorld()
  const agent = startAgent()
  await clock.advance(MINUTE)
  expect(hub.beats).toBe(12)
  expect(hub.hellos).toHaveLength(1)
  expect(hub.hellos[0]?.agent).toMatchObject({
    id: 'machine-1',
    drivers: { fake: { available: true }, docker: { available: false, detail: 'not installed' } },
  })
  await agent.end()
})
