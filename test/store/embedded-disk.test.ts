import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openEmbeddedStore } from '../../src/store/embedded.ts'
import { LocalEngine } from '../../src/store/local-engine.ts'
import { EMPTY_STATE, Mvcc } from '../../src/store/mvcc.ts'
import { DEFAULT_HISTORY } from '../../src/store/mvcc-history.ts'
import { openStore } from '../../src/store/open.ts'
import { CompactedError, compareRevisions } from '../../src/store/store.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { waitUntil } from '../support/wait-until.ts'
import { commit, put, remove } from './store-suite.ts'
import { take } from './watching.ts'

const ROUNDS = 40
const never = new AbortController().signal

let dataDir: string
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'drover-store-'))
})
afterEach(() => rm(dataDir, { recursive: true, force: true }))

/** A process that writes until it is killed; see the script. */
function spawnWriter(): { child: ChildProcess; lines: string[] } {
  const script = fileURLToPath(new URL('./crash-child.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', script, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  let partial = ''
  child.stdout.on('data', (bytes) => {
    const parts = (partial + String(bytes)).split('\n')
    partial = parts.pop() ?? ''
    lines.push(...parts)
  })
  return { child, lines }
}

async function killed(child: ChildProcess): Promise<void> {
  const exited = once(child, 'close')
  child.kill('SIGKILL')
  await exited
}

describe('the embedded store on disk', () => {
  it('opens with what it was closed with: values, revisions, history, and a higher epoch', async () => {
    let store = await openEmbeddedStore({ dataDir })
    const former = await store.campaign('leader', { signal: never })
    const first = await commit(store, put('a', '1'), put('b', '1'))
    const second = await commit(store, put('a', '2'), remove('b'))
    await store.close()
    store = await openEmbeddedStore({ dataDir })
    expect(await store.get('a')).toEqual({ key: 'a', value: '2', revision: second, createRevision: first })
    expect(await store.get('b')).toBeNull()
    expect((await take(store, { prefix: '', from: first, until: second })).flat()).toHaveLength(4)
    const next = await store.campaign('leader', { signal: never })
    expect(next.fence.epoch).toBeGreaterThan(former.fence.epoch)
    expect(await store.txn({ if: [], then: [put('a', '3')], fence: former.fence })).toEqual({ status: 'Conflict', failed: 'fence' })
    expect(compareRevisions(await commit(store, put('a', '3')), second)).toBeGreaterThan(0)
    await store.close()
  })

  it('keeps no more history on disk than in memory', async () => {
    const history = { revisions: 50, bytes: 1e9 }
    let store = await openEmbeddedStore({ dataDir, history })
    let last = ''
    for (let index = 0; index < 300; index += 1) last = await commit(store, put('a', `${index}`))
    await store.close()
    store = await openEmbeddedStore({ dataDir, history: DEFAULT_HISTORY })
    await expect(take(store, { prefix: '', from: String(Number(last) - 80), until: last })).rejects.toThrow(CompactedError)
    expect((await take(store, { prefix: '', from: String(Number(last) - 40), until: last })).flat()).toHaveLength(41)
    await store.close()
  })

  it('tells who uses the data directory, and stays as it is', async () => {
    const { child, lines } = spawnWriter()
    try {
      await waitUntil(() => lines.length > 0)
      const opening = openStore('embedded', { dataDir, clock: createFakeClock() })
      await expect(opening).rejects.toMatchObject({ code: 'StoreInUse', message: expect.stringContaining(`pid ${child.pid}`) })
    } finally {
      await killed(child)
    }
    await (await openEmbeddedStore({ dataDir })).close()
  })

  it('says so when it is no store of ours', async () => {
    await expect(openEmbeddedStore({ dataDir: '/dev/null' })).rejects.toThrow(/\/dev\/null/)
  })

  it('opens fast with many records', async () => {
    let store = await openEmbeddedStore({ dataDir })
    const value = JSON.stringify({ filler: 'x'.repeat(400) })
    const groups = Array.from({ length: 400 }, (_, group) =>
      Array.from({ length: 125 }, (_, index) => put(`tasks/${group}-${index}`, value)),
    )
    await Promise.all(groups.map((ops) => commit(store, ...ops)))
    await store.close()
    const startedAt = performance.now()
    store = await openEmbeddedStore({ dataDir })
    expect(performance.now() - startedAt).toBeLessThan(2000)
    expect((await store.list('tasks/')).items).toHaveLength(50_000)
    await store.close()
  })

  it('P10: loses nothing acknowledged and tears nothing when killed at any moment', async () => {
    let lastRevision = '1'
    let acknowledged = 0
    for (let round = 0; round < ROUNDS; round += 1) {
      const { child, lines } = spawnWriter()
      // A different number of writes, and no fixed moment within one.
      await waitUntil(() => lines.length > (round * 13) % 47)
      await killed(child)
      const store = await openEmbeddedStore({ dataDir })
      const [epochRevision = '', ...revisions] = lines.map((line) => line.split(' ')[1] ?? '')
      for (const revision of [epochRevision, ...revisions]) {
        expect(compareRevisions(revision, lastRevision)).toBeGreaterThan(0)
        lastRevision = revision
      }
      const last = Math.max(0, ...lines.slice(1).map((line) => Number(line.split(' ')[0])))
      const [left, right, count] = await Promise.all(['pair/left', 'pair/right', 'count/all'].map((key) => store.get(key)))
      // All three are written by each transaction, and differ when one is torn.
      expect([right?.value, count?.value]).toEqual([left?.value, left?.value])
      expect(Number(left?.value ?? 0)).toBeGreaterThanOrEqual(last)
      const listing = await store.list('')
      lastRevision = listing.revision
      for (const line of lines.slice(1))
        expect(await store.get(`write/${line.split(' ')[0]}`)).toMatchObject({ revision: line.split(' ')[1] })
      acknowledged += revisions.length
      await store.close()
    }
    expect(acknowledged).toBeGreaterThan(ROUNDS * 10)
  }, 120_000)
})

it('an engine whose disk fails answers Unknown, ends its watches, and shows nothing more', async () => {
  let full = false
  const write = async () => {
    if (full) throw new Error('ENOSPC')
  }
  const engine = new LocalEngine(new Mvcc(EMPTY_STATE, DEFAULT_HISTORY), { write, close: async () => undefined })
  const txn = () => engine.txn({ if: [], then: [put('a', '1')], fence: null })
  expect(await txn()).toEqual({ status: 'Committed', revision: '2' })
  const watching = (async () => {
    for await (const events of engine.watch('', { from: '3', signal: never })) return events
    return null
  })()
  full = true
  const failed = expect(watching).rejects.toThrow(/failed to write/)
  expect(await txn()).toMatchObject({ status: 'Unknown' })
  await failed
  full = false
  expect(await txn()).toMatchObject({ status: 'Unknown' })
  expect(engine.ended.aborted).toBe(true)
  expect(() => engine.read()).toThrow(/restart to recover/)
})

it('an engine writes transactions that wait together at once', async () => {
  const writes: number[] = []
  const write = async (commits: readonly unknown[]) => {
    writes.push(commits.length)
  }
  const engine = new LocalEngine(new Mvcc(EMPTY_STATE, DEFAULT_HISTORY), { write, close: async () => undefined })
  const results = await Promise.all(
    Array.from({ length: 50 }, (_, index) => engine.txn({ if: [], then: [put('a', `${index}`)], fence: null })),
  )
  expect(writes).toEqual([50])
  expect(new Set(results.map((result) => (result.status === 'Committed' ? result.revision : null))).size).toBe(50)
})
