import { afterEach, describe, expect, it } from 'vitest'
import { createApi } from '../../src/api/app.ts'
import { type Serving, serveApi } from '../../src/api/serve.ts'
import { RequestError } from '../../src/control/requests/control-plane.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import type { LogLine } from '../../src/model/protocol.ts'
import type { AppView, RunView, TaskView } from '../../src/model/views.ts'
import { cliOver } from '../support/fake-cli.ts'
import { type FakeControl, fakeControl } from '../support/fake-control.ts'
import { fakeGate } from '../support/fake-gate.ts'
import { LEADS } from '../support/fake-leader.ts'
import { shop } from '../support/fake-shop.ts'
import {
  appView,
  attemptView,
  COMMIT_2,
  historyView,
  quarantineView,
  REVISION_1,
  REVISION_2,
  rolloutView,
  runView,
  taskView,
  workloadView,
} from '../support/fake-views.ts'
import { waitUntil } from '../support/wait-until.ts'

/** Waits over real sockets, for what they wait on arrives over one. */

let serving: Serving | null = null
afterEach(async () => {
  await serving?.close()
  serving = null
})

async function serve(control: FakeControl, port = 0): Promise<string> {
  const parts = { control, gate: fakeGate(), leader: LEADS, guard: null, log: silentLog, clock: systemClock }
  serving = await serveApi({ api: createApi(parts), ...parts, host: '127.0.0.1', port })
  return serving.url
}

async function overSocket(control: FakeControl, signal = new AbortController().signal) {
  const url = await serve(control)
  return cliOver(control, { fetch: globalThis.fetch, signal, env: { DROVER_SERVER: url, USER: 'ann' } })
}

const change = (control: FakeControl, over: Partial<AppView>): void => {
  control.data.apps = [appView(over)]
  control.touch()
}

const SECOND = { observedRevision: REVISION_2, lastAttemptedRevision: REVISION_2, lastAppliedRevision: REVISION_2 }

