import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import type { Digest } from '../../src/model/ids.ts'
import { blobOps, readBlob } from '../../src/store/blobs.ts'
import { groupOps } from '../../src/store/limits.ts'
import { createMemoryCluster } from '../../src/store/memory.ts'
import { MAX_OPS, MAX_VALUE_BYTES, type Op, type Store } from '../../src/store/store.ts'
import { commit, put, remove } from './store-suite.ts'

const digest = (text: string) => createHash('sha256').update(text).digest('hex') as Digest

let store: Store
beforeEach(() => {
  store = createMemoryCluster({ clock: systemClock }).connect()
})

async function write(text: string): Promise<Digest> {
  for (const group of groupOps(blobOps(digest(text), text))) await commit(store, ...group)
  return digest(text)
}

describe('blobs', () => {
  it.each([
    ['nothing', ''],
    ['a little', '{"a":1}'],
    ['exactly one chunk', 'x'.repeat(MAX_VALUE_BYTES)],
    ['one byte more', 'x'.repeat(MAX_VALUE_BYTES + 1)],
    ['characters across the chunk border', `x${'😀'.repeat(MAX_VALUE_BYTES)}`],
    ['more than ten chunks', 'abc'.repeat(MAX_VALUE_BYTES * 4)],
  ])('come back whole: %s', async (_, text) => {
    const read = await readBlob(store, await write(text))
    expect(read === text).toBe(true)
  })

  it('come back whole, any text', async () => {
    const unit = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(unit, fc.nat(60_000), async (piece, times) => {
        const text = piece.repeat(times)
        expect((await readBlob(store, await write(text))) === text).toBe(true)
      }),
      { numRuns: 30 },
    )
  })

  it('are absent as long as a chunk is missing or not what the digest says', async () => {
    const text = 'abc'.repeat(MAX_VALUE_BYTES)
    const ops = blobOps(digest(text), text)
    expect(await readBlob(store, digest(text))).toBeNull()
    for (const missing of [0, 1, ops.length - 1]) {
      await write(text)
      await commit(store, remove(ops[missing]?.key ?? ''))
      expect(await readBlob(store, digest(text))).toBeNull()
    }
    await write(text)
    await commit(store, put(ops[1]?.key ?? '', 'damaged'))
    expect(await readBlob(store, digest(text))).toBeNull()
  })

  it('are not written under the digest of another text', () => {
    expect(() => blobOps(digest('a'), 'b')).toThrow(expect.objectContaining({ code: 'BadBlob' }))
  })
})

describe('groups of operations', () => {
  it('keep all of them, in order, each group small enough for one transaction', async () => {
    const size = fc.oneof(fc.nat(1000), fc.integer({ min: 100_000, max: MAX_VALUE_BYTES }))
    await fc.assert(
      fc.asyncProperty(fc.array(size, { maxLength: 20 }), fc.nat(300), async (sizes, small) => {
        const values = [...sizes.map((bytes) => 'x'.repeat(bytes)), ...Array.from({ length: small }, () => '')]
        const ops: Op[] = values.map((value, index) => put(`k/${index}`, value))
        const groups = groupOps(ops)
        expect(groups.flat()).toEqual(ops)
        expect(groups.every((group) => group.length > 0 && group.length <= MAX_OPS)).toBe(true)
        for (const group of groups) await commit(store, ...group)
        const spacious = groupOps(ops, MAX_OPS - 1)
        expect(spacious.flat()).toEqual(ops)
        for (const group of spacious) await commit(store, ...group, put('marker', 'x'.repeat(50_000)))
      }),
      { numRuns: 30 },
    )
  })

  it('are as few as they can be', () => {
    expect(groupOps(Array.from({ length: 256 }, (_, index) => put(`${index}`, '')))).toHaveLength(2)
    expect(groupOps([])).toEqual([])
  })
})
