import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { CompactedError, compareRevisions, MAX_OPS, MAX_VALUE_BYTES, type Op, type Store, type StoreEvent } from '../../src/store/store.ts'
import { waitUntil } from '../support/wait-until.ts'
import { runModel, storeCommands } from './store-model.ts'
import { collect, take } from './watching.ts'

/** Data of its own for one test. */
export interface StoreSpace {
  readonly store: Store
  /** Another client of the same data; the same one where a process can have only one. */
  readonly peer: Store
  compact(revision: string): Promise<void>
  close(): Promise<void>
}

export interface StoreHarness {
  start?(): Promise<void>
  stop?(): Promise<void>
  space(): Promise<StoreSpace>
  readonly modelRuns: number
}

export const put = (key: string, value: string): Op => ({ op: 'put', key, value })
export const remove = (key: string): Op => ({ op: 'delete', key })

/** The revision of a transaction that must succeed. */
export async function commit(store: Store, ...then: Op[]): Promise<string> {
  const result = await store.txn({ if: [], then, fence: null })
  if (result.status !== 'Committed') throw new Error(`not committed: ${JSON.stringify(result)}`)
  return result.revision
}

const never = new AbortController().signal
const later = (revision: string) => String(BigInt(revision) + 1n)

/** What every store promises, whatever is behind it. */
export function describeStore(name: string, harness: StoreHarness): void {
  describe(name, () => {
    let space: StoreSpace
    let store: Store
    beforeAll(() => harness.start?.())
    afterAll(() => harness.stop?.())
    beforeEach(async () => {
      space = await harness.space()
      store = space.store
    })
    afterEach(() => space.close())

    it('lists by prefix in key order, all at one revision', async () => {
      await commit(store, put('tasks/b', '2'), put('tasks/a', '1'), put('tasksX', 'x'), put('runs/a', 'r'))
      const revision = await commit(store, put('tasks/a', '3'))
      const listing = await store.list('tasks/')
      expect(listing.items.map(({ key, value }) => [key, value])).toEqual([
        ['tasks/a', '3'],
        ['tasks/b', '2'],
      ])
      expect(listing.revision).toBe(revision)
      expect((await store.list('')).items).toHaveLength(4)
      expect((await store.list('task')).items.map(({ key }) => key)).toEqual(['tasks/a', 'tasks/b', 'tasksX'])
      expect((await store.list('none/')).items).toEqual([])
    })

    it('tells the revision of the last change and of the creation, which starts anew after a delete', async () => {
      const created = await commit(store, put('a', '1'))
      const changed = await commit(store, put('a', '2'))
      expect(await store.get('a')).toEqual({ key: 'a', value: '2', revision: changed, createRevision: created })
      await commit(store, remove('a'))
      expect(await store.get('a')).toBeNull()
      const again = await commit(store, put('a', '3'))
      expect(await store.get('a')).toEqual({ key: 'a', value: '3', revision: again, createRevision: again })
      expect(compareRevisions(again, changed)).toBeGreaterThan(0)
    })

    it('applies a transaction whole or not at all', async () => {
      const revision = await commit(store, put('a', '1'))
      const absent = { key: 'b', revision: '0' }
      const refused = await store.txn({
        if: [absent, { key: 'a', revision: later(revision) }],
        then: [put('b', '1'), remove('a')],
        fence: null,
      })
      expect(refused).toEqual({ status: 'Conflict', failed: 'compare' })
      expect((await store.list('')).items.map(({ key }) => key)).toEqual(['a'])
      const applied = await store.txn({ if: [absent, { key: 'a', revision }], then: [put('b', '1'), remove('a')], fence: null })
      expect(applied.status).toBe('Committed')
      expect((await store.list('')).items.map(({ key }) => key)).toEqual(['b'])
    })

    it('changes nothing when it deletes what is not there', async () => {
      const revision = await commit(store, put('a', '1'))
      expect(await commit(store, remove('b'))).toBe(revision)
      expect(await commit(store)).toBe(revision)
    })

    it('lets exactly one of many racing creations win', async () => {
      const create = (value: number) => store.txn({ if: [{ key: 'a', revision: '0' }], then: [put('a', String(value))], fence: null })
      const results = await Promise.all(Array.from({ length: 20 }, (_, index) => create(index)))
      const winner = results.findIndex(({ status }) => status === 'Committed')
      expect(results.filter(({ status }) => status === 'Committed')).toHaveLength(1)
      expect((await store.get('a'))?.value).toBe(String(winner))
    })

    it.each([
      ['one key twice', [put('a', '1'), remove('a')]],
      ['too many operations', Array.from({ length: MAX_OPS + 1 }, (_, index) => put(`k/${index}`, ''))],
      ['a value that is too large', [put('a', 'x'.repeat(MAX_VALUE_BYTES + 1))]],
      ['too much in all', Array.from({ length: 6 }, (_, index) => put(`k/${index}`, 'x'.repeat(200_000)))],
      ['a key that does not sort everywhere alike', [put('ä', '1')]],
      ['an empty key', [put('', '1')]],
    ])('refuses %s, and goes on', async (_, then) => {
      await expect(store.txn({ if: [], then, fence: null })).rejects.toMatchObject({ code: 'BadTxn' })
      await commit(store, put('b', '1'))
      expect((await store.list('')).items.map(({ key }) => key)).toEqual(['b'])
    })

    it('keeps the largest values and any text', async () => {
      const large = 'é'.repeat(MAX_VALUE_BYTES / 2)
      await commit(store, put('large', large), put('empty', ''), put('text', '\u0000 "😀" \n 42 7'))
      expect((await store.list('')).items.map(({ key, value }) => [key, value])).toEqual([
        ['empty', ''],
        ['large', large],
        ['text', '\u0000 "😀" \n 42 7'],
      ])
    })

    it('lists more than a page as of one revision while a writer changes both ends', async () => {
      for (let group = 0; group < 10; group += 1) {
        await commit(store, ...Array.from({ length: 120 }, (_, index) => put(`k/${String(group * 120 + index).padStart(4, '0')}`, '0')))
      }
      const listings = Array.from({ length: 5 }, () => store.list('k/'))
      for (let round = 1; round <= 20; round += 1) await commit(store, put('k/0000', `${round}`), put('k/1199', `${round}`))
      for (const { items } of [...(await Promise.all(listings)), await store.list('k/')]) {
        expect(items).toHaveLength(1200)
        expect(items.at(-1)?.value).toBe(items[0]?.value)
      }
    })

    describe('watch', () => {
      it('tells of everything under the prefix from a revision on, past and to come', async () => {
        const first = await commit(store, put('tasks/a', '1'), put('runs/a', '1'))
        const second = await commit(store, remove('tasks/a'), put('tasks/b', '2'))
        const events = collect(store, 'tasks/', first)
        await waitUntil(() => events.length === 3)
        const third = await commit(store, put('runs/b', '1'), put('tasks/b', '3'))
        await waitUntil(() => events.length === 4)
        expect(events.filter((event) => event.revision !== second)).toEqual([
          { type: 'put', key: 'tasks/a', value: '1', revision: first },
          { type: 'put', key: 'tasks/b', value: '3', revision: third },
        ])
        expect(events.filter((event) => event.revision === second)).toEqual(
          expect.arrayContaining([
            { type: 'delete', key: 'tasks/a', value: '', revision: second },
            { type: 'put', key: 'tasks/b', value: '2', revision: second },
          ]),
        )
      })

      it('hands over a revision whole, however large, and backlogs in order', async () => {
        const from = later((await store.list('')).revision)
        const revisions: string[] = []
        for (let round = 0; round < 12; round += 1) {
          const ops = Array.from({ length: 4 }, (_, index) => put(`large/${index}`, `${round}`.padEnd(200_000, '.')))
          revisions.push(await commit(store, ...ops))
        }
        revisions.push(await commit(store, ...Array.from({ length: MAX_OPS }, (_, index) => put(`many/${index}`, ''))))
        const batches = await take(store, { prefix: '', from, until: revisions.at(-1) ?? '' })
        const perBatch = batches.map((batch) => new Set(batch.map(({ revision }) => revision)))
        expect(perBatch.flatMap((set) => [...set])).toEqual(revisions)
        expect(batches.flat()).toHaveLength(12 * 4 + MAX_OPS)
      })

      it('cannot go on from what is compacted, nor from the future', async () => {
        const first = await commit(store, put('a', '1'))
        const second = await commit(store, remove('a'))
        const third = await commit(store, put('a', '3'))
        await space.compact(second)
        for (const from of [first, second, later(later(third))]) {
          await expect(take(store, { prefix: '', from, until: third })).rejects.toThrow(CompactedError)
        }
        expect((await take(store, { prefix: '', from: third, until: third })).flat()).toHaveLength(1)
      })

      it('goes on across a compaction that it has caught up with', async () => {
        const events = collect(store, '', later((await store.list('')).revision))
        const first = await commit(store, put('a', '1'))
        await waitUntil(() => events.length === 1)
        await space.compact(first)
        await commit(store, put('a', '2'))
        await waitUntil(() => events.length === 2)
      })

      it('ends quietly when aborted, be it idle or not', async () => {
        await commit(store, put('a', '1'))
        const from = (await store.list('')).revision
        const abort = new AbortController()
        const seen: StoreEvent[] = []
        const ended = (async () => {
          for await (const events of store.watch('', { from, signal: abort.signal })) seen.push(...events)
          return 'quietly'
        })()
        await waitUntil(() => seen.length === 1)
        abort.abort(new Error('enough'))
        expect(await ended).toBe('quietly')
        for await (const events of store.watch('', { from, signal: AbortSignal.abort() })) seen.push(...events)
        expect(seen).toHaveLength(1)
      })
    })

    describe('campaign', () => {
      it('gives the lead to one at a time, with a growing epoch, and tells who has it', async () => {
        const first = await store.campaign('leader', { signal: never, value: 'one' })
        expect(await store.get('leader')).toMatchObject({ value: 'one', createRevision: String(first.fence.epoch) })
        expect(first.validUntil()).toBeGreaterThan(performance.now())
        let elected = false
        const waiting = space.peer.campaign('leader', { signal: never, value: 'two' }).finally(() => {
          elected = true
        })
        await commit(store, put('a', '1'))
        expect(elected).toBe(false)
        await first.resign()
        expect(first.signal.aborted).toBe(true)
        expect(first.validUntil()).toBeLessThan(performance.now())
        const second = await waiting
        expect(second.fence.epoch).toBeGreaterThan(first.fence.epoch)
        expect(await store.get('leader')).toMatchObject({ value: 'two', createRevision: String(second.fence.epoch) })
      })

      it('fences every write of an earlier leader', async () => {
        const first = await store.campaign('leader', { signal: never })
        expect(await store.txn({ if: [], then: [put('a', 'first')], fence: first.fence })).toMatchObject({ status: 'Committed' })
        await first.resign()
        const unled = await store.txn({ if: [], then: [put('a', 'late')], fence: first.fence })
        const second = await space.peer.campaign('leader', { signal: never })
        const stale = await store.txn({ if: [{ key: 'a', revision: '0' }], then: [put('a', 'stale')], fence: first.fence })
        expect([unled, stale]).toEqual([
          { status: 'Conflict', failed: 'fence' },
          { status: 'Conflict', failed: 'fence' },
        ])
        const held = await space.peer.txn({ if: [{ key: 'a', revision: '0' }], then: [put('a', 'no')], fence: second.fence })
        expect(held).toEqual({ status: 'Conflict', failed: 'compare' })
        expect((await store.get('a'))?.value).toBe('first')
      })

      it('leads several names apart', async () => {
        const [one, other] = await Promise.all([store.campaign('one', { signal: never }), store.campaign('other', { signal: never })])
        await one.resign()
        expect(other.signal.aborted).toBe(false)
        expect(await store.get('one')).toBeNull()
      })

      it('stops waiting when aborted, and leaves nothing behind', async () => {
        const first = await store.campaign('leader', { signal: never })
        const abort = new AbortController()
        const waiting = space.peer.campaign('leader', { signal: abort.signal })
        const reason = new Error('enough')
        abort.abort(reason)
        await expect(waiting).rejects.toBe(reason)
        await first.resign()
        expect(await store.get('leader')).toBeNull()
      })
    })

    it('ends watchers, campaigns and the lead when closed, and refuses calls', async () => {
      const leadership = await store.campaign('leader', { signal: never })
      const waiting = expect(store.campaign('leader', { signal: never })).rejects.toMatchObject({ code: 'StoreClosed' })
      const watching = (async () => {
        for await (const events of store.watch('', { from: later((await store.list('')).revision), signal: never })) void events
        return 'quietly'
      })()
      await store.close()
      expect(await watching).toBe('quietly')
      await waiting
      expect(leadership.signal.aborted).toBe(true)
      await expect(store.get('a')).rejects.toMatchObject({ code: 'StoreClosed' })
      await expect(store.list('')).rejects.toMatchObject({ code: 'StoreClosed' })
      await expect(store.txn({ if: [], then: [put('a', '1')], fence: null })).rejects.toMatchObject({ code: 'StoreClosed' })
      await store.close()
    })

    it('does what a model does, for any sequence of commands', async () => {
      const property = fc.asyncProperty(storeCommands, async (commands) => {
        const fresh = await harness.space()
        try {
          await runModel(fresh, commands)
        } finally {
          await fresh.close()
        }
      })
      await fc.assert(property, { numRuns: harness.modelRuns, endOnFailure: true })
    })
  })
}
