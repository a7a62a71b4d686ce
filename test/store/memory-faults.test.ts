import { describe, expect, it } from 'vitest'
import { RetryableError } from '../../src/lib/errors.ts'
import { createMemoryCluster, type MemoryFaults } from '../../src/store/memory.ts'
import type { Leadership, StoreEvent } from '../../src/store/store.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { commit, put } from './store-suite.ts'

const TTL_MS = 10_000
const never = new AbortController().signal

function setUp() {
  const clock = createFakeClock()
  const cluster = createMemoryCluster({ clock, ttlMs: TTL_MS })
  const faults: MemoryFaults = { unreachable: false, losesReplies: false }
  return { clock, faults, faulty: cluster.connect(faults), healthy: cluster.connect() }
}

/** What a promise gives while virtual time passes. */
async function within<T>(clock: ReturnType<typeof createFakeClock>, ms: number, promise: Promise<T>): Promise<T> {
  let settled = false
  const watched = promise.finally(() => {
    settled = true
  })
  watched.catch(() => undefined)
  await clock.runUntil(() => settled, ms)
  return watched
}

describe('a memory store on a virtual clock', () => {
  it('gives the lead of a silent client to another after the TTL, not before the first one knows', async () => {
    const { clock, faults, faulty, healthy } = setUp()
    const first = await faulty.campaign('leader', { signal: never })
    let second: Leadership | null = null
    const waiting = healthy.campaign('leader', { signal: never }).then((leadership) => {
      second = leadership
    })
    faults.unreachable = true
    await clock.runUntil(() => first.signal.aborted, TTL_MS)
    expect(second).toBeNull()
    await within(clock, TTL_MS, waiting)
    expect(clock.monotonic()).toBeLessThanOrEqual(TTL_MS + 1000)
    faults.unreachable = false
    expect(await faulty.txn({ if: [], then: [put('a', 'stale')], fence: first.fence })).toEqual({ status: 'Conflict', failed: 'fence' })
  })

  it('keeps the lead of a client that renews, for as long as it does', async () => {
    const { clock, faulty, healthy } = setUp()
    const first = await faulty.campaign('leader', { signal: never })
    const abort = new AbortController()
    const waiting = healthy.campaign('leader', { signal: abort.signal }).catch(() => 'aborted')
    await clock.advance(20 * TTL_MS)
    expect(first.signal.aborted).toBe(false)
    abort.abort()
    expect(await waiting).toBe('aborted')
  })

  it('answers nothing when it cannot be reached: Unknown, and nothing is applied', async () => {
    const { clock, faults, faulty, healthy } = setUp()
    faults.unreachable = true
    expect(await within(clock, 5000, faulty.txn({ if: [], then: [put('a', '1')], fence: null }))).toMatchObject({ status: 'Unknown' })
    await expect(within(clock, 5000, faulty.get('a'))).rejects.toThrow(RetryableError)
    expect(await healthy.get('a')).toBeNull()
  })

  it('applies a transaction whose reply it loses', async () => {
    const { clock, faults, faulty, healthy } = setUp()
    faults.losesReplies = true
    expect(await within(clock, 5000, faulty.txn({ if: [], then: [put('a', '1')], fence: null }))).toMatchObject({ status: 'Unknown' })
    expect((await healthy.get('a'))?.value).toBe('1')
  })

  it('holds back events from a client that is cut off, and loses none', async () => {
    const { clock, faults, faulty, healthy } = setUp()
    const seen: StoreEvent[] = []
    const abort = new AbortController()
    const watching = (async () => {
      for await (const events of faulty.watch('', { from: '2', signal: abort.signal })) seen.push(...events)
    })()
    faults.unreachable = true
    for (let index = 0; index < 5; index += 1) await commit(healthy, put('a', `${index}`))
    await clock.advance(10_000)
    expect(seen).toEqual([])
    faults.unreachable = false
    await clock.advance(1000)
    expect(seen.map(({ value }) => value)).toEqual(['0', '1', '2', '3', '4'])
    abort.abort()
    await watching
    expect(clock.sleeping).toBe(0)
  })

  it('forgets history beyond its bound, by number or by size', async () => {
    for (const [history, value] of [
      [{ revisions: 20, bytes: 1e9 }, 'x'],
      [{ revisions: 1e9, bytes: 20_000 }, 'x'.repeat(1000)],
    ] as const) {
      const store = createMemoryCluster({ clock: createFakeClock(), history }).connect()
      for (let index = 0; index < 100; index += 1) await commit(store, put('a', value))
      const kept = async (from: number) => {
        const { done } = await store
          .watch('', { from: `${from}`, signal: never })
          [Symbol.asyncIterator]()
          .next()
        return !done
      }
      // The newest revision is 101.
      expect(await kept(90)).toBe(true)
      await expect(kept(75)).rejects.toThrow(/cannot watch from revision 75/)
    }
  })
})
