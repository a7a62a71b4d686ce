import { mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AttemptRef, Driver, Handle } from '../../../runtime/driver.ts'
import { LineCutter, tailStart } from '../../../runtime/drivers/process/log-reader.ts'
import { TaskId } from '../../../src/model/ids.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { type ProcessHarness, processHarness, processSpec } from './harness.ts'

const never = () => new AbortController().signal
const all = { unit: null, tail: null, follow: false }

describe('reading lines', () => {
  it('cuts any bytes at any place into the same lines (property)', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '\n', 'é', '✓', '😀', ' ') })
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 7 }), (whole, size) => {
        const bytes = Buffer.from(whole)
        const cutter = new LineCutter()
        const lines: string[] = []
        for (let at = 0; at < bytes.length; at += size) lines.push(...cutter.push(bytes.subarray(at, at + size)))
        lines.push(...cutter.end())
        expect(lines).toEqual(whole === '' ? [] : whole.replace(/\n$/, '').split('\n'))
      }),
    )
  })

  it('gives an endless line in pieces', () => {
    const cutter = new LineCutter()
    expect(cutter.push(Buffer.alloc(100_000, 'x')).map((line) => line.length)).toEqual([100_000])
  })

  it('finds the last lines of a large file', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'drover-tail-')), 'log')
    const lines = Array.from({ length: 40_000 }, (_, i) => `line ${i}`)
    for (const end of ['\n', '']) {
      await writeFile(path, lines.join('\n') + end)
      const file = await open(path, 'r')
      for (const wanted of [0, 1, 7, 20_000, 40_000, 50_000]) {
        const { offset, lines: count } = await tailStart(file, wanted)
        const found = (await file.read(Buffer.alloc(1_000_000), 0, 1_000_000, offset)).buffer.toString('utf8').replace(/\n?\0*$/, '')
        expect(count).toBe(Math.min(wanted, lines.length))
        expect(found).toBe(lines.slice(lines.length - count).join('\n'))
      }
      await file.close()
    }
    await rm(join(path, '..'), { recursive: true })
  })
})

describe('rotation', () => {
  const REF: AttemptRef = { task: TaskId.parse('chatty'), attempt: 1 }
  let harness: ProcessHarness
  let driver: Driver
  beforeEach(async () => {
    harness = await processHarness()
    driver = harness.make({ logLimits: { maxBytes: 2_000, files: 3 } })
  })
  afterEach(async () => {
    await driver.remove(REF)
    await driver.close()
    await harness.destroy()
  })

  /** Prints `burst` lines for every line in the file `more`; so the test decides when. */
  const CHATTY =
    'n=0; while :; do while read -r burst; do m=0; while [ $m -lt "$burst" ]; do echo "line $n"; n=$((n+1)); m=$((m+1)); done; done; sleep 0.01; done'

  async function chatty(): Promise<{ handle: Handle; say(lines: number): Promise<void> }> {
    const bursts = join(harness.ledger, 'bursts')
    await writeFile(bursts, '')
    const handle = await driver.start(REF, processSpec(['sh', '-c', `exec < ${bursts}; ${CHATTY}`]), { artifacts: {}, secrets: new Map() })
    return { handle, say: (lines) => writeFile(bursts, `${lines}\n`, { flag: 'a' }) }
  }

  async function read(handle: Handle, tail: number | null = null): Promise<string[]> {
    const lines: string[] = []
    for await (const line of driver.logs(handle, { ...all, tail }, never())) lines.push(line.text)
    return lines
  }

  it('bounds what is kept, and readers go on over it without losing or repeating a line', async () => {
    const { handle, say } = await chatty()
    const gone = new AbortController()
    const waiting = driver.wait(handle, gone.signal).catch(() => null)
    const seen: string[] = []
    const following = (async () => {
      for await (const line of driver.logs(handle, { ...all, follow: true }, gone.signal)) seen.push(line.text)
    })()
    let expected = 0
    for (let burst = 0; burst < 3; burst += 1) {
      await say(300)
      expected += 300
      await waitUntil(() => seen.length === expected)
      // A waiting driver rotates when it looks, which it does at once when a control file changes.
      await writeFile(join(harness.stateDir, 'attempts', handle.ref, 'poke'), '')
      await waitUntil(async () => (await sizeOf(handle)) < 2_000 && (await isWhole(handle)))
    }
    expect(seen).toEqual(Array.from({ length: expected }, (_, i) => `line ${i}`))
    const kept = await read(handle)
    expect(kept.length).toBeLessThan(expected)
    expect(kept).toEqual(seen.slice(-kept.length))
    expect(await read(handle, 310)).toEqual(seen.slice(-310))
    gone.abort()
    await Promise.all([waiting, following])
  })

  /** While a rotation is on its way, lines are in a copy that no reader looks at. */
  async function isWhole(handle: Handle): Promise<boolean> {
    return !(await readdir(join(harness.stateDir, 'attempts', handle.ref, 'logs'))).includes('stdout.copy')
  }

  async function sizeOf(handle: Handle): Promise<number> {
    const file = await open(join(harness.stateDir, 'attempts', handle.ref, 'logs/stdout'), 'r')
    const { size } = await file.stat()
    await file.close()
    return size
  }
})
