import fc from 'fast-check'
import { expect } from 'vitest'
import { must } from '../../src/lib/must.ts'
import {
  CompactedError,
  type Compare,
  compareRevisions,
  type Leadership,
  type Op,
  type Store,
  type StoreEvent,
  type Txn,
} from '../../src/store/store.ts'
import { waitUntil } from '../support/wait-until.ts'
import type { StoreSpace } from './store-suite.ts'
import { collect, take } from './watching.ts'

const KEYS = ['tasks/a', 'tasks/a/b', 'tasks/b', 'runs/a', 'single']
const LEADER = 'leader'

const key = fc.constantFrom(...KEYS)
const op = fc.oneof(
  { weight: 3, arbitrary: fc.record({ op: fc.constant('put' as const), key, value: fc.string({ maxLength: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('delete' as const), key }) },
)
const command = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      type: fc.constant('txn' as const),
      compares: fc.array(fc.record({ key, expect: fc.constantFrom('current', 'current', 'other', 'absent') }), { maxLength: 2 }),
      ops: fc.uniqueArray(op, { maxLength: 4, selector: (item) => item.key }),
      fence: fc.constantFrom('none', 'current', 'current', 'former'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('list' as const), prefix: fc.constantFrom('', 'tasks/', 'tasks/a', 'none') }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('get' as const), key }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('replay' as const), back: fc.nat(12) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('compact' as const), back: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('newLeader' as const) }) },
)
export const storeCommands = fc.array(command, { minLength: 1, maxLength: 40 })
type Command = typeof storeCommands extends fc.Arbitrary<(infer T)[]> ? T : never
type CommandOf<T extends Command['type']> = Extract<Command, { type: T }>

interface ModelItem {
  value: string
  revision: string
  createRevision: string
}

/** What a store of one writer must hold after the commands so far. */
class Model {
  readonly items = new Map<string, ModelItem>()
  /** Of keys other than the leader's. */
  readonly events: StoreEvent[] = []
  /** Revisions that this model knows of, the leader's key included, ascending. */
  readonly revisions: string[] = []
  compacted = '0'
  formerEpoch = 1

  verdict({ if: compares, fence }: Txn, epoch: number): 'Committed' | 'fence' | 'compare' {
    if (fence !== null && fence.epoch !== epoch) return 'fence'
    const holds = compares.every((compare) => (this.items.get(compare.key)?.revision ?? '0') === compare.revision)
    return holds ? 'Committed' : 'compare'
  }

  /** True when the operations change something. */
  apply(ops: readonly Op[], revision: string): void {
    for (const item of ops) {
      const old = this.items.get(item.key)
      if (item.op === 'delete') this.items.delete(item.key)
      else this.items.set(item.key, { value: item.value, revision, createRevision: old?.createRevision ?? revision })
      if (item.op === 'put') this.events.push({ type: 'put', key: item.key, value: item.value, revision })
      else if (old !== undefined) this.events.push({ type: 'delete', key: item.key, value: '', revision })
    }
  }
}

/** Runs the commands on the store and on a model, comparing every answer, with a watcher beside them. */
export async function runModel(space: StoreSpace, commands: readonly Command[]): Promise<void> {
  const { store } = space
  const model = new Model()
  const start = (await store.list('')).revision
  model.revisions.push(start)
  const watched = collect(store, '', String(BigInt(start) + 1n))
  let leadership = await newLeader(store, model)
  for (const item of commands) {
    if (item.type === 'newLeader') {
      await leadership.resign()
      model.formerEpoch = leadership.fence.epoch
      leadership = await newLeader(store, model)
    } else if (item.type === 'txn') await runTxn({ store, model, leadership }, item)
    else if (item.type === 'compact') await compact({ space, model, watched }, item)
    else if (item.type === 'replay') await replay(store, model, item)
    else await read(store, model, item)
  }
  await waitUntil(() => withoutLeader(watched).length >= model.events.length)
  expect(normal(withoutLeader(watched))).toEqual(normal(model.events))
}

