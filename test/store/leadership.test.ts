import { describe, expect, it } from 'vitest'
import { silentLog } from '../../src/lib/log.ts'
import { LeaseLostError, lead } from '../../src/store/leadership.ts'
import { createFakeClock } from '../support/fake-clock.ts'

const TTL_MS = 9000

/** A lease whose renewals a test answers: `fails` at once, `hangs` until its deadline. */
function setUp() {
  const clock = createFakeClock()
  const store: { answer: 'renews' | 'fails' | 'hangs' | 'lost'; timeouts: number[]; released: number } = {
    answer: 'renews',
    timeouts: [],
    released: 0,
  }
  const leadership = lead({
    fence: { key: 'leader', epoch: 7 },
    clock,
    log: silentLog,
    ttlMs: TTL_MS,
    grantedAt: clock.monotonic(),
    renew: async (timeoutMs) => {
      store.timeouts.push(timeoutMs)
      if (store.answer === 'hangs') await clock.sleep(timeoutMs)
      if (store.answer === 'lost') throw new LeaseLostError('gone')
      if (store.answer !== 'renews') throw new Error(store.answer)
    },
    release: async () => {
      store.released += 1
    },
  })
  return { clock, store, leadership }
}

describe('lead', () => {
  it('is valid for 0.66 of the TTL from the grant, and from the sending of each renewal', async () => {
    const { clock, leadership } = setUp()
    expect(leadership.validUntil()).toBe(0.66 * TTL_MS)
    await clock.advance(TTL_MS / 3)
    expect(leadership.validUntil()).toBe(TTL_MS / 3 + 0.66 * TTL_MS)
    await clock.advance(100 * TTL_MS)
    expect(leadership.signal.aborted).toBe(false)
    expect(leadership.validUntil()).toBeGreaterThan(clock.monotonic())
  })

  it.each(['fails', 'hangs'] as const)('ends at 0.66 of the TTL, not later, when the store %s', async (answer) => {
    const { clock, store, leadership } = setUp()
    store.answer = answer
    await clock.runUntil(() => leadership.signal.aborted, TTL_MS)
    expect(clock.monotonic()).toBeCloseTo(0.66 * TTL_MS)
    expect(leadership.validUntil()).toBe(Number.NEGATIVE_INFINITY)
    expect(store.timeouts.length).toBeGreaterThan(1)
    expect(Math.max(...store.timeouts)).toBeLessThanOrEqual(TTL_MS / 5)
    expect(store.released).toBe(1)
    expect(clock.sleeping).toBe(0)
  })

  it('outlives failures that are shorter', async () => {
    const { clock, store, leadership } = setUp()
    store.answer = 'fails'
    await clock.advance(0.6 * TTL_MS)
    store.answer = 'renews'
    await clock.advance(TTL_MS)
    expect(leadership.signal.aborted).toBe(false)
  })

  it('ends at once when the store says that the lease is gone', async () => {
    const { clock, store, leadership } = setUp()
    store.answer = 'lost'
    await clock.advance(TTL_MS / 3)
    expect(leadership.signal.aborted).toBe(true)
    expect(store.timeouts).toHaveLength(1)
  })

  it('is released once when given up, and stops renewing', async () => {
    const { clock, store, leadership } = setUp()
    await Promise.all([leadership.resign(), leadership.resign()])
    expect(leadership.signal.aborted).toBe(true)
    expect(leadership.signal.reason).toBeInstanceOf(LeaseLostError)
    await clock.advance(TTL_MS)
    expect(store).toMatchObject({ released: 1, timeouts: [] })
    expect(clock.sleeping).toBe(0)
  })
})
