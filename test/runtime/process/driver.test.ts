import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Driver, type Exit, type Handle, WHOLE_LOG } from '../../../runtime/driver.ts'
import { probeCgroups, removeBases } from '../../../runtime/drivers/process/cgroup-tree.ts'
import { layoutOf, pathsOf } from '../../../runtime/drivers/process/names.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { RetryableError } from '../../../src/lib/errors.ts'
import type { UnitSpec } from '../../../src/model/task-spec.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { newRef } from '../driver-suite/bench.ts'
import { clearAway, launcherOf, livingPids, type ProcessHarness, processHarness, processSpec, realPid } from './harness.ts'

const REF = newRef()
const OTHER = newRef()
const ROOT = process.getuid?.() === 0

/** Said instead of a silent skip, or of an EPERM that explains nothing. */
function needsRoot(why: string): void {
  if (!ROOT) throw new Error(`this test ${why}, which only root may do: run the tests as root`)
}
const never = () => new AbortController().signal
const none = { artifacts: {}, secrets: new Map() }

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

const paths = (ref = REF) => pathsOf(layoutOf(harness.stateDir), ref)

async function start(command: readonly string[], unit: Partial<UnitSpec> = {}): Promise<Handle> {
  const spec = processSpec(command, unit)
  await driver.prepare(spec, never())
  return driver.start(REF, spec, none)
}

async function output(handle: Handle, stream: 'stdout' | 'stderr' = 'stdout'): Promise<string[]> {
  const lines: string[] = []
  for await (const line of driver.logs(handle, WHOLE_LOG, never())) if (line.stream === stream) lines.push(line.text)
  return lines
}

async function run(command: readonly string[], unit: Partial<UnitSpec> = {}): Promise<{ exit: Exit; out: string[] }> {
  const handle = await start(command, unit)
  const exit = await driver.wait(handle, never())
  return { exit, out: await output(handle) }
}

const shimPid = async (): Promise<number> => realPid((await readFile(paths().claim, 'utf8')).split(' ')[1])
const taskPid = async (): Promise<number> => realPid((await readFile(paths().pid, 'utf8')).split(' ')[0])

describe('what a process gets', () => {
  it('S-11: nothing of the environment of the agent but what is listed', async () => {
    process.env.AGENT_SECRET_TOKEN = 'canary'
    const { out } = await run(['env'], { env: { MINE: "it's $HOME `x`" } })
    delete process.env.AGENT_SECRET_TOKEN
    const names = out.map((line) => line.split('=')[0]).sort()
    const allowed = ['DROVER_ATTEMPT', 'DROVER_MARK', 'DROVER_TASK', 'HOME', 'LANG', 'MINE', 'PATH', 'TMPDIR', 'TZ']
    expect(names.filter((name) => !allowed.includes(name ?? ''))).toEqual([])
    expect(out).toContain("MINE=it's $HOME `x`")
    expect(out).toContain(`HOME=${join(paths().dir, 'work')}`)
  })

  it('its arguments as they are: nothing is read by a shell', async () => {
    const nasty = ["'; touch pwned; '", '$(touch pwned)', '`id`', '*', '', 'a\nb', '\\', '"', '-n', '~', 'é✓', '\x01\x7f']
    const program = 'process.stdout.write(JSON.stringify(process.argv.slice(1)))'
    const { out } = await run([process.execPath, '-e', program, '--', ...nasty])
    expect(JSON.parse(out.join('\n'))).toEqual(nasty)
    expect(await readdir(join(paths().dir, 'work'))).toEqual([])
  })

  it('S-10: its own home and temporary directory, default signals, umask 022, and no way to more rights', async () => {
    const script = 'pwd; umask; touch "$TMPDIR/x" "$HOME/y"; grep -E "NoNewPrivs|SigIgn" /proc/self/status'
    const { out } = await run(['sh', '-c', script])
    const [cwd, umask, ...status] = out
    expect(cwd).toBe(join(paths().dir, 'work'))
    expect(umask).toBe('0022')
    expect(status).toEqual(['SigIgn:\t0000000000000000', 'NoNewPrivs:\t1'])
  })

  it('leaves no environment on the disk once it runs', async () => {
    await start(['sleep', '1000'], { env: { PASSWORD: 'canary-77' } })
    const { stdout } = await promisify(execFile)('grep', ['-rl', 'canary-77', harness.stateDir]).catch(() => ({ stdout: '' }))
    expect(stdout).toBe('')
  })

  it('S-11: closes the state directory to others', async () => {
    await start(['sleep', '1000'])
    const modes = await Promise.all([paths().dir, paths().intent, paths().stdout].map(async (path) => (await stat(path)).mode & 0o777))
    expect(modes).toEqual([0o700, 0o600, 0o600])
  })

  it('S-10: limits of each of its processes, and no core dumps unless it asks for them', async () => {
    const { out } = await run(['sh', '-c', 'ulimit -n; ulimit -p; ulimit -c; ulimit -f'], {
      ulimits: { nofile: 77, nproc: 1234, fsize: 4096 },
    })
    expect(out).toEqual(['77', '1234', '0', '8'])
    await driver.remove(REF)
    expect((await run(['sh', '-c', 'ulimit -c; ulimit -H -c'], { ulimits: { core: 1024 } })).out).toEqual(['2', '2'])
  })

  it('S-10, S-11: another user, with neither rights nor a look into the state of the agent', async () => {
    needsRoot('runs a task as another user')
    const script = `id -u; id -g; grep -E "CapEff|CapBnd" /proc/self/status; cat ${paths().intent} 2>&1; echo written > file && cat "$HOME/file"`
    const { out } = await run(['sh', '-c', script], { user: 'nobody' })
    expect(out.slice(0, 2)).toEqual(['65534', '65534'])
    expect(out.slice(2, 4)).toEqual(['CapEff:\t0000000000000000', 'CapBnd:\t0000000000000000'])
    expect(out[4]).toContain('Permission denied')
    expect(out[5]).toBe('written')
  })
})

