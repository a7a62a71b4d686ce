import { expect, it } from 'vitest'
import { type Bench, errorOf, type Has, never, newRef, RUN } from './bench.ts'

export function waitTests(bench: () => Bench, has: Has): void {
  it.each([
    [0, 'Completed'],
    [7, 'Error'],
  ])('gives exit code %i with reason %s and when it was', async (code, reason) => {
    const driver = await bench().driver()
    const ref = newRef()
    const handle = await bench().start(driver, ref, { kind: 'exit', code, afterMs: 50 })
    const exit = await driver.wait(handle, never())
    expect(exit).toMatchObject({ exitCode: code, signal: null, reason })
    expect(exit.startedAt).not.toBeNull()
    expect(exit.finishedAt).toBeGreaterThanOrEqual(exit.startedAt ?? Number.POSITIVE_INFINITY)
    expect(await bench().alive(ref)).toBe(0)
  })

  it('says the same exit to everybody, at any time', async () => {
    const driver = await bench().driver()
    const handle = await bench().start(driver, newRef(), { kind: 'exit', code: 3, afterMs: 30 })
    const [first, second] = await Promise.all([driver.wait(handle, never()), driver.wait(handle, never())])
    expect(second).toEqual(first)
    expect(await driver.wait(handle, never())).toEqual(first)
  })

  it('stops waiting on abort, and the task goes on', async () => {
    const driver = await bench().driver()
    const ref = newRef()
    const handle = await bench().start(driver, ref, RUN)
    const gone = new AbortController()
    const waiting = errorOf(driver.wait(handle, gone.signal))
    gone.abort()
    await waiting
    expect(await bench().begun(ref)).toMatchObject({ starts: 1, alive: 1 })
    await driver.stop(handle, 2_000)
    expect((await driver.wait(handle, never())).finishedAt).toBeGreaterThan(0)
  })

  if (has('memory')) {
    it('tells the most memory that it used', async () => {
      const driver = await bench().driver()
      const handle = await bench().start(driver, newRef(), { kind: 'exit', code: 0, afterMs: 1_000 })
      const { peakMemoryBytes } = await driver.wait(handle, never())
      expect(peakMemoryBytes).toBeGreaterThan(0)
    })
  }

  if (has('killed')) {
    it('tells a death by signal', async () => {
      const driver = await bench().driver()
      const handle = await bench().start(driver, newRef(), { kind: 'killed' })
      const exit = await driver.wait(handle, never())
      expect(exit).toMatchObject({ exitCode: 137, reason: 'Error' })
      expect(exit.signal).toBe('SIGKILL')
    })
  }
}
