import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AttemptRef, Driver, Handle } from '../../../runtime/driver.ts'
import { LineCutter } from '../../../runtime/drivers/process/log-reader.ts'
import { formatSpan, parseSpans, Timeline } from '../../../runtime/drivers/process/log-timeline.ts'
import { layoutOf, pathsOf } from '../../../runtime/drivers/process/names.ts'
import { lastLines } from '../../../runtime/last-lines.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { TaskId } from '../../../src/model/ids.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { type ProcessHarness, processHarness, processSpec } from './harness.ts'
import { textsOf } from './talker.ts'

describe('cutting lines', () => {
  it('gives any bytes, cut at any place, as the same lines with their positions (property)', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '\n', 'é', '✓', '😀', ' ') })
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 7 }), fc.nat(), (whole, size, begin) => {
        const bytes = Buffer.from(whole)
        const cutter = new LineCutter(begin)
        const lines: { position: number; text: string }[] = []
        for (let at = 0; at < bytes.length; at += size) lines.push(...cutter.push(bytes.subarray(at, at + size)))
        lines.push(...cutter.end())
        expect(lines.map((line) => line.text)).toEqual(whole === '' ? [] : whole.replace(/\n$/, '').split('\n'))
        for (const line of lines) {
          const from = line.position - begin
          expect(bytes.toString('utf8', from, from + Buffer.byteLength(line.text))).toBe(line.text)
        }
      }),
    )
  })

  it('gives an endless line in pieces', () => {
    const cutter = new LineCutter(0)
    expect(cutter.push(Buffer.alloc(100_000, 'x')).map((line) => line.text.length)).toEqual([100_000])
    expect(cutter.push(Buffer.from('yz\n'))).toEqual([{ position: 100_000, text: 'yz' }])
  })
})

describe('a timeline', () => {
  const spans = [
    { end: 110, since: 0, at: 1_000 },
    { end: 120, since: 1_000, at: 2_000 },
    { end: 150, since: 60_000, at: 61_000 },
  ]
  const timeline = new Timeline(100, spans)

  it('tells when each byte was written', () => {
    expect([100, 109, 110, 149].map((position) => timeline.of(position).at)).toEqual([1_000, 1_000, 2_000, 61_000])
  })

  it('says of what nobody noted that it may be of any time', () => {
    expect(timeline.of(150)).toMatchObject({ since: 0, at: Number.MAX_SAFE_INTEGER })
  })

  it.each([
    [0, 100],
    [1_000, 100],
    [1_500, 110],
    [3_000, 120],
    [70_000, 150],
  ])('begins what was said at %d or later at %d', (since, begin) => {
    expect(timeline.beginOf(since)).toBe(begin)
  })

  it.each([
    [-1, 100],
    [500, 110],
    [1_000, 120],
    [59_999, 120],
    [99_999, 150],
  ])('ends what was said at %d or before at %d', (until, end) => {
    expect(timeline.endOf(until)).toBe(end)
  })

  it('comes back from the text it is kept as, without a line that was cut short', () => {
    expect(parseSpans(spans.map(formatSpan).join(''))).toEqual(spans)
    expect(parseSpans(`${formatSpan({ end: 1, since: 2, at: 3 })}17 179`)).toEqual([{ end: 1, since: 2, at: 3 }])
  })
})

describe('the last lines', () => {
  const REF: AttemptRef = { task: TaskId.parse('printer'), attempt: 1 }
  let harness: ProcessHarness
  let driver: Driver
  beforeEach(async () => {
    harness = await processHarness()
    driver = harness.make()
  })
  afterEach(async () => {
    await driver.remove(REF)
    await driver.close()
    await harness.destroy()
  })

  async function printed(script: string): Promise<Handle> {
    const handle = await driver.start(REF, processSpec(['sh', '-c', script]), { artifacts: {}, secrets: new Map() })
    // First looked at when all is said, so that it was said at once as far as anybody knows.
    const { exit } = pathsOf(layoutOf(harness.stateDir), REF)
    await waitUntil(async () => (await readFile(exit, 'utf8')).trim() !== '')
    await driver.wait(handle, new AbortController().signal)
    return handle
  }

  it.each([
    ['', 'with'],
    ['printf open', 'without'],
  ])('of a large file are found from its end, %s its last line %s an end', async (more) => {
    const handle = await printed(`seq 40000; ${more}`)
    const all = [...Array.from({ length: 40_000 }, (_, i) => String(i + 1)), ...(more === '' ? [] : ['open'])]
    for (const tail of [0, 1, 7, 20_000, 40_000, 50_000]) {
      expect(await textsOf(driver, handle, { tail })).toEqual(all.slice(all.length - Math.min(tail, all.length)))
    }
  })

  it('are the last words of an attempt, of whichever stream', async () => {
    const handle = await printed('seq 20; echo "cannot go on" >&2; exit 1')
    const words = await lastLines({ driver, clock: systemClock, log: silentLog }, handle, new AbortController().signal)
    expect(words).toHaveLength(10)
    expect(words).toContain('cannot go on')
    expect(words).toContain('20')
  })

  it('of what was said at once are half of each stream, and what one has not is the other one`s', async () => {
    const handle = await printed('seq -f out%g 6; seq -f err%g 3 >&2')
    expect(await textsOf(driver, handle, { tail: 4 })).toEqual(expect.arrayContaining(['out5', 'out6', 'err2', 'err3']))
    expect(await textsOf(driver, handle, { tail: 8 })).toEqual(expect.arrayContaining(['out2', 'err1']))
    expect(await textsOf(driver, handle, { tail: 100 })).toHaveLength(9)
  })
})