describe('what outlives whom', () => {
  it('keeps its word when the launcher was slow: a late shim of a dead agent runs nothing', async () => {
    const shell = await launcherOf(process.pid)
    const env = { LEDGER: harness.ledger }
    const touch = (name: string) => processSpec(['sh', '-c', `echo ran > "$LEDGER/${name}"`], { env })
    process.kill(shell, 'SIGSTOP')
    const late = driver.start(REF, touch('late'), none).catch((error: unknown) => error)
    await waitUntil(async () => (await readdir(paths().dir).catch((): string[] => [])).includes('intent.json'))
    await systemClock.sleep(50)
    const next = harness.make()
    expect(await next.recover(REF)).toEqual({ state: 'never-started' })
    process.kill(shell, 'SIGCONT')
    expect(await late).toMatchObject({ code: 'AttemptAbandoned' })
    // The launcher takes its requests in order, so the late one is through when this one has run.
    await driver.wait(await driver.start(OTHER, touch('other'), none), never())
    expect(await readdir(harness.ledger)).toEqual(['other'])
    await next.close()
  })

  it('A12: starts a new launcher in place of a killed one', async () => {
    process.kill(await launcherOf(process.pid), 'SIGKILL')
    expect((await run(['sh', '-c', 'exit 8'])).exit.exitCode).toBe(8)
  })

  it('A12: goes on without its shim, and is lost when it then ends', async () => {
    const handle = await start(['sleep', '1000'])
    process.kill(await shimPid(), 'SIGKILL')
    // It may not have become its program yet.
    await waitUntil(async () => (await livingPids(REF)).length > 0)
    process.kill(await taskPid(), 'SIGKILL')
    expect(await driver.wait(handle, never())).toMatchObject({ exitCode: null, signal: null, reason: 'LostUnknownExit' })
  })

  it('A2: is lost to a reboot of the machine, and no foreign process is touched', async () => {
    const stranger = process.pid
    const handle = await start(['sleep', '1000'], { isolation: 'none' })
    const task = await taskPid()
    const intent: unknown = JSON.parse(await readFile(paths().intent, 'utf8'))
    // As after a reboot: another boot id, and the old pids belong to somebody else.
    await writeFile(paths().intent, JSON.stringify(Object.assign({}, intent, { boot: 'before' })))
    await writeFile(paths().pid, `${stranger} 1 before 1 1\n`)
    await writeFile(paths().claim, `shim ${stranger} 1 before\n`)
    await driver.stop(handle, 0)
    expect(await driver.wait(handle, never())).toMatchObject({ exitCode: null, reason: 'HostReboot' })
    process.kill(task, 'SIGKILL')
    await waitUntil(async () => (await livingPids(REF)).length === 0)
  })

  it('A6: never signals a pid that has changed hands', async () => {
    const bystander = execFile('sleep', ['1000'])
    const handle = await start(['sleep', '1000'], { isolation: 'none' })
    const [, , boot, ...shim] = (await readFile(paths().pid, 'utf8')).trim().split(' ')
    await writeFile(paths().pid, `${bystander.pid} 12345 ${boot} ${shim.join(' ')}\n`)
    await driver.stop(handle, 100)
    expect(await livingPids(REF)).toEqual([])
    expect(bystander.exitCode).toBeNull()
    expect(bystander.signalCode).toBeNull()
    bystander.kill('SIGKILL')
  })

  it('A7: takes what the main process left behind before it says that the attempt is over', async () => {
    const { exit } = await run(['sh', '-c', '(setsid sh -c "trap : TERM; sleep 1000; sleep 1000" &) ; exit 0'])
    expect(exit).toMatchObject({ exitCode: 0, reason: 'Completed' })
    expect(await livingPids(REF)).toEqual([])
  })
})