describe('wait', () => {
  it('succeeds only when the asked revision is applied and healthy', async () => {
    const control = fakeControl({ apps: [appView()], history: [historyView()] })
    const cli = await overSocket(control)
    let ended = false
    const waiting = cli.run('wait', 'shop', '--revision', COMMIT_2.slice(0, 8), '--timeout', '20s').finally(() => {
      ended = true
    })
    await waitUntil(() => control.watchers() === 1)
    change(control, { ...SECOND, lastAppliedRevision: REVISION_1, sync: 'OutOfSync' })
    change(control, { ...SECOND, health: 'Progressing' })
    await new Promise((resolve) => setImmediate(resolve))
    expect(ended).toBe(false)
    change(control, SECOND)
    expect(await waiting).toMatchObject({ exit: 0, stderr: 'shop is healthy at main@2222222\n' })
    await waitUntil(() => control.watchers() === 0)
  })

  it('ends with 3 when the revision is degraded', async () => {
    const control = fakeControl({ apps: [appView()] })
    const waiting = (await overSocket(control)).run('wait', 'shop', '--revision', REVISION_2)
    await waitUntil(() => control.watchers() === 1)
    const bad = workloadView({ health: 'Degraded', reasons: [{ code: 'BackOff', message: 'exited with code 1', count: 1 }] })
    change(control, { ...SECOND, health: 'Degraded', workloads: [bad] })
    expect(await waiting).toMatchObject({ exit: 3, stderr: expect.stringContaining('BackOff: exited with code 1') })
  })

  it('ends with 5 when another revision took the place of the asked one', async () => {
    const history = [
      historyView({ id: 3, revision: `main@sha1:${'3'.repeat(40)}` }),
      historyView({ id: 2, revision: REVISION_2, outcome: 'Superseded' }),
    ]
    const control = fakeControl({ apps: [appView()], history })
    expect(await (await overSocket(control)).run('wait', 'shop', '--revision', REVISION_2)).toMatchObject({ exit: 5 })
  })

  it('ends with 3 as soon as the asked revision is rolled back', async () => {
    const rolling = workloadView({ health: 'Degraded', rollout: rolloutView() })
    const control = fakeControl({ apps: [appView({ ...SECOND, health: 'Degraded', workloads: [rolling] })] })
    const cli = await overSocket(control)
    const waiting = cli.run('wait', 'shop', '--revision', REVISION_2, '--timeout', '20s')
    await waitUntil(() => cli.printed().stderr.includes('Rolling'))
    control.data.history = [historyView({ id: 2, revision: REVISION_2, outcome: 'RolledBack', reason: 'CrashLoop: no' })]
    change(control, { ...SECOND, workloads: [workloadView({ quarantine: quarantineView() })] })
    expect(await waiting).toMatchObject({ exit: 3, stderr: expect.stringContaining('main@2222222 was rolled back: CrashLoop: no') })
  })

  const looks: [string, Record<string, string>, boolean, boolean][] = [
    ['colour', {}, true, true],
    ['none with NO_COLOR', { NO_COLOR: '1' }, true, false],
    ['none in a log', {}, false, false],
  ]
  it.each(looks)('shows how workloads come along, with %s', async (_, env, stderr, colour) => {
    const rolling = workloadView({ health: 'Progressing', rollout: rolloutView() })
    const control = fakeControl({ apps: [appView({ health: 'Progressing', workloads: [rolling] })] })
    const url = await serve(control)
    const isTTY = { stdin: false, stdout: false, stderr }
    const cli = cliOver(control, { fetch: globalThis.fetch, isTTY, env: { ...env, DROVER_SERVER: url } })
    const waiting = cli.run('wait', 'deployment/web', '--healthy', '--timeout', '20s')
    await waitUntil(() => cli.printed().stderr.includes('2/2 ready, 2 updated'))
    change(control, {})
    const done = await waiting
    expect(done).toMatchObject({ exit: 0, stdout: '', stderr: expect.stringMatching(/deployment\/web is healthy\n$/) })
    expect(done.stderr.includes('\u001b[33mRolling')).toBe(colour)
    expect(done.stderr.includes('\u001b[1A')).toBe(stderr)
  })

  it('waits for a run to end', async () => {
    const control = fakeControl({ runs: [runView({ phase: 'Running', finishedAt: null, exitCode: null })] })
    const waiting = (await overSocket(control)).run('wait', 'run/migrate-1')
    await waitUntil(() => control.watchers() === 1)
    control.data.runs = [runView({ phase: 'Failed', exitCode: 7, reason: 'BackoffLimitExceeded' })]
    control.touch()
    expect(await waiting).toMatchObject({ exit: 3, stderr: expect.stringContaining('exit code 7') })
  })

  it('ends with 4 when a run takes too long, and with 5 when it goes away', async () => {
    const control = fakeControl({ runs: [runView({ phase: 'Running', finishedAt: null, exitCode: null })] })
    const cli = await overSocket(control)
    const late = await cli.run('wait', 'run/migrate-1', '--timeout', '2s')
    expect(late).toMatchObject({ exit: 4, stderr: expect.stringContaining('run/migrate-1 is Running') })
    const waiting = cli.run('wait', 'run/migrate-1')
    await waitUntil(() => control.watchers() === 1)
    control.data.runs = []
    control.touch()
    expect(await waiting).toMatchObject({ exit: 5, stderr: expect.stringContaining('there is no run "migrate-1"') })
  })

  it('waits for a workload that a revision is about to bring', async () => {
    const control = fakeControl({ apps: [appView({ workloads: [], sync: 'OutOfSync', observedRevision: REVISION_2 })] })
    const waiting = (await overSocket(control)).run('wait', 'deployment/web')
    await waitUntil(() => control.watchers() === 1)
    change(control, SECOND)
    expect(await waiting).toMatchObject({ exit: 0 })
  })

  it('of a workload asks whether it runs the revision, also when the rest of it was rolled back', async () => {
    const runs = workloadView({ revision: REVISION_2 })
    const held = appView({ ...SECOND, lastAppliedRevision: REVISION_1, sync: 'OutOfSync', workloads: [runs] })
    const history = [historyView({ id: 2, revision: REVISION_2, outcome: 'RolledBack', reason: 'CrashLoop: api' })]
    const cli = await overSocket(fakeControl({ apps: [held], history }))
    expect(await cli.run('wait', 'deployment/web', '--revision', REVISION_2)).toMatchObject({ exit: 0 })
    expect(await cli.run('wait', 'shop', '--revision', REVISION_2)).toMatchObject({ exit: 3 })
  })

  it('goes on while nobody leads', async () => {
    const leading = fakeControl({ apps: [appView()] })
    let refused = 0
    const electing: FakeControl = {
      ...leading,
      apps: () => {
        refused += 1
        if (refused < 3) throw new RequestError('Unavailable', 'this control plane does not lead yet')
        return leading.apps()
      },
    }
    const waiting = (await overSocket(electing)).run('wait', 'shop', '--healthy')
    const nudged = setInterval(() => leading.touch(), 50)
    expect(await waiting).toMatchObject({ exit: 0 })
    clearInterval(nudged)
    expect(refused).toBe(3)
  })

  it('connects again when the server goes away for a while and comes back', async () => {
    const control = fakeControl({ apps: [appView({ health: 'Progressing' })] })
    const env = { DROVER_SERVER: await serve(control) }
    let refused = 0
    const counting: typeof fetch = async (input, init) =>
      globalThis.fetch(input, init).catch((error: unknown) => {
        refused += 1
        throw error
      })
    const waiting = cliOver(control, { fetch: counting, env }).run('wait', 'shop', '--timeout', '20s')
    await waitUntil(() => control.watchers() === 1)
    const port = Number(new URL(serving?.url ?? '').port)
    await serving?.close()
    await waitUntil(() => refused >= 2)
    control.data.apps = [appView()]
    await serve(control, port)
    expect(await waiting).toMatchObject({ exit: 0 })
  })

  it('ends with 130 when it is interrupted', async () => {
    const control = fakeControl({ apps: [appView({ health: 'Progressing' })] })
    const interrupt = new AbortController()
    const waiting = (await overSocket(control, interrupt.signal)).run('wait', 'shop')
    await waitUntil(() => control.watchers() === 1)
    interrupt.abort()
    expect((await waiting).exit).toBe(130)
  })
})