async function newLeader(store: Store, model: Model): Promise<Leadership> {
  const leadership = await store.campaign(LEADER, { signal: new AbortController().signal })
  expect(leadership.fence.epoch).toBeGreaterThan(model.formerEpoch)
  model.revisions.push(String(leadership.fence.epoch))
  return leadership
}

async function runTxn({ store, model, leadership }: { store: Store; model: Model; leadership: Leadership }, item: CommandOf<'txn'>) {
  const compares = item.compares.map((compare): Compare => ({ key: compare.key, revision: expectedRevision(model, compare) }))
  const epoch = item.fence === 'current' ? leadership.fence.epoch : model.formerEpoch
  const fence = item.fence === 'none' ? null : { key: LEADER, epoch }
  const request: Txn = { if: compares, then: item.ops, fence }
  const verdict = model.verdict(request, leadership.fence.epoch)
  const result = await store.txn(request)
  if (verdict !== 'Committed') {
    expect(result).toEqual({ status: 'Conflict', failed: verdict })
    return
  }
  if (result.status !== 'Committed') throw new Error(`the model commits, the store says ${JSON.stringify(result)}`)
  const changes = item.ops.some((one) => one.op === 'put' || model.items.has(one.key))
  const last = must(model.revisions.at(-1), 'a revision')
  expect(compareRevisions(result.revision, last)).toBeGreaterThanOrEqual(changes ? 1 : 0)
  if (changes) model.revisions.push(result.revision)
  model.apply(item.ops, result.revision)
}

function expectedRevision(model: Model, { key: name, expect: wanted }: { key: string; expect: string }): string {
  const current = model.items.get(name)?.revision ?? '0'
  if (wanted === 'absent') return '0'
  return wanted === 'current' ? current : String(BigInt(current) + 1n)
}

async function compact(
  { space, model, watched }: { space: StoreSpace; model: Model; watched: StoreEvent[] },
  { back }: CommandOf<'compact'>,
): Promise<void> {
  // A watcher that has not caught up would be told to list again, and rightly.
  await waitUntil(() => watched.at(-1)?.revision === model.revisions.at(-1))
  const revision = must(model.revisions.at(-1 - Math.min(back, model.revisions.length - 1)), 'a revision')
  await space.compact(revision)
  if (compareRevisions(revision, model.compacted) > 0) model.compacted = revision
}

/** A new watch from some revision tells the same as the model, or that the revision is gone. */
async function replay(store: Store, model: Model, { back }: CommandOf<'replay'>): Promise<void> {
  const from = must(model.revisions.at(-1 - Math.min(back, model.revisions.length - 1)), 'a revision')
  const until = must(model.revisions.at(-1), 'a revision')
  const expected = model.events.filter(({ revision }) => compareRevisions(revision, from) >= 0)
  if (compareRevisions(from, model.compacted) <= 0) {
    await expect(take(store, { prefix: '', from, until })).rejects.toThrow(CompactedError)
  } else if (from !== model.revisions[0]) {
    const batches = await take(store, { prefix: '', from, until })
    expect(normal(withoutLeader(batches.flat()))).toEqual(normal(expected))
  }
}

async function read(store: Store, model: Model, item: CommandOf<'list'> | CommandOf<'get'>): Promise<void> {
  if (item.type === 'get') {
    const wanted = model.items.get(item.key)
    expect(await store.get(item.key)).toEqual(wanted === undefined ? null : { key: item.key, ...wanted })
    return
  }
  const expected = [...model.items].map(([name, value]) => ({ key: name, ...value })).filter((one) => one.key.startsWith(item.prefix))
  const { items } = await store.list(item.prefix)
  expect(items.filter((one) => one.key !== LEADER)).toEqual(expected.sort((a, b) => (a.key < b.key ? -1 : 1)))
}

const withoutLeader = (events: readonly StoreEvent[]) => events.filter((event) => event.key !== LEADER)

/** Inside one revision the order of events means nothing. */
const normal = (events: readonly StoreEvent[]) =>
  [...events].sort((a, b) => compareRevisions(a.revision, b.revision) || (a.key < b.key ? -1 : 1))
