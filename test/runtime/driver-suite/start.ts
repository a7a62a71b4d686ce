import { expect, it } from 'vitest'
import { TerminalError } from '../../../src/lib/errors.ts'
import { type Bench, errorOf, type Has, never, newRef, RUN } from './bench.ts'

export function startTests(bench: () => Bench, has: Has): void {
  it('says that it is available, and of which version', async () => {
    const capabilities = await (await bench().driver()).fingerprint(never())
    expect(capabilities).toMatchObject({ available: true })
    expect(capabilities.detail).not.toBe('')
  })

  it('prepares twice as once', async () => {
    const driver = await bench().driver()
    const ref = newRef()
    const spec = bench().harness.spec(RUN, ref)
    await driver.prepare(spec, never())
    await driver.prepare(spec, never())
    expect(await bench().harness.outside(ref)).toMatchObject({ starts: 0, alive: 0 })
  })

  it('adopts on a repeated start: one real start', async () => {
    const driver = await bench().driver()
    const ref = newRef()
    const first = await bench().start(driver, ref, RUN)
    const second = await bench().start(driver, ref, RUN)
    expect(second).toEqual(first)
    expect(await bench().begun(ref)).toMatchObject({ starts: 1, alive: 1 })
  })

  it('starts once when asked several times at the same moment', async () => {
    const driver = await bench().driver()
    const ref = newRef()
    const handles = await Promise.all([1, 2, 3].map(() => bench().start(driver, ref, RUN)))
    expect(new Set(handles.map((handle) => JSON.stringify(handle))).size).toBe(1)
    expect(await bench().begun(ref)).toMatchObject({ starts: 1 })
  })

  it('adopts on a start by a restarted agent', async () => {
    const ref = newRef()
    const before = await bench().driver()
    const first = await bench().start(before, ref, RUN)
    await before.close()
    expect(await bench().start(await bench().driver(), ref, RUN)).toEqual(first)
    expect(await bench().begun(ref)).toMatchObject({ starts: 1, alive: 1 })
  })

  it('does not start an ended attempt again', async () => {
    const driver = await bench().driver()
    const ref = newRef()
    const handle = await bench().start(driver, ref, { kind: 'exit', code: 4, afterMs: 10 })
    await driver.wait(handle, never())
    const again = await bench().start(driver, ref, { kind: 'exit', code: 4, afterMs: 10 })
    expect(await driver.wait(again, never())).toMatchObject({ exitCode: 4 })
    expect(await bench().begun(ref)).toMatchObject({ starts: 1 })
  })

  it('keeps attempts of one task apart', async () => {
    const driver = await bench().driver()
    const first = newRef(1)
    const second = { ...first, attempt: 2 }
    const ended = await bench().start(driver, first, { kind: 'exit', code: 9, afterMs: 10 })
    expect(await driver.wait(ended, never())).toMatchObject({ exitCode: 9 })
    const running = await bench().start(driver, second, RUN)
    await driver.remove(first)
    expect(running).toMatchObject(second)
    expect(await bench().begun(second)).toMatchObject({ starts: 1, alive: 1 })
  })

  if (has('failStart')) {
    it('refuses what cannot be started with a reason code, and leaves nothing running', async () => {
      const driver = await bench().driver()
      const ref = newRef()
      const error = await errorOf(bench().start(driver, ref, { kind: 'failStart' }))
      expect(error).toBeInstanceOf(TerminalError)
      expect(error).toHaveProperty('code', expect.stringMatching(/^[A-Z][A-Za-z]+$/))
      await driver.remove(ref)
      expect(await bench().harness.outside(ref)).toMatchObject({ alive: 0, traces: [] })
    })
  }

  it('tells how much a running task uses', async () => {
    const driver = await bench().driver()
    const usage = await driver.stats(await bench().start(driver, newRef(), RUN))
    const least = has('usage') ? 1 : 0
    expect(usage.memoryBytes).toBeGreaterThanOrEqual(least)
    expect(usage.peakMemoryBytes ?? 0).toBeGreaterThanOrEqual(least)
    expect(usage.cpuMicros).toBeGreaterThanOrEqual(0)
  })
}
