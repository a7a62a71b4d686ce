import { expect, it } from 'vitest'
import { type Driver, type Exit, type Handle, type LogQuery, WHOLE_LOG } from '../../../runtime/driver.ts'
import { type Bench, collect, type Has, never, newRef, RUN, texts } from './bench.ts'

export function logTests(bench: () => Bench, has: Has): void {
  const OUT = ['first', '', 'naïve ✓ "quoted"', 'last']
  const ERR = ['oops']

  async function printed(): Promise<{ driver: Driver; handle: Handle; exit: Exit }> {
    const driver = await bench().driver()
    const handle = await bench().start(driver, newRef(), { kind: 'print', stdout: OUT, stderr: ERR, end: 'exit' })
    return { driver, handle, exit: await driver.wait(handle, never()) }
  }

  it('gives both streams, each in its order', async () => {
    const { driver, handle } = await printed()
    const lines = await collect(driver.logs(handle, WHOLE_LOG, never()))
    expect(texts(lines, 'stdout')).toEqual(OUT)
    expect(texts(lines, 'stderr')).toEqual(ERR)
  })

  it('gives the last lines only', async () => {
    const { driver, handle } = await printed()
    const lines = await collect(driver.logs(handle, { ...WHOLE_LOG, tail: 2 }, never()))
    expect(lines).toHaveLength(2)
    expect(OUT.slice(-2)).toEqual(expect.arrayContaining(texts(lines, 'stdout')))
    expect(await collect(driver.logs(handle, { ...WHOLE_LOG, tail: 0 }, never()))).toEqual([])
    expect(await collect(driver.logs(handle, { ...WHOLE_LOG, tail: 100 }, never()))).toHaveLength(OUT.length + ERR.length)
  })

  it('gives the lines of one unit by its name', async () => {
    const { driver, handle } = await printed()
    const [unit] = bench().harness.spec(RUN, newRef()).units
    expect(await collect(driver.logs(handle, { ...WHOLE_LOG, unit: unit?.name ?? '' }, never()))).toHaveLength(OUT.length + ERR.length)
  })

  if (has('printSlowly')) {
    it('follows until the task ends, and loses no line', async () => {
      const driver = await bench().driver()
      const lines = Array.from({ length: 5 }, (_, i) => `line ${i}`)
      const handle = await bench().start(driver, newRef(), { kind: 'printSlowly', lines, everyMs: 60 })
      expect(texts(await collect(driver.logs(handle, { ...WHOLE_LOG, follow: true }, never())), 'stdout')).toEqual(lines)
    })
  }

  if (has('printSlowly')) {
    it('gives the lines of a range of time, and the last ones of it', async () => {
      const driver = await bench().driver()
      const handle = await bench().start(driver, newRef(), { kind: 'printSlowly', lines: ['one', 'two', 'three'], everyMs: 3_000 })
      await driver.wait(handle, never())
      const [, two] = await collect(driver.logs(handle, WHOLE_LOG, never()))
      const middle = two?.at ?? expect.fail('a line without a time')
      const ask = async (query: Partial<LogQuery>) =>
        texts(await collect(driver.logs(handle, { ...WHOLE_LOG, ...query }, never())), 'stdout')
      // Half way to the lines before and after it, for a time may be a second late.
      const [since, until] = [middle - 1_500, middle + 1_500]
      expect(await ask({ since })).toEqual(['two', 'three'])
      expect(await ask({ until })).toEqual(['one', 'two'])
      expect(await ask({ since, until })).toEqual(['two'])
      expect(await ask({ until, tail: 1 })).toEqual(['two'])
      expect(await ask({ since, tail: 1 })).toEqual(['three'])
      expect(await ask({ since, follow: true })).toEqual(['two', 'three'])
      expect(await ask({ since: middle + 60_000 })).toEqual([])
      expect(await ask({ until: middle - 60_000, tail: 5 })).toEqual([])
    })
  }

  it('follows a running task until the reader goes away', async () => {
    const driver = await bench().driver()
    const ref = newRef()
    const handle = await bench().start(driver, ref, { kind: 'print', stdout: OUT, stderr: [], end: 'run' })
    const reader = new AbortController()
    const seen: string[] = []
    for await (const line of driver.logs(handle, { ...WHOLE_LOG, follow: true }, reader.signal)) {
      seen.push(line.text)
      if (seen.length === OUT.length) reader.abort()
    }
    expect(seen).toEqual(OUT)
    expect(await bench().alive(ref)).toBe(1)
  })
}