describe('sync --wait', () => {
  it('waits for the revision that the sync found', async () => {
    const control = fakeControl({ apps: [appView()] })
    control.onSync = () => change(control, { ...SECOND, lastAppliedRevision: REVISION_1, sync: 'OutOfSync' })
    const waiting = (await overSocket(control)).run('sync', 'shop', '--wait')
    await waitUntil(() => control.watchers() === 1)
    change(control, SECOND)
    expect(await waiting).toMatchObject({ exit: 0, stderr: 'shop is healthy at main@2222222\n' })
    expect(control.asked[0]?.request).toEqual({ allowDelete: 'WithinBudget', plan: null, retry: 'No', actor: 'cli:ann' })
  })

  it('ends with 2 for a revision with invalid manifests', async () => {
    const control = fakeControl({ apps: [appView()] })
    const problems = [{ file: 'web.yaml', line: 3, column: 1, message: 'no', hint: null }]
    control.onSync = () => change(control, { ...SECOND, lastAppliedRevision: REVISION_1, sync: 'OutOfSync', problems })
    expect(await (await overSocket(control)).run('sync', 'shop', '--wait')).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('web.yaml:3:1'),
    })
  })

  it('ends with 3 for a revision that is held, and tells how to go on', async () => {
    const control = fakeControl({ apps: [appView()] })
    const holds = [
      { gate: 'DeletionBudget' as const, message: 'removes 9', since: '2026-11-20T12:00:00.000Z', unblockBy: 'sync --allow-delete' },
    ]
    control.onSync = () => change(control, { ...SECOND, lastAppliedRevision: REVISION_1, sync: 'OutOfSync', holds })
    const done = await (await overSocket(control)).run('sync', 'shop', '--wait')
    expect(done).toMatchObject({ exit: 3, stderr: expect.stringContaining('unblock: sync --allow-delete') })
  })
})

