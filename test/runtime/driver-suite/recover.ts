import { expect, it } from 'vitest'
import { type AttemptRef, type Driver, type Handle, WHOLE_LOG } from '../../../runtime/driver.ts'
import { TerminalError } from '../../../src/lib/errors.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { type Behaviour, type Bench, bare, collect, type Has, never, newRef, type Patient, RUN, texts } from './bench.ts'

export function recoverTests(bench: () => Bench, has: Has, patient: Patient): void {
  async function restarted(ref: AttemptRef, behaviour: Behaviour): Promise<Driver> {
    const before = await bench().driver()
    await bench().start(before, ref, behaviour)
    await before.close()
    return bench().driver()
  }

  async function attached(driver: Driver, ref: AttemptRef): Promise<Handle> {
    const found = await driver.recover(bare(ref))
    return found.state === 'attached' ? found.handle : expect.fail(`recovered as ${found.state}`)
  }

  it('attaches to a running task: it is well, can be stopped and waited for', async () => {
    const ref = newRef()
    const driver = await restarted(ref, RUN)
    const handle = await attached(driver, ref)
    expect(bare(handle)).toEqual(ref)
    expect(await bench().begun(ref)).toMatchObject({ starts: 1, alive: 1 })
    const waiting = driver.wait(handle, never())
    await driver.stop(handle, 2_000)
    await waiting
    expect(await bench().begun(ref)).toMatchObject({ starts: 1, alive: 0 })
  })

  it('waits for the exit of a task of the agent before', async () => {
    const ref = newRef()
    const driver = await restarted(ref, { kind: 'exit', code: 5, afterMs: 400 })
    expect(await driver.wait(await attached(driver, ref), never())).toMatchObject({ exitCode: 5, reason: 'Error' })
  })

  it('knows an exit that happened while no driver was alive', async () => {
    const ref = newRef()
    const before = await bench().driver()
    await bench().start(before, ref, { kind: 'exit', code: 6, afterMs: 150 })
    await before.close()
    await waitUntil(async () => (await bench().alive(ref)) === 0, patient)
    const driver = await bench().driver()
    const handle = await attached(driver, ref)
    expect(await driver.wait(handle, never())).toMatchObject({ exitCode: 6, reason: 'Error' })
  })

  if (has('print')) {
    it('reads what was printed before the restart', async () => {
      const ref = newRef()
      const driver = await restarted(ref, { kind: 'print', stdout: ['one', 'two'], stderr: [], end: 'exit' })
      const handle = await attached(driver, ref)
      await driver.wait(handle, never())
      const lines = await collect(driver.logs(handle, WHOLE_LOG, never()))
      expect(texts(lines, 'stdout')).toEqual(['one', 'two'])
    })
  }

  it('promises that what never started never will', async () => {
    const ref = newRef()
    const driver = await bench().driver()
    expect(await driver.recover(ref)).toEqual({ state: 'never-started' })
    const late = await bench()
      .start(driver, ref, { kind: 'exit', code: 0, afterMs: 0 })
      .then(
        (handle) => driver.wait(handle, never()).then(() => null),
        (error: unknown) => error,
      )
    if (late !== null) expect(late).toBeInstanceOf(TerminalError)
    expect(await bench().harness.outside(ref)).toMatchObject({ starts: 0, alive: 0 })
    expect(await (await bench().driver()).recover(ref)).toEqual({ state: 'never-started' })
  })
}
