import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type AttemptRef, type Driver, type Handle, type Prepared, WHOLE_LOG } from '../../../runtime/driver.ts'
import { layoutOf } from '../../../runtime/drivers/process/names.ts'
import { memoryFolder } from '../../../runtime/memory-folder.ts'
import { TaskId } from '../../../src/model/ids.ts'
import type { TaskSpec, UnitSpec } from '../../../src/model/task-spec.ts'
import { TEST_KEYRING } from '../../support/vault.ts'
import { clearAway, type ProcessHarness, processHarness, processSpec } from './harness.ts'

const REF: AttemptRef = { task: TaskId.parse('job-1'), attempt: 1 }
const never = () => new AbortController().signal
const OF = 'default/db/password'
const CANARY = `canary'"$(id)\`\\ line one\nline two `

describe('secret variables of a process', () => {
  let harness: ProcessHarness
  let driver: Driver

  beforeEach(async () => {
    harness = await processHarness()
    driver = harness.make()
  })
  afterEach(() => clearAway(driver).then(harness.destroy))

  const prepared: Prepared = { artifacts: {}, secrets: new Map([[OF, CANARY]]) }
  const specOf = (script: string, unit: Partial<UnitSpec> = {}): TaskSpec =>
    processSpec(['sh', '-c', script], { env: { PLAIN: 'yes' }, secretEnv: { PASSWORD: TEST_KEYRING.seal(OF, CANARY) }, ...unit })
  async function start(spec: TaskSpec): Promise<Handle> {
    await driver.prepare(spec, never())
    return driver.start(REF, spec, prepared)
  }
  async function outputOf(script: string, unit: Partial<UnitSpec> = {}): Promise<string> {
    const handle = await start(specOf(script, unit))
    await driver.wait(handle, never())
    const lines: string[] = []
    for await (const { text } of driver.logs(handle, WHOLE_LOG, never())) lines.push(text)
    return lines.join('\n')
  }
  it('reach the program as they are, whatever is in them, beside plain ones', async () => {
    expect(await outputOf('printf "%s|%s" "$PASSWORD" "$PLAIN"')).toBe(`${CANARY}|yes`)
    const folder = await memoryFolder(`drover-process-${layoutOf(harness.stateDir).mark}`)
    expect(await readdir(folder)).toEqual([])
    await driver.close()
    await expect(stat(folder)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('change none of the plain ones, and stand for none of Drover', async () => {
    const names = { t: 'mine', l: 'too', DROVER_TASK: 'forged' }
    const said = await outputOf('printf "%s|%s|%s|%s" "$t" "$l" "$DROVER_TASK" "$(env | grep -c "^OLDPWD\\|^__drover")"', {
      env: names,
      secretEnv: { PASSWORD: TEST_KEYRING.seal(OF, CANARY), DROVER_MARK: TEST_KEYRING.seal(OF, CANARY) },
    })
    expect(said).toBe('mine|too|job-1|0')
    expect(await driver.owned()).toEqual([REF])
  })

  it.each([
    ['what a shell keeps for itself', { OPTIND: TEST_KEYRING.seal(OF, 'x') }, 'OPTIND cannot be a variable'],
    ['more than a variable may hold', { BIG: TEST_KEYRING.seal('default/db/big', 'x') }, 'BIG is longer than the 131072 bytes'],
  ])('are refused as %s', async (_, secretEnv, message) => {
    const secrets = new Map([...prepared.secrets, ['default/db/big', 'x'.repeat(131_072)]])
    const started = driver.start(REF, specOf('true', { secretEnv }), { artifacts: {}, secrets })
    await expect(started).rejects.toMatchObject({ code: 'InvalidVariable', message: expect.stringContaining(message) })
  })

  it('reach a program of another user', async () => {
    if (process.getuid?.() !== 0) throw new Error('this test runs a task as another user: run the tests as root')
    expect(await outputOf('id -un; printf "%s" "$PASSWORD"', { user: 'nobody' })).toBe(`nobody\n${CANARY}`)
  })

  it('are in no argument of any process, and in no file of the agent', async () => {
    const handle = await start(specOf('tr "\\0" " " < /proc/self/environ > /dev/null; exec sleep 1000'))
    const files = await readdir(harness.stateDir, { recursive: true, withFileTypes: true })
    const texts = await Promise.all(
      files.filter((file) => file.isFile()).map((file) => readFile(join(file.parentPath, file.name), 'latin1')),
    )
    for (const text of texts) expect(text).not.toContain('canary')
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    const commands = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')))
    for (const command of commands) expect(command).not.toContain(`canary'"`)
    await driver.stop(handle, 0)
  })

  it('reach the command of a probe', async () => {
    const spec = specOf('exec sleep 1000')
    const handle = await start(spec)
    const check = { type: 'exec' as const, command: ['sh', '-c', 'printf "%s" "$PASSWORD" | head -1; exit 1'] }
    expect(await driver.probe(handle, { check, spec, secrets: prepared.secrets }, never())).toEqual({
      passed: false,
      message: expect.stringContaining(CANARY.split('\n')[0] ?? ''),
    })
    const bare = { check: { type: 'exec' as const, command: ['sh', '-c', 'test ! -e /proc/self/fd/3'] }, spec, secrets: prepared.secrets }
    expect(await driver.probe(handle, bare, never())).toEqual({ passed: true })
    const unopened = driver.probe(handle, { ...bare, secrets: new Map() }, never())
    await expect(unopened, 'which says nothing of the task').rejects.toMatchObject({ name: 'RetryableError' })
  })

  it('that nobody opened keep it from starting', async () => {
    const spec = specOf('true')
    await driver.prepare(spec, never())
    const start = driver.start(REF, spec, { artifacts: {}, secrets: new Map() })
    await expect(start).rejects.toMatchObject({ name: 'RetryableError', message: expect.stringContaining(OF) })
  })
})