describe('watching', () => {
  it('prints what is new, and one line a change for machines', async () => {
    const control = fakeControl({ ...shop(), tasks: [taskView()] })
    const interrupt = new AbortController()
    const cli = await overSocket(control, interrupt.signal)
    const watching = cli.run('get', 'tasks', '-w', '-o', 'json')
    await waitUntil(() => cli.printed().stdout.includes('"ADDED"'))
    control.data.tasks = [taskView({ phase: 'Stopping' })]
    control.touch()
    await waitUntil(() => cli.printed().stdout.includes('"MODIFIED"'))
    control.data.tasks = []
    control.touch()
    await waitUntil(() => cli.printed().stdout.includes('"DELETED"'))
    interrupt.abort()
    const { exit, stdout } = await watching
    const types = stdout
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line).type)
    expect({ exit, types }).toEqual({ exit: 130, types: ['ADDED', 'MODIFIED', 'DELETED'] })
  })

  it('prints only new events', async () => {
    const control = fakeControl(shop())
    const interrupt = new AbortController()
    const cli = await overSocket(control, interrupt.signal)
    const watching = cli.run('events', '-w')
    await waitUntil(() => cli.printed().stdout.includes('CrashLoop'))
    const [first] = control.data.events
    if (first !== undefined) control.data.events = [...control.data.events, { ...first, id: 'e3', reason: 'RolledBack' }]
    control.touch()
    await waitUntil(() => cli.printed().stdout.includes('RolledBack'))
    interrupt.abort()
    const { stdout } = await watching
    expect(stdout.match(/CrashLoop/g)).toHaveLength(1)
    expect(stdout.match(/LEVEL/g)).toHaveLength(1)
  })

  it('follows the logs of all tasks of a deployment until it is interrupted', async () => {
    const control = fakeControl(shop())
    const interrupt = new AbortController()
    const cli = await overSocket(control, interrupt.signal)
    const following = cli.run('logs', 'deployment/web', '-f')
    await waitUntil(() => cli.printed().stdout.includes('20001') && cli.printed().stdout.includes('20002'))
    interrupt.abort()
    expect((await following).exit).toBe(130)
    await waitUntil(() => control.openLogs() === 0)
  })
})

