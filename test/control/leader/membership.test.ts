import { describe, expect, it } from 'vitest'
import { type Judged, judgeStore, type Membership, type StoreState } from '../../../src/control/leader/membership.ts'
import { ClusterIdentity } from '../../../src/model/records.ts'

const EMPTY: StoreState = { kind: 'Empty', revision: '1' }
const FOREIGN: StoreState = { kind: 'Foreign', keys: 12 }
const cluster = (id: string, revision = '100', epochBase = 0): StoreState => ({
  kind: 'Cluster',
  identity: ClusterIdentity.parse({ id, createdAt: 0, epochBase }),
  revision,
})
const member = (id: string, revision = '100', over: Partial<Membership> = {}): Membership => ({
  cluster: id,
  state: 'Member',
  revision,
  epochBase: 0,
  ...over,
})
const judge = (store: StoreState, rest: Partial<Judged> = {}) =>
  judgeStore({ store, remembered: null, accept: null, place: 'Shared', ...rest })

describe('a store is joined', () => {
  it.each<[string, StoreState, Partial<Judged>, string]>([
    ['empty, by a new data directory', EMPTY, {}, 'Create'],
    ['empty, by a member who is told that it is meant', EMPTY, { remembered: member('a'), accept: 'empty' }, 'Create'],
    ['empty, by who was cut short in making it', EMPTY, { remembered: member('a', '0', { state: 'Creating' }) }, 'Create'],
    ['by a member, as it was', cluster('a'), { remembered: member('a') }, 'Join'],
    ['by a member, later', cluster('a', '1000'), { remembered: member('a', '999') }, 'Join'],
    ['by a member, restored from a backup: its epochs were raised', cluster('a', '9', 5), { remembered: member('a', '1000') }, 'Join'],
    ['by who has joined and not seen it yet', cluster('a'), { remembered: member('a', '0') }, 'Join'],
    ['by a stranger who is told its id', cluster('a'), { accept: 'a' }, 'Join'],
    ['by a member of another who is told its id', cluster('b'), { remembered: member('a'), accept: 'b' }, 'Join'],
    ['that lies in the data directory itself', cluster('a'), { place: 'Own' }, 'Join'],
  ])('%s', (_, store, rest, verdict) => {
    expect(judge(store, rest)).toEqual({ verdict })
  })

  it('older than it was, when that is meant; epochs are told how much', () => {
    const restored = judge(cluster('a', '999'), { remembered: member('a', '1000'), accept: 'a' })
    expect(restored).toEqual({ verdict: 'JoinOlder', epochBase: 1_000_000_001 })
    const again = judge(cluster('a', '2000'), { remembered: member('a', '1000', { epochBase: 7 }), accept: 'a' })
    expect(again).toEqual({ verdict: 'JoinOlder', epochBase: 1_000_000_007 })
  })
})

describe('a store is refused, with what was found and how to go on', () => {
  it.each<[string, StoreState, Partial<Judged>, RegExp, RegExp]>([
    ['empty, by a member', EMPTY, { remembered: member('a') }, /is empty.*cluster a .*revision 100/, /--accept-store empty/],
    ['empty, by who joined and has not seen it yet', EMPTY, { remembered: member('a', '0') }, /is empty/, /--accept-store empty/],
    ['empty though it lies in the data directory', EMPTY, { remembered: member('a'), place: 'Own' }, /is empty/, /--accept-store empty/],
    ['full of something else', FOREIGN, {}, /12 keys/, /another prefix/],
    ['full of something else, whatever is accepted', FOREIGN, { accept: 'empty' }, /12 keys/, /another prefix/],
    ['of a cluster never joined', cluster('a'), {}, /cluster a.*never/, /--join URL.*--accept-store a/],
    ['of another cluster', cluster('b'), { remembered: member('a') }, /cluster b.*cluster a/, /--accept-store b/],
    ['of another cluster than accepted', cluster('c'), { remembered: member('a'), accept: 'b' }, /cluster c/, /--accept-store c/],
    ['older than it was', cluster('a', '999'), { remembered: member('a', '1000') }, /revision 999.*1000/, /--accept-store a/],
    ['whose epochs count from lower than they did', cluster('a'), { remembered: member('a', '1', { epochBase: 5 }) }, /revision 100/, /a/],
    [
      'older than it was, when only emptiness is accepted',
      cluster('a', '9'),
      { remembered: member('a'), accept: 'empty' },
      /revision 9/,
      /a/,
    ],
  ])('%s', (_, store, rest, found, mend) => {
    expect(judge(store, rest)).toEqual({ verdict: 'Refuse', found: expect.stringMatching(found), mend: expect.stringMatching(mend) })
  })
})
