import { execFile } from 'node:child_process'
import { copyFile, mkdir, readdir, stat, statfs, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Driver, WHOLE_LOG } from '../../../runtime/driver.ts'
import { probeCgroups, removeBases } from '../../../runtime/drivers/process/cgroup-tree.ts'
import { copyOf } from '../../../runtime/drivers/process/log-files.ts'
import { type AttemptPaths, layoutOf } from '../../../runtime/drivers/process/names.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { type ProcessHarness, processHarness } from './harness.ts'
import { poke, startTalker, TALKER, type Talker, textsOf } from './talker.ts'

const LIMITS = { maxBytes: 2_000, files: 3 }
const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `line ${i}`)

describe('rotation', () => {
  let harness: ProcessHarness
  let driver: Driver
  let talker: Talker
  /** Ends the waiting, and with it what it does meanwhile. */
  let gone: AbortController
  let waiting: Promise<unknown>

  beforeEach(async () => {
    harness = await processHarness()
    driver = harness.make({ logLimits: LIMITS })
    talker = await startTalker(harness, driver)
    gone = new AbortController()
    waiting = Promise.resolve()
  })
  afterEach(async () => {
    await unwait()
    await driver.remove(TALKER)
    await driver.close()
    await harness.destroy()
  })

  const wait = (): void => {
    waiting = driver.wait(talker.handle, gone.signal).catch(() => null)
  }
  async function unwait(): Promise<void> {
    gone.abort()
    await waiting
  }
  const currentSize = async (): Promise<number> => (await stat(talker.paths.stdout)).size
  async function rotated(): Promise<void> {
    await poke(talker.paths)
    await waitUntil(async () => (await currentSize()) < LIMITS.maxBytes)
  }
  /** Says so many more lines, and returns once they are in the file. */
  async function counted(from: number, count: number): Promise<void> {
    await talker.tell(`count ${count}`)
    await waitUntil(async () => (await textsOf(driver, talker.handle, { tail: 1 }))[0] === `line ${from + count - 1}`)
  }

  it('bounds what is kept, and followers go on over it without losing or repeating a line', async () => {
    wait()
    const seen: string[] = []
    const following = (async () => {
      for await (const line of driver.logs(talker.handle, { ...WHOLE_LOG, follow: true }, gone.signal)) seen.push(line.text)
    })()
    for (let burst = 1; burst <= 5; burst += 1) {
      await talker.tell('count 300')
      await waitUntil(() => seen.length === 300 * burst)
      await rotated()
    }
    expect(seen).toEqual(numbered(1500))
    const kept = await textsOf(driver, talker.handle)
    expect(kept.length).toBeLessThan(900)
    expect(kept).toEqual(seen.slice(-kept.length))
    expect(await textsOf(driver, talker.handle, { tail: 310 })).toEqual(seen.slice(-310))
    expect(await readdir(talker.paths.logs)).toHaveLength(LIMITS.files + 1)
    await unwait()
    await following
  })

  it('hides no line from a reader, whenever it comes', async () => {
    wait()
    let said = 0
    let reads = 0
    const over = new AbortController()
    const reading = (async () => {
      while (!over.signal.aborted) {
        const before = said
        const lines = await textsOf(driver, talker.handle)
        const [first = ''] = lines
        const from = first === '' ? 0 : Number(first.slice('line '.length))
        expect(lines).toEqual(numbered(from + lines.length).slice(from))
        expect(from + lines.length).toBeGreaterThanOrEqual(before)
        reads += 1
      }
    })()
    for (let burst = 0; burst < 20; burst += 1) {
      await counted(said, 250)
      said += 250
      await rotated()
    }
    over.abort()
    await reading
    expect(reads).toBeGreaterThan(20)
  })

  it('removes the notes of when lines were written with the lines', async () => {
    wait()
    for (let burst = 0; burst < 6; burst += 1) {
      await counted(burst * 300, 300)
      await rotated()
    }
    await unwait()
    const bases = (names: readonly string[]): string[] => names.flatMap((name) => /^stdout\.(\d+)$/.exec(name)?.[1] ?? []).sort()
    const pieces = bases(await readdir(talker.paths.logs))
    expect(pieces).toHaveLength(LIMITS.files - 1)
    const notes = bases(await readdir(talker.paths.times))
    expect(notes.every((base) => base >= (pieces[0] ?? ''))).toBe(true)
  })

  describe('of an agent that is killed in the middle of it', () => {
    async function killedAfter(step: (paths: AttemptPaths) => Promise<void>): Promise<void> {
      await counted(0, 100)
      await driver.close()
      await step(talker.paths)
      driver = harness.make({ logLimits: LIMITS })
    }
    const half = async ({ stdout }: AttemptPaths) => {
      await copyFile(stdout, copyOf(stdout))
      await truncate(copyOf(stdout), 200)
    }
    const copied = ({ stdout }: AttemptPaths) => copyFile(stdout, copyOf(stdout))
    const cut = async (paths: AttemptPaths) => {
      await copied(paths)
      await truncate(paths.stdout)
    }

    it.each([
      ['half a copy', half],
      ['a copy', copied],
      ['a copy of what it has cut', cut],
    ])('%s neither hides nor repeats a line', async (_, step) => {
      await killedAfter(step)
      expect(await textsOf(driver, talker.handle)).toEqual(numbered(100))
      await talker.tell('count 300')
      await waitUntil(async () => (await textsOf(driver, talker.handle)).length === 400)
      wait()
      await rotated()
      expect(await textsOf(driver, talker.handle)).toEqual(numbered(400))
    })
  })
})

describe('rotation on a full disk', () => {
  it('drops the lines that there is no room to keep, and goes on with those that follow', async () => {
    if (process.getuid?.() !== 0) throw new Error('this test mounts a small disk, which only root may do: run the tests as root')
    const harness = await processHarness()
    const mounted = join(harness.ledger, 'small')
    await mkdir(mounted)
    await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', 'size=200k', 'tmpfs', mounted])
    const driver = harness.make({ stateDir: mounted, logLimits: { maxBytes: 20_000, files: 3 } })
    const talker = await startTalker({ ...harness, stateDir: mounted }, driver)
    const gone = new AbortController()
    const waiting = driver.wait(talker.handle, gone.signal).catch(() => null)
    const seen: string[] = []
    const following = (async () => {
      for await (const line of driver.logs(talker.handle, { ...WHOLE_LOG, follow: true }, gone.signal)) seen.push(line.text)
    })()
    try {
      const { bavail, bsize } = await statfs(mounted)
      // Room for the lines, but not for a copy of them.
      await writeFile(join(mounted, 'filler'), Buffer.alloc(bavail * bsize - 40_960))
      await talker.tell('count 2500')
      await waitUntil(() => seen.at(-1) === 'line 2499')
      await waitUntil(async () => {
        await poke(talker.paths)
        return (await stat(talker.paths.stdout)).size === 0
      })
      await talker.tell('out after')
      await waitUntil(() => seen.at(-1) === 'after')
      expect(await textsOf(driver, talker.handle)).toEqual(['after'])
    } finally {
      gone.abort()
      await Promise.all([waiting, following])
      await driver.remove(TALKER)
      await driver.close()
      await removeBases((await probeCgroups(`drover-test-${layoutOf(mounted).mark}`)).tree)
      await promisify(execFile)('umount', ['--lazy', mounted])
      await harness.destroy()
    }
  })
})
