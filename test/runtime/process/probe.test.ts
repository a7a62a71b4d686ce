import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Driver, Handle, ProbeResult } from '../../../runtime/driver.ts'
import { layoutOf, pathsOf } from '../../../runtime/drivers/process/names.ts'
import { TaskId } from '../../../src/model/ids.ts'
import { ProcessPolicy } from '../../../src/model/process-policy.ts'
import type { TaskSpec, UnitSpec } from '../../../src/model/task-spec.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { clearAway, livingPids, type ProcessHarness, processHarness, processSpec } from './harness.ts'

/** Its own on this machine, and short enough for its paths to be told whole. */
const REF = { task: TaskId.parse(`p-${randomBytes(2).toString('hex')}`), attempt: 1 }
const never = () => new AbortController().signal
function needsRoot(): void {
  if (process.getuid?.() !== 0) throw new Error('this test runs a task as another user, which only root may do: run the tests as root')
}
const PASSED: ProbeResult = { passed: true }

describe('the command of a probe', () => {
  let harness: ProcessHarness
  let driver: Driver

  beforeEach(async () => {
    harness = await processHarness()
    driver = harness.make()
  })
  afterEach(async () => {
    await clearAway(driver)
    await harness.destroy()
  })

  const paths = () => pathsOf(layoutOf(harness.stateDir), REF)
  const probe = (one: Driver, handle: Handle, spec: TaskSpec, command: string[], signal = never()) =>
    one.probe(handle, { check: { type: 'exec', command }, spec, secrets: new Map() }, signal)

  /** Runs a task, and gives what asks it. */
  async function start(
    unit: Partial<UnitSpec> = {},
  ): Promise<{ handle: Handle; spec: TaskSpec; ask: (text: string) => Promise<ProbeResult> }> {
    const spec = processSpec(['sleep', '1000'], unit)
    await driver.prepare(spec, never())
    const handle = await driver.start(REF, spec, { artifacts: {}, secrets: new Map() })
    return { handle, spec, ask: (text) => probe(driver, handle, spec, ['sh', '-c', text]) }
  }
  /** What it says on its way to failing. */
  async function said(asked: Promise<ProbeResult>): Promise<string> {
    const result = await asked
    return result.passed ? expect.fail('it passed') : result.message.replace(/^exit code \d+: /, '')
  }

  it('has the environment, the home and the folder of the task, and no more rights', async () => {
    const { ask } = await start({ env: { PORT_HTTP: '7001', ODD: "it's $HOME `x`" } })
    expect(await said(ask('echo "$PORT_HTTP $ODD $DROVER_TASK.$DROVER_ATTEMPT"; exit 1'))).toBe(`7001 it's $HOME \`x\` ${REF.task}.1`)
    expect(await said(ask('echo "$HOME $TMPDIR $(pwd) $(umask)"; exit 1'))).toBe(
      `${join(paths().dir, 'work')} ${join(paths().dir, 'tmp')} ${join(paths().dir, 'work')} 0022`,
    )
    expect(await said(ask('grep NoNewPrivs /proc/self/status; exit 1'))).toMatch(/NoNewPrivs:\s+1/)
    process.env.AGENT_SECRET_TOKEN = 'canary'
    expect(await ask('test -z "$AGENT_SECRET_TOKEN"')).toEqual(PASSED)
    delete process.env.AGENT_SECRET_TOKEN
  })

  it('runs as the user of the task, with neither rights nor a look into the state of the agent', async () => {
    needsRoot()
    const { ask } = await start({ user: 'nobody' })
    expect(await said(ask('echo "$(id -u) $(stat -c %u "$HOME")"; exit 1'))).toBe('65534 65534')
    expect(await ask(`! cat ${paths().intent}`)).toEqual(PASSED)
  })

  it('lets nothing that still has the rights of the agent see the environment of the task', async () => {
    needsRoot()
    // The loader of a program that runs as root could write there; one that runs as nobody cannot.
    const { ask } = await start({ user: 'nobody', env: { LD_DEBUG: 'files', LD_DEBUG_OUTPUT: join(harness.ledger, 'loaded') } })
    expect(await ask('true')).toEqual(PASSED)
    expect(await readdir(harness.ledger)).toEqual([])
  })

  it('is in the cgroups of the task, so that its limits hold', async () => {
    const { ask } = await start()
    const [pid = ''] = (await readFile(paths().pid, 'utf8')).split(' ')
    const own = await readFile(`/proc/${pid}/cgroup`, 'utf8')
    expect(await ask(`test "$(cat /proc/self/cgroup)" = '${own.trim()}'`)).toEqual(PASSED)
  })

  it('is found in the files that came with the task', async () => {
    const { handle, spec } = await start()
    expect(await probe(driver, handle, spec, ['./check.sh'])).toEqual({ passed: false, message: expect.stringContaining('check.sh') })
    await probe(driver, handle, spec, ['sh', '-c', 'printf "#!/bin/sh\\nexit 4\\n" > check.sh; chmod +x check.sh'])
    expect(await probe(driver, handle, spec, ['./check.sh'])).toEqual({ passed: false, message: 'exit code 4' })
  })

  it('is killed with all of its group when its patience ends, and tells a death by signal', async () => {
    const { handle, spec, ask } = await start()
    const patience = new AbortController()
    const asked = probe(driver, handle, spec, ['sh', '-c', 'sleep 1000 & sleep 1000'], patience.signal)
    await waitUntil(async () => (await livingPids(REF)).length === 4)
    patience.abort()
    expect(await asked).toEqual({ passed: false, message: 'timed out' })
    await waitUntil(async () => (await livingPids(REF)).length === 1)
    expect(await ask('kill -KILL $$')).toEqual({ passed: false, message: 'killed by SIGKILL' })
  })

  it('is not waited for by what it leaves behind', async () => {
    const { ask } = await start()
    const began = performance.now()
    expect(await ask('sleep 1000 & echo later; exit 2')).toEqual({ passed: false, message: 'exit code 2: later' })
    expect(performance.now() - began).toBeLessThan(3_000)
  })

  it('runs only where the agent allows it', async () => {
    const { handle, spec } = await start()
    const closed = harness.make({ policy: null })
    await expect(probe(closed, handle, spec, ['true'])).rejects.toMatchObject({ code: 'ProcessesNotAllowed' })
    const narrow = harness.make({ policy: ProcessPolicy.parse({ programs: ['/no/such/folder'] }) })
    expect(await probe(narrow, handle, spec, ['true'])).toEqual({ passed: false, message: expect.stringContaining('does not let') })
    await closed.close()
    await narrow.close()
  })
})
