import { expect, it } from 'vitest'
import type { AttemptRef, Driver, Handle } from '../../../runtime/driver.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { type Behaviour, type Bench, type Has, never, newRef, type Patient, RUN } from './bench.ts'

export function stopTests(bench: () => Bench, has: Has, patient: Patient): void {
  async function running(behaviour: Behaviour): Promise<{ driver: Driver; ref: AttemptRef; handle: Handle }> {
    const driver = await bench().driver()
    const ref = newRef()
    const handle = await bench().start(driver, ref, behaviour)
    await bench().begun(ref)
    return { driver, ref, handle }
  }

  it('ends a task well inside its grace', async () => {
    const { driver, ref, handle } = await running(RUN)
    const waiting = driver.wait(handle, never())
    const began = performance.now()
    await driver.stop(handle, 60_000)
    expect(performance.now() - began).toBeLessThan(patient.timeoutMs)
    expect(await bench().alive(ref)).toBe(0)
    expect((await waiting).finishedAt).toBeGreaterThan(0)
  })

  it('is success for a task that has ended, and keeps its exit', async () => {
    const { driver, handle } = await running({ kind: 'exit', code: 2, afterMs: 10 })
    await driver.wait(handle, never())
    await driver.stop(handle, 1_000)
    await driver.stop(handle, 1_000)
    expect(await driver.wait(handle, never())).toMatchObject({ exitCode: 2 })
  })

  it('may be asked for several times at once', async () => {
    const { driver, ref, handle } = await running(RUN)
    await Promise.all([driver.stop(handle, 5_000), driver.stop(handle, 5_000)])
    expect(await bench().alive(ref)).toBe(0)
  })

  if (has('ignoreTerm')) {
    it('A7: kills what ignores TERM once the grace is over', async () => {
      const { driver, ref, handle } = await running({ kind: 'ignoreTerm' })
      const began = performance.now()
      await driver.stop(handle, 300)
      expect(performance.now() - began).toBeGreaterThanOrEqual(290)
      expect(await bench().alive(ref)).toBe(0)
      expect(await driver.wait(handle, never())).toMatchObject({ exitCode: 137 })
    })

    it('kills at once, in the middle of a longer grace, when asked with none', async () => {
      const { driver, ref, handle } = await running({ kind: 'ignoreTerm' })
      const slow = driver.stop(handle, 60_000)
      await driver.stop(handle, 0)
      await slow
      expect(await bench().alive(ref)).toBe(0)
    })
  }

  if (has('tree')) {
    it('A7: takes the whole tree, wherever its children went', async () => {
      const { driver, ref, handle } = await running({ kind: 'tree' })
      await waitUntil(async () => (await bench().alive(ref)) >= 3, patient)
      await driver.stop(handle, 300)
      expect(await bench().alive(ref)).toBe(0)
    })
  }
}
