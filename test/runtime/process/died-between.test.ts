import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AttemptRef, Driver } from '../../../runtime/driver.ts'
import { probeCgroups } from '../../../runtime/drivers/process/cgroup-tree.ts'
import { layoutOf, pathsOf } from '../../../runtime/drivers/process/names.ts'
import { TaskId } from '../../../src/model/ids.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { clearAway, launcherOf, type ProcessHarness, processHarness, processSpec } from './harness.ts'

const REF: AttemptRef = { task: TaskId.parse('job-1'), attempt: 1 }
const never = new AbortController().signal
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

async function cgroups(): Promise<string[]> {
  const { tree } = await probeCgroups(`drover-test-${layoutOf(harness.stateDir).mark}`)
  return tree.map(({ base }) => join(base, 'job-1.1'))
}

const still = (paths: readonly string[]): string[] => paths.filter((path) => existsSync(path))

describe('what an agent that died between two steps left is given back by the next', () => {
  it('the cgroups of an attempt whose terminal record was written', async () => {
    const handle = await driver.start(REF, processSpec(['sh', '-c', 'exit 5']), none)
    const exit = await driver.wait(handle, never)
    const leaves = await cgroups()
    for (const leaf of leaves) await mkdir(leaf)
    expect(await driver.wait(handle, never)).toEqual(exit)
    expect(still(leaves)).toEqual([])
  })

  it.each(['recover', 'stop'] as const)('the cgroups and the script of an attempt that was made but never started: %s', async (how) => {
    const shell = await launcherOf(process.pid)
    process.kill(shell, 'SIGSTOP')
    const start = driver.start(REF, processSpec(['true']), none).catch((error: unknown) => error)
    const { dir, intent, script } = pathsOf(layoutOf(harness.stateDir), REF)
    await waitUntil(() => existsSync(intent))
    const held = [script, ...(await cgroups())]
    expect(still(held)).toEqual(held)
    const next = harness.make()
    if (how === 'recover') expect(await next.recover(REF)).toEqual({ state: 'never-started' })
    else await next.stop({ ...REF, ref: 'job-1.1' }, 0)
    expect(still(held)).toEqual([])
    expect(still([dir])).toEqual([dir])
    process.kill(shell, 'SIGCONT')
    expect(await start).toMatchObject({ code: 'AttemptAbandoned' })
    await next.close()
  })
})
