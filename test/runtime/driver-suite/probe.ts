import { expect, it } from 'vitest'
import type { AttemptRef, Driver, Handle, ProbeResult } from '../../../runtime/driver.ts'
import type { ProbeCheck } from '../../../src/model/probe.ts'
import type { TaskSpec } from '../../../src/model/task-spec.ts'
import { freePort } from '../../support/free-port.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { type Behaviour, type Bench, never, newRef, RUN } from './bench.ts'

interface Subject {
  readonly driver: Driver
  readonly ref: AttemptRef
  readonly handle: Handle
  readonly spec: TaskSpec
  ask(check: ProbeCheck, signal?: AbortSignal): Promise<ProbeResult>
}

const exec = (text: string, ...args: string[]): ProbeCheck => ({ type: 'exec', command: ['sh', '-c', text, 'sh', ...args] })
const tcp = (port: number): ProbeCheck => ({ type: 'tcp', host: null, port })
const http = (port: number, path: string): ProbeCheck => ({ type: 'http', scheme: 'HTTP', host: null, port, path, headers: [] })
const failed = (message: string) => ({ passed: false, message: expect.stringContaining(message) })
const PASSED = { passed: true }

export function probeTests(bench: () => Bench): void {
  async function running(behaviour: Behaviour = RUN): Promise<Subject> {
    const driver = await bench().driver()
    const ref = newRef()
    const handle = await bench().start(driver, ref, behaviour)
    const spec = bench().harness.spec(behaviour, ref)
    const ask = (check: ProbeCheck, signal = never()): Promise<ProbeResult> =>
      driver.probe(handle, { check, spec, secrets: new Map() }, signal)
    return { driver, ref, handle, spec, ask }
  }

  async function serving(): Promise<Subject & { port: number }> {
    const port = await freePort()
    const subject = await running({ kind: 'serve', port })
    await waitUntil(async () => (await subject.ask(tcp(port))).passed)
    return { ...subject, port }
  }

  it('a plain task has no health of its own, and is not starting for ever', async () => {
    const { driver, handle } = await running()
    expect(await driver.health(handle)).toBe('none')
  })

  it('exec: passes with exit code 0, and fails with the code and the first line of what was said', async () => {
    const { ask } = await running()
    expect(await ask(exec('echo fine; exit 0'))).toEqual(PASSED)
    expect(await ask(exec('(echo; echo not yet; echo more) >&2; exit 3'))).toEqual({ passed: false, message: 'exit code 3: not yet' })
    expect(await ask(exec('exit 1'))).toEqual({ passed: false, message: 'exit code 1' })
  })

  it('exec: sees what the task sees, and no shell reads its arguments', async () => {
    const { ask, ref } = await running()
    expect(await ask(exec('test "$DROVER_ATTEMPT" = "$1"', String(ref.attempt)))).toEqual(PASSED)
    expect(await ask(exec('echo "$1"; exit 1', '$(id) `id` "'))).toEqual(failed('$(id) `id` "'))
  })

  it('exec: a program that is not there fails', async () => {
    const { ask } = await running()
    expect(await ask({ type: 'exec', command: ['/no/such/program'] })).toEqual(failed('/no/such/program'))
  })

  it('exec: an endless output is neither kept nor waited for', async () => {
    const { ask } = await running()
    const result = await ask(
      exec('i=0; while [ $i -lt 20000 ]; do echo "line $i of many that nobody wants to read"; i=$((i+1)); done; exit 1'),
    )
    expect(result).toEqual({ passed: false, message: 'exit code 1: line 0 of many that nobody wants to read' })
  })

  it('exec: nothing of it is left when its patience ends, and the task goes on', async () => {
    const { ask, ref, driver, handle } = await running()
    await bench().begun(ref)
    const patience = new AbortController()
    const asked = ask(exec('trap "" TERM; sleep 1000 & sleep 1000; sleep 1000'), patience.signal)
    await waitUntil(async () => (await bench().alive(ref)) > 1)
    patience.abort()
    expect(await asked).toEqual(failed('timed out'))
    await waitUntil(async () => (await bench().alive(ref)) === 1)
    await driver.stop(handle, 0)
  })

  it('exec: what it leaves behind does not outlive the task', async () => {
    const { ask, ref, driver, handle } = await running()
    await ask(exec('(setsid sleep 1000 > /dev/null 2>&1 < /dev/null &)'))
    await driver.stop(handle, 1_000)
    await driver.wait(handle, never())
    expect(await bench().alive(ref)).toBe(0)
  })

  it('http: 200 and a redirect pass, 404 and silence do not', async () => {
    const { ask, port } = await serving()
    expect(await ask(http(port, '/'))).toEqual(PASSED)
    expect(await ask(http(port, '/moved'))).toEqual(PASSED)
    expect(await ask(http(port, '/missing'))).toEqual({ passed: false, message: `http://127.0.0.1:${port}/missing: status 404` })
    expect(await ask(http(port, '/cgi-bin/slow'), AbortSignal.timeout(1_000))).toEqual(failed('timed out'))
  })

  it('tcp: an open port passes, a closed one does not', async () => {
    const { ask, port } = await serving()
    expect(await ask(tcp(port))).toEqual(PASSED)
    const closed = await freePort()
    expect(await ask(tcp(closed))).toEqual({ passed: false, message: `tcp 127.0.0.1:${closed}: connection refused` })
  })

  it('an ended task fails its probes, and throws nothing; somebody else on its port does not answer for it', async () => {
    const { ask, driver, handle } = await running()
    const other = await serving()
    await driver.stop(handle, 1_000)
    await driver.wait(handle, never())
    for (const check of [exec('true'), tcp(other.port), http(other.port, '/')]) expect(await ask(check)).toEqual(failed('does not run'))
  })
}
