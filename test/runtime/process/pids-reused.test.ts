import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Driver, Handle } from '../../../runtime/driver.ts'
import { layoutOf, pathsOf } from '../../../runtime/drivers/process/names.ts'
import { TaskId } from '../../../src/model/ids.ts'
import type { UnitSpec } from '../../../src/model/task-spec.ts'
import { compile } from '../../support/compile.ts'
import { inPidNamespace } from '../../support/pid-namespace.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { clearAway, type ProcessHarness, processHarness, processSpec } from './harness.ts'

interface Case {
  readonly isolation: UnitSpec['isolation']
  readonly end: 'exits' | 'is killed'
  readonly stranger: 'login' | 'daemon'
}

const CASES = ([undefined, 'none'] as const).flatMap((isolation) =>
  (['exits', 'is killed'] as const).flatMap((end) =>
    (['login', 'daemon'] as const).map((stranger): Case => ({ isolation, end, stranger })),
  ),
)

describe('the pids of a task and its shim, which strangers got while no agent looked', () => {
  let compiled: string
  beforeAll(async () => {
    compiled = await compile(new URL('./pids-reused.ts', import.meta.url), new URL('./racer.ts', import.meta.url))
  }, 60_000)
  afterAll(() => rm(compiled, { recursive: true }))

  /** What the next agent says of the task, and what became of the strangers. */
  async function nextAgent({ isolation, end, stranger }: Case): Promise<unknown> {
    const stateDir = await mkdtemp(join(tmpdir(), 'drover-reused-'))
    const command = ['sh', '-c', `until [ -e ${stateDir}/end ]; do sleep 0.05; done; exit 3`]
    const spec = JSON.stringify(processSpec(command, isolation === undefined ? {} : { isolation }))
    const script = join(compiled, 'test/runtime/process/pids-reused.js')
    const { program, args } = inPidNamespace([process.execPath, script, stateDir, spec, end, stranger])
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    const ended = once(child, 'exit').then(([code]) => ({ code }))
    const told = once(child, 'message').then(([message]) => message)
    const outcome: unknown = await Promise.race([told, ended])
    await ended
    await rm(stateDir, { recursive: true })
    return outcome
  }

  it.each(CASES)('A6: are not signalled: $isolation $end $stranger', async (one) => {
    const exit = one.end === 'exits' ? { exitCode: 3, reason: 'Error' } : { exitCode: null, reason: 'LostUnknownExit' }
    expect(await nextAgent(one)).toEqual({ ...exit, taken: 2, ended: [] })
  })
})

describe('a task without a cgroup, found when it and its shim are long gone', () => {
  const ref = { task: TaskId.parse('job-1'), attempt: 1 }
  const never = new AbortController().signal
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
  const paths = () => pathsOf(layoutOf(harness.stateDir), ref)

  /** Empty for one that has ended, although its parent does not know yet. */
  const commandLine = async (pid: number): Promise<string> =>
    (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ').trim()

  /** Nobody waits for it, so nobody has looked when this resolves. */
  async function ended(script: string): Promise<Handle> {
    const handle = await driver.start(ref, processSpec(['sh', '-c', script], { isolation: 'none' }), { artifacts: {}, secrets: new Map() })
    const [, shim] = (await readFile(paths().claim, 'utf8')).split(' ')
    await waitUntil(() => !existsSync(`/proc/${shim}`))
    return handle
  }

  it('leaves nothing behind that is in its session, not even what hides its environment', async () => {
    const handle = await ended('env -i sleep 1000 & echo $!; exit 3')
    const left = Number(await readFile(paths().stdout, 'utf8'))
    await waitUntil(async () => (await commandLine(left)) === 'sleep 1000')
    expect(await driver.wait(handle, never)).toMatchObject({ exitCode: 3 })
    expect(await commandLine(left)).toBe('')
  })

  it('A2, A6: touches nobody after a reboot, and tells its exit code', async () => {
    const handle = await ended('exit 3')
    const stranger = spawn('sh', ['-c', 'sleep 1000 & echo $!; wait'], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] })
    const [child] = await once(stranger.stdout, 'data')
    // While it becomes another program it has no command line, as if it had ended.
    await waitUntil(async () => (await commandLine(Number(child))) === 'sleep 1000')
    const intent = JSON.parse(await readFile(paths().intent, 'utf8'))
    await writeFile(paths().intent, JSON.stringify({ ...intent, boot: 'before' }))
    await writeFile(paths().claim, `shim ${stranger.pid} 1 before\n`)
    expect(await driver.wait(handle, never)).toMatchObject({ exitCode: 3 })
    expect(await commandLine(Number(child))).not.toBe('')
    process.kill(Number(child), 'SIGKILL')
  })
})