describe('following a run', () => {
  const going = (over: Partial<RunView> = {}) => runView({ phase: 'Running', finishedAt: null, exitCode: null, attempts: [], ...over })
  const part = (id: string, over: Partial<TaskView> = {}) => taskView({ id, kind: 'Job', workload: 'migrate', run: 'migrate-1', ...over })
  const said = (text: string): LogLine[] => [{ stream: 'stdout', at: null, text }]
  const ended = (attempt: number) => attemptView({ attempt, task: 'a' })

  async function following(control: FakeControl, ...more: string[]) {
    const cli = await overSocket(control)
    return { cli, done: cli.run('logs', 'run/migrate-1', '-f', ...more) }
  }

  it('goes on with each attempt and each task that begins, and ends when the run has', async () => {
    const logs = { 'a.1': said('first try'), 'a.2': said('second try'), 'b.1': said('the other half') }
    const control = fakeControl({ runs: [going()], tasks: [part('a')], logs })
    const { cli, done } = await following(control)
    await waitUntil(() => cli.printed().stdout === 'first try\n')
    control.data.tasks = [part('a', { attempt: 2, phase: 'Preparing', attempts: [ended(1)] })]
    control.touch()
    await waitUntil(() => control.openLogs() === 0)
    control.data.tasks = [part('a', { attempt: 2, attempts: [ended(1)] }), part('b', { slot: '1' })]
    control.touch()
    await waitUntil(() => cli.printed().stdout.includes('second try') && cli.printed().stdout.includes('half'))
    control.data.tasks = [part('a', { attempt: 2, phase: 'Succeeded' }), part('b', { slot: '1', phase: 'Succeeded' })]
    control.data.runs = [going({ phase: 'Succeeded', finishedAt: '2026-11-20T12:00:00.000Z' })]
    control.touch()
    const { exit, stdout } = await done
    expect(exit).toBe(0)
    expect(stdout.split('\n').toSorted()).toEqual(['', 'a second try', 'b the other half', 'first try'])
    await waitUntil(() => control.openLogs() === 0 && control.watchers() === 0)
  })

  it('begins with the newest attempt and its last lines, and gives all of what comes later', async () => {
    const control = fakeControl({
      runs: [going()],
      tasks: [part('a', { attempt: 2, attempts: [ended(1)] })],
      logs: { 'a.1': said('old'), 'a.2': [...said('one'), ...said('two')], 'a.3': [...said('three'), ...said('four')] },
    })
    const { cli, done } = await following(control, '--tail', '1')
    await waitUntil(() => cli.printed().stdout === 'two\n')
    control.data.tasks = [part('a', { attempt: 3, attempts: [ended(2)] })]
    control.touch()
    await waitUntil(() => cli.printed().stdout === 'two\nthree\nfour\n')
    control.data.tasks = [part('a', { attempt: 3, phase: 'Failed' })]
    control.data.runs = [going({ phase: 'Failed', finishedAt: '2026-11-20T12:00:00.000Z' })]
    control.touch()
    expect((await done).exit).toBe(0)
  })

  it('shows the attempt that is asked for, of each task that has come to it and of those that yet do', async () => {
    const logs = { 'a.1': said('first of a'), 'a.2': said('no'), 'b.1': said('first of b'), 'b.2': said('no') }
    const control = fakeControl({ runs: [going()], tasks: [part('a', { attempt: 2, attempts: [ended(1)] })], logs })
    const { cli, done } = await following(control, '--attempt', '1')
    await waitUntil(() => cli.printed().stdout === 'first of a\n')
    control.data.tasks = [part('a', { attempt: 2, attempts: [ended(1)] }), part('b', { slot: '1' })]
    control.touch()
    await waitUntil(() => cli.printed().stdout.includes('first of b'))
    control.data.tasks = [part('b', { slot: '1', attempt: 2, attempts: [attemptView({ task: 'b' })] })]
    control.touch()
    await waitUntil(() => control.openLogs() === 0)
    control.data.runs = [going({ phase: 'Succeeded', finishedAt: '2026-11-20T12:00:00.000Z' })]
    control.touch()
    expect(await done).toMatchObject({ exit: 0, stdout: 'first of a\nb first of b\n' })
  })

  it('shows one that is over as it is, task by task, and says which are gone', async () => {
    const attempts = [attemptView({ task: 'a' }), attemptView({ task: 'b' })]
    const control = fakeControl({ runs: [runView({ attempts })], tasks: [part('b', { phase: 'Succeeded' })], logs: { b: said('done') } })
    const { done } = await following(control)
    expect(await done).toMatchObject({ exit: 0, stdout: 'b done\n', stderr: 'task/a: there is no task "a"\n' })
  })

  it('ends with an error when it hears no more of the run', async () => {
    const control = fakeControl({ runs: [going()], tasks: [part('a')], logs: { a: said('one') } })
    control.changes = async function* () {
      yield
    }
    const { done } = await following(control)
    expect(await done).toMatchObject({ exit: 1, stderr: expect.stringContaining('the connection ended before run/migrate-1 did') })
    await waitUntil(() => control.openLogs() === 0)
  })
})

describe('a server that is not there', () => {
  it('is told with what to do', async () => {
    const url = await serve(fakeControl())
    await serving?.close()
    const cli = cliOver(fakeControl(), { fetch: globalThis.fetch, env: {} })
    for (const command of ['status', 'wait shop', 'get tasks', 'plan']) {
      const { exit, stderr } = await cli.run(...command.split(' '), '--server', url)
      expect({ command, exit }).toEqual({ command, exit: 1 })
      expect(stderr).toContain(`no control plane answers at ${url}`)
      expect(stderr).toContain('hint: start one with `drover up --repo PATH`, or set --server or DROVER_SERVER')
    }
    expect((await cli.run('version', '--server', url)).stdout).toContain('server none')
  })
})
