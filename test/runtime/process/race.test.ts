import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AttemptRef, Driver, Exit } from '../../../runtime/driver.ts'
import { probeCgroups, removeBases } from '../../../runtime/drivers/process/cgroup-tree.ts'
import { createProcessDriver } from '../../../runtime/drivers/process/driver.ts'
import { layoutOf } from '../../../runtime/drivers/process/names.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { TaskId } from '../../../src/model/ids.ts'
import { DEFAULT_PROCESS_POLICY } from '../../../src/model/process-policy.ts'
import { compile } from '../../support/compile.ts'
import { clearAway, processSpec } from './harness.ts'

const AGENTS = 32
const ATTEMPTS_EACH = 4
const AGENTS_AT_A_TIME = 2
/** The starts of one agent are this far apart, so a kill finds each at another step. */
const APART_MS = 5
const LONGEST_LIFE_MS = 80
const EXIT_CODE = 3

interface Round {
  readonly ref: AttemptRef
  readonly found: 'never-started' | 'attached' | 'repeated'
  readonly exit: Exit | null
}

describe('an agent killed at any moment of a start', () => {
  let compiled: string
  let root: string
  let driver: Driver
  const never = new AbortController().signal
  const stateDir = () => join(root, 'state')

  beforeAll(async () => {
    compiled = await compile(new URL('./racer.ts', import.meta.url))
    root = await mkdtemp(join(tmpdir(), 'drover-race-'))
    await mkdir(join(root, 'ledger'))
    driver = createProcessDriver({
      stateDir: stateDir(),
      agent: 'racer',
      clock: systemClock,
      log: silentLog,
      policy: DEFAULT_PROCESS_POLICY,
    })
    await driver.fingerprint(never)
  }, 60_000)

  afterAll(async () => {
    await clearAway(driver)
    await removeBases((await probeCgroups(`drover-racer-${layoutOf(stateDir()).mark}`)).tree)
    for (const dir of [root, compiled]) await rm(dir, { recursive: true })
  }, 60_000)

  const spec = () =>
    processSpec(['sh', '-c', `echo ran >> "$LEDGER/$DROVER_TASK"; sleep 0.05; exit ${EXIT_CODE}`], {
      env: { LEDGER: join(root, 'ledger') },
    })

  async function killedAgent(tasks: readonly string[]): Promise<void> {
    const args = [stateDir(), tasks.join(','), JSON.stringify(spec()), String(APART_MS)]
    const agent = fork(join(compiled, 'test/runtime/process/racer.js'), args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    await once(agent, 'message')
    const ended = once(agent, 'exit')
    agent.send('go')
    await systemClock.sleep(Math.random() * LONGEST_LIFE_MS)
    agent.kill('SIGKILL')
    await ended
  }

  /** What the next agent makes of it: mostly it recovers, at times it asks for the same start once more. */
  async function takeOver(ref: AttemptRef, repeats: 'repeat' | 'recover'): Promise<Round> {
    if (repeats === 'repeat') {
      const handle = await driver.start(ref, spec(), { artifacts: {}, secrets: new Map() })
      return { ref, found: 'repeated', exit: await driver.wait(handle, never) }
    }
    const found = await driver.recover(ref)
    if (found.state === 'attached') return { ref, found: 'attached', exit: await driver.wait(found.handle, never) }
    return { ref, found: found.state === 'gone' ? expect.fail('nothing may be gone') : found.state, exit: null }
  }

  async function rounds(agent: number): Promise<Round[]> {
    const refs = Array.from({ length: ATTEMPTS_EACH }, (_, i) => ({ task: TaskId.parse(`race-${agent}-${i}`), attempt: 1 }))
    await killedAgent(refs.map(({ task }) => task))
    return Promise.all(refs.map((ref, i) => takeOver(ref, (agent + i) % 4 === 0 ? 'repeat' : 'recover')))
  }

  const runs = async (ref: AttemptRef): Promise<number> =>
    (await readFile(join(root, 'ledger', ref.task), 'utf8').catch(() => '')).split('\n').filter(Boolean).length

  it(`A1: never starts twice, never loses an exit code, and keeps its word: ${AGENTS * ATTEMPTS_EACH} starts`, async () => {
    const all: Round[] = []
    for (let first = 0; first < AGENTS; first += AGENTS_AT_A_TIME) {
      all.push(...(await Promise.all(Array.from({ length: AGENTS_AT_A_TIME }, (_, i) => rounds(first + i)))).flat())
    }
    const wrong: unknown[] = []
    for (const { ref, found, exit } of all) {
      const counted = await runs(ref)
      const right = found === 'never-started' ? counted === 0 : counted === 1 && exit?.exitCode === EXIT_CODE
      if (!right) wrong.push({ ref, found, exit, counted })
    }
    expect(wrong).toEqual([])
    // With no kill before and none after the start, nothing would have been raced.
    for (const found of ['never-started', 'attached', 'repeated']) {
      expect(all.filter((one) => one.found === found).length, found).toBeGreaterThan(0)
    }
  }, 120_000)
})
