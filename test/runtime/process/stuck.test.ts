import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { layoutOf, pathsOf } from '../../../runtime/drivers/process/names.ts'
import { StuckError } from '../../../src/lib/errors.ts'
import { hastyClock } from '../../support/hasty-clock.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { newRef } from '../driver-suite/bench.ts'
import { clearAway, livingPids, type ProcessHarness, processHarness, processSpec, realPid } from './harness.ts'

const run = promisify(execFile)
const never = () => new AbortController().signal

/** A process in a frozen cgroup of version 1 is in state D: no signal reaches it before it thaws. */
describe('a task with a process that cannot be killed', () => {
  let harness: ProcessHarness
  let mounted: string
  let frozen: string

  beforeEach(async () => {
    if (process.getuid?.() !== 0) throw new Error('this test freezes a process, which only root may do: run the tests as root')
    harness = await processHarness()
    mounted = await mkdtemp('/var/tmp/drover-freezer-')
    await run('mount', ['-t', 'cgroup', '-o', 'freezer', 'none', mounted])
    frozen = join(mounted, newRef().task)
    await mkdir(frozen)
  })
  afterEach(async () => {
    await rmdir(frozen)
    await run('umount', ['--lazy', mounted])
    await rm(mounted, { recursive: true })
    await harness.destroy()
  })

  it.each(['cgroup', 'none'] as const)('A7: is stuck, and over only when that is gone: isolation %s', async (isolation) => {
    const driver = harness.make({ clock: hastyClock(20) })
    const ref = newRef()
    const script = 'sleep 1000 & echo $! > child; while [ ! -e go ]; do sleep 0.05; done; exit 4'
    const handle = await driver.start(ref, processSpec(['sh', '-c', script], { isolation }), harness.files)
    const work = join(pathsOf(layoutOf(harness.stateDir), ref).dir, 'work')
    await waitUntil(async () => (await readFile(join(work, 'child'), 'utf8')).endsWith('\n'))
    const child = realPid(await readFile(join(work, 'child'), 'utf8'))
    await writeFile(join(frozen, 'cgroup.procs'), String(child))
    await writeFile(join(frozen, 'freezer.state'), 'FROZEN')
    try {
      await writeFile(join(work, 'go'), '')
      const stuck = expect.objectContaining({ message: expect.stringContaining(String(child)) })
      await expect(driver.wait(handle, never())).rejects.toSatisfy((error) => error instanceof StuckError)
      await expect(driver.stop(handle, 0)).rejects.toEqual(stuck)
      expect(await livingPids(ref)).toEqual([child])
    } finally {
      await writeFile(join(frozen, 'freezer.state'), 'THAWED')
    }
    expect(await driver.wait(handle, never())).toMatchObject({ exitCode: 4, reason: 'Error' })
    expect(await livingPids(ref)).toEqual([])
    await clearAway(driver)
  })
})
