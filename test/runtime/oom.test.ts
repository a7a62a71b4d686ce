import { readFile, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { WHOLE_LOG } from '../../runtime/driver.ts'
import { spareFromOomKiller } from '../../runtime/oom.ts'
import { silentLog } from '../../src/lib/log.ts'
import { newRef } from './driver-suite/bench.ts'
import { clearAway, type ProcessHarness, processHarness, processSpec } from './process/harness.ts'

const OWN = '/proc/self/oom_score_adj'
let before: string
let harness: ProcessHarness

beforeEach(async () => {
  before = await readFile(OWN, 'utf8')
  harness = await processHarness()
})
afterEach(async () => {
  await writeFile(OWN, before)
  await harness.destroy()
})

const CAP_SYS_RESOURCE = 24n

/** Not everywhere has root the right to it. */
async function mayLower(): Promise<boolean> {
  const [, rights = '0'] = /^CapEff:\s+(\S+)$/m.exec(await readFile('/proc/self/status', 'utf8')) ?? []
  return ((BigInt(`0x${rights}`) >> CAP_SYS_RESOURCE) & 1n) === 1n
}

it('A12: when memory runs out the agent and the shims are the last to be killed, and tasks are not spared', async () => {
  await spareFromOomKiller(silentLog)
  const driver = harness.make()
  const handle = await driver.start(newRef(), processSpec(['sh', '-c', `cat ${OWN} /proc/$PPID/oom_score_adj`]), harness.files)
  await driver.wait(handle, new AbortController().signal)
  const said: string[] = []
  for await (const { text } of driver.logs(handle, WHOLE_LOG, new AbortController().signal)) said.push(text)
  const own = (await readFile(OWN, 'utf8')).trim()
  expect(own).toBe((await mayLower()) ? '-999' : before.trim())
  expect(said).toEqual(['100', own])
  await clearAway(driver)
})
