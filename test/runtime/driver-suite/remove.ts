import { expect, it } from 'vitest'
import { waitUntil } from '../../support/wait-until.ts'
import { type Bench, keyOf, never, newRef, type Patient, RUN } from './bench.ts'

export function removeTests(bench: () => Bench, patient: Patient): void {
  it('takes every trace, and twice is success', async () => {
    const driver = await bench().driver()
    const ref = newRef()
    const handle = await bench().start(driver, ref, { kind: 'exit', code: 0, afterMs: 10 })
    await driver.wait(handle, never())
    await driver.remove(ref)
    await driver.remove(ref)
    expect(await bench().harness.outside(ref)).toMatchObject({ alive: 0, traces: [] })
  })

  it('ends what still runs', async () => {
    const driver = await bench().driver()
    const ref = newRef()
    await bench().start(driver, ref, RUN)
    await driver.remove(ref)
    expect(await bench().harness.outside(ref)).toMatchObject({ alive: 0, traces: [] })
  })

  it('takes the mark of an attempt that never started', async () => {
    const driver = await bench().driver()
    const ref = newRef()
    await driver.recover(ref)
    await driver.remove(ref)
    expect((await bench().harness.outside(ref)).traces).toEqual([])
  })

  it('owns running and ended attempts, over a restart, until they are removed', async () => {
    const before = await bench().driver()
    const running = newRef(1)
    const ended = newRef(12)
    await bench().start(before, running, RUN)
    await bench().start(before, ended, { kind: 'exit', code: 0, afterMs: 10 })
    const both = [running, ended].map(keyOf).sort()
    expect((await before.owned()).map(keyOf).sort()).toEqual(both)
    await before.close()
    const driver = await bench().driver()
    await waitUntil(async () => (await driver.owned()).length === both.length, patient)
    expect((await driver.owned()).map(keyOf).sort()).toEqual(both)
    await driver.remove(ended)
    expect((await driver.owned()).map(keyOf)).toEqual([keyOf(running)])
    await driver.remove(running)
    expect(await driver.owned()).toEqual([])
  })
}