describe('limits', () => {
  it('A12: memory: OOMKilled where there is a cgroup for it, a clear refusal where not', async () => {
    const { tree: cgroups } = await probeCgroups(`drover-test-${layoutOf(harness.stateDir).mark}`)
    const limited: Partial<UnitSpec> = { limits: { memoryBytes: 48 * 2 ** 20 }, isolation: 'cgroup' }
    const eater = [process.execPath, '-e', 'const all = []; for (;;) all.push(Buffer.alloc(2 ** 20, 1))']
    if (cgroups.some(({ abilities }) => abilities.has('memory'))) {
      const { exit } = await run(eater, limited)
      expect(exit).toMatchObject({ exitCode: 137, signal: 'SIGKILL', reason: 'OOMKilled' })
      expect(exit.peakMemoryBytes).toBeGreaterThan(40 * 2 ** 20)
      expect(exit.peakMemoryBytes).toBeLessThanOrEqual(48 * 2 ** 20)
    } else {
      await expect(start(eater, limited)).rejects.toMatchObject({ code: 'NoCgroup' })
    }
  })

  it('tells the peak of the memory of what ended while no agent was there', async () => {
    const eater = [process.execPath, '-e', 'process.exit(Buffer.alloc(64 * 2 ** 20, 1).length === 0 ? 1 : 5)']
    const handle = await start(eater, { isolation: 'cgroup' })
    await driver.close()
    await waitUntil(async () => (await readFile(paths().exit, 'utf8')).trim() !== '')
    driver = harness.make()
    const { exitCode, peakMemoryBytes } = await driver.wait(handle, never())
    expect(exitCode).toBe(5)
    expect(peakMemoryBytes).toBeGreaterThan(64 * 2 ** 20)
  })

  it('says nothing of the memory of what runs in no cgroup', async () => {
    expect((await run(['true'], { isolation: 'none' })).exit.peakMemoryBytes).toBeNull()
  })

  it('tells the peak of the memory after the end, and frees the cgroups', async () => {
    const handle = await start(['sh', '-c', 'exit 0'])
    await driver.wait(handle, never())
    const usage = await driver.stats(handle)
    expect(usage.memoryBytes).toBe(0)
    const { tree: cgroups } = await probeCgroups(`drover-test-${layoutOf(harness.stateDir).mark}`)
    for (const { base } of cgroups) expect(await readdir(base)).not.toContain(paths().key)
    if (cgroups.length > 0) expect(usage.peakMemoryBytes).toBeGreaterThan(0)
  })
})

describe('interrupted work', () => {
  it('builds anew what a killed agent had begun to build', async () => {
    await start(['true'])
    await driver.remove(REF)
    await mkdir(join(paths().dir, 'work'), { recursive: true })
    await writeFile(join(paths().dir, 'work/half'), 'written')
    expect((await run(['ls'])).out).toEqual([])
  })

  it('says the exit of a result written before, even when all else is gone', async () => {
    const handle = await start(['sh', '-c', 'exit 5'])
    const exit = await driver.wait(handle, never())
    for (const path of [paths().exit, paths().pid]) await rm(path)
    const next = harness.make()
    expect(await next.wait(handle, never())).toEqual(exit)
    await next.close()
  })
})

describe('a full disk', () => {
  let mounted: string
  let small: Driver
  beforeEach(async () => {
    needsRoot('mounts a small disk')
    mounted = join(harness.ledger, 'small')
    await mkdir(mounted)
    await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mounted])
    small = harness.make({ stateDir: mounted })
  })
  afterEach(async () => {
    await small.close()
    await removeBases((await probeCgroups(`drover-test-${layoutOf(mounted).mark}`)).tree)
    await promisify(execFile)('umount', ['--lazy', mounted])
  })

  it('A8: loses no exit code and keeps the driver going', async () => {
    const full = processSpec(['sh', '-c', 'cat /dev/zero > "$HOME/fill"; echo more; exit 9'])
    const handle = await small.start(REF, full, none)
    expect(await small.wait(handle, never())).toMatchObject({ exitCode: 9, reason: 'Error' })
    await expect(small.start(OTHER, full, none)).rejects.toThrow(RetryableError)
    await small.remove(REF)
    expect(await small.owned()).toEqual([])
  })
})
