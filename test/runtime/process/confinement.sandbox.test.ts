import { afterEach, describe, expect, it } from 'vitest'
import { Isolation } from '../../../src/model/process.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { processSpec } from './harness.ts'
import { counter } from './leaves.ts'
import { pidsWith, type Setup, uniqueSeconds, Workbench } from './workbench.ts'

let bench: Workbench
const open = async (setup: Setup = {}): Promise<void> => {
  bench = await Workbench.open(() => setup)
}
afterEach(() => bench.close())

const CONFINED = Isolation.options.filter((isolation) => isolation !== 'none')

describe('a task that leaves its session, forgets its environment and ignores TERM', () => {
  const daemons = (seconds: string) => [
    'sh',
    '-c',
    `trap "" TERM; (setsid env -i sh -c 'sleep ${seconds} & exec sleep ${seconds}' &); exec sleep ${seconds}`,
  ]

  it.each(CONFINED)('A7: is gone with all of its children once it is stopped, with isolation %s', async (isolation) => {
    await open()
    const seconds = uniqueSeconds()
    const handle = await bench.start(processSpec(daemons(seconds), { isolation }))
    await waitUntil(async () => (await pidsWith('sleep', seconds)).length === 3)
    await bench.driver.stop(handle, 300)
    expect(await pidsWith('sleep', seconds)).toEqual([])
  })

  it('leaves them behind with isolation none, where nothing tells any more whose they are', async () => {
    await open()
    const seconds = uniqueSeconds()
    const handle = await bench.start(processSpec(daemons(seconds), { isolation: 'none' }))
    await waitUntil(async () => (await pidsWith('sleep', seconds)).length === 3)
    await bench.driver.stop(handle, 300)
    const left = await pidsWith('sleep', seconds)
    expect(left).toHaveLength(2)
    for (const pid of left) process.kill(pid, 'SIGKILL')
  })
})

describe.each(CONFINED)('the limits of isolation %s', (isolation) => {
  it('memory: the kernel kills what wants more, and that is what is said', async () => {
    await open()
    const eater = [process.execPath, '-e', 'const all = []; for (;;) all.push(Buffer.alloc(2 ** 20, 1))']
    const { exit } = await bench.run(eater, { isolation, limits: { memoryBytes: 48 * 2 ** 20 } })
    expect(exit).toMatchObject({ exitCode: 137, signal: 'SIGKILL', reason: 'OOMKilled' })
  })

  const forks = ['sh', '-c', 'i=0; while [ $i -lt 60 ]; do sleep 1000 & i=$((i+1)); done; echo all']

  it('processes: no more than the policy of the machine gives', async () => {
    await open({ policy: { maxPids: 24 } })
    const { exit, out } = await bench.run(forks, { isolation })
    expect(exit.exitCode).not.toBe(0)
    expect(out.join()).toMatch(/fork/i)
  })

  it('processes: as many where it gives more', async () => {
    await open()
    expect(await bench.run(forks, { isolation })).toMatchObject({ exit: { exitCode: 0 }, out: ['all'] })
  })

  it('cpu: the kernel holds it back, and does not without a limit', async () => {
    await open()
    const busy = ['sh', '-c', 'while :; do :; done']
    const throttled = () => counter(bench.harness.stateDir, bench.ref, { ability: 'cpu', file: 'cpu.stat', name: 'nr_throttled' })
    await bench.start(processSpec(busy, { isolation, limits: { cpuMillis: 100 } }))
    await waitUntil(async () => (await throttled()) > 3)
    await bench.driver.remove(bench.ref)
    const seconds = uniqueSeconds()
    const asBusy = `i=0; while [ $i -lt 500000 ]; do i=$((i+1)); done; exec sleep ${seconds}`
    await bench.start(processSpec(['sh', '-c', asBusy], { isolation }))
    await waitUntil(async () => (await pidsWith('sleep', seconds)).length > 0)
    expect(await throttled()).toBe(0)
  })
})
