import { appendFile, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Driver, WHOLE_LOG } from '../../../runtime/driver.ts'
import { formatSpan, parseSpans, type Span } from '../../../runtime/drivers/process/log-timeline.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { type ProcessHarness, processHarness } from './harness.ts'
import { linesOf, poke, startTalker, TALKER, type Talker, textsOf } from './talker.ts'

const HOUR = 3_600_000

describe('when a line was written', () => {
  let harness: ProcessHarness
  let driver: Driver
  let talker: Talker
  let gone: AbortController
  let waiting: Promise<unknown>

  beforeEach(async () => {
    harness = await processHarness()
    driver = harness.make()
    talker = await startTalker(harness, driver)
    wait()
  })
  afterEach(async () => {
    await unwait()
    await driver.remove(TALKER)
    await driver.close()
    await harness.destroy()
  })

  function wait(): void {
    gone = new AbortController()
    waiting = driver.wait(talker.handle, gone.signal).catch(() => null)
  }
  async function unwait(): Promise<void> {
    gone.abort()
    await waiting
  }
  async function said(...orders: string[]): Promise<void> {
    const before = (await textsOf(driver, talker.handle)).length
    await talker.tell(...orders)
    await waitUntil(async () => (await textsOf(driver, talker.handle)).length === before + orders.length)
  }
  /** Says one more line while no agent runs, as if that went on since an hour ago. */
  async function saidWithoutAgent(text: string): Promise<void> {
    await unwait()
    await driver.close()
    await talker.tell(`out ${text}`)
    await waitUntil(async () => (await readFile(talker.paths.stdout, 'utf8')).endsWith(`${text}\n`))
    const path = await notes()
    const spans = parseSpans(await readFile(path, 'utf8'))
    await writeFile(path, spans.map(({ end, since, at }) => formatSpan({ end, since: since - HOUR, at: at - HOUR })).join(''))
  }
  function nextAgent(): void {
    driver = harness.make()
    wait()
  }
  async function notes(): Promise<string> {
    const names = (await readdir(talker.paths.times)).filter((name) => name.startsWith('stdout'))
    return join(talker.paths.times, names.at(-1) ?? '')
  }

  it('is known of both streams, which are given in that order', async () => {
    const before = Date.now()
    await said('out one')
    await said('err two')
    const lines = await linesOf(driver, talker.handle)
    expect(lines.map(({ stream, text }) => `${stream} ${text}`)).toEqual(['stdout one', 'stderr two'])
    for (const { at } of lines) {
      expect(at).toBeGreaterThanOrEqual(before - 1_000)
      expect(at).toBeLessThanOrEqual(Date.now())
    }
  })

  it('is told to followers', async () => {
    const reader = new AbortController()
    await talker.tell('out now')
    for await (const { at } of driver.logs(talker.handle, { ...WHOLE_LOG, follow: true }, reader.signal)) {
      expect(at).not.toBeNull()
      reader.abort()
    }
  })

  it('decides what the last lines are', async () => {
    await said('out old', 'out older')
    await waitUntil(async () => parseSpans(await readFile(await notes(), 'utf8')).length > 0)
    await said('err new', 'err newest')
    expect(await textsOf(driver, talker.handle, { tail: 2 })).toEqual(['new', 'newest'])
    expect(await textsOf(driver, talker.handle, { tail: 3 })).toEqual(['older', 'new', 'newest'])
  })

  it('is not known of what was said while no agent ran, which belongs to every range that touches that time', async () => {
    await said('out early')
    await saidWithoutAgent('meanwhile')
    nextAgent()
    await said('out later')
    const lines = await linesOf(driver, talker.handle)
    expect(lines.map(({ text, at }) => [text, at === null])).toEqual([
      ['early', false],
      ['meanwhile', true],
      ['later', false],
    ])
    const [between, before] = [Date.now() - HOUR / 2, Date.now() - 2 * HOUR]
    expect(await textsOf(driver, talker.handle, { since: between })).toEqual(['meanwhile', 'later'])
    expect(await textsOf(driver, talker.handle, { until: between })).toEqual(['early', 'meanwhile'])
    expect(await textsOf(driver, talker.handle, { since: between, until: between })).toEqual(['meanwhile'])
    expect(await textsOf(driver, talker.handle, { since: before })).toHaveLength(3)
    expect(await textsOf(driver, talker.handle, { until: before })).toEqual([])
  })

  it('is noted on by the next agent, past a note that a crash has cut short', async () => {
    await said('out early')
    await unwait()
    await driver.close()
    await appendFile(await notes(), '17 179')
    nextAgent()
    await said('out later')
    await waitUntil(async () => parseSpans(await readFile(await notes(), 'utf8')).length === 2)
    expect((await linesOf(driver, talker.handle)).map(({ text, at }) => [text, at === null])).toEqual([
      ['early', false],
      ['later', false],
    ])
  })

  it('is unknown where the notes are gone, and the lines are there', async () => {
    await said('out early')
    await unwait()
    await driver.close()
    await rm(talker.paths.times, { recursive: true })
    const longAgo = new Date(Date.now() - HOUR)
    await utimes(talker.paths.pid, longAgo, longAgo)
    nextAgent()
    expect(await linesOf(driver, talker.handle)).toEqual([{ stream: 'stdout', at: null, text: 'early' }])
  })

  it('takes little room: a stream of many short lines is rotated for its notes', async () => {
    await unwait()
    await driver.close()
    driver = harness.make({ logLimits: { maxBytes: 500, files: 2 } })
    wait()
    for (const text of ['one', 'two', 'three']) {
      const before = (await notesKept()).length
      await said(`out ${text}`)
      await waitUntil(async () => (await notesKept()).length === before + 1)
    }
    await poke(talker.paths)
    await waitUntil(async () => (await readdir(talker.paths.logs)).length === 3)
    expect(await textsOf(driver, talker.handle)).toEqual(['one', 'two', 'three'])
  })

  async function notesKept(): Promise<Span[]> {
    const names = (await readdir(talker.paths.times)).filter((name) => name.startsWith('stdout'))
    const texts = await Promise.all(names.map((name) => readFile(join(talker.paths.times, name), 'utf8')))
    return texts.flatMap(parseSpans)
  }
})
