import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { planSync, type SyncInput, type Wanted } from '../../src/core/sync.ts'
import type { WorkloadKey } from '../../src/model/ids.ts'
import { SyncPolicy } from '../../src/model/manifest.ts'
import type { Quarantine } from '../../src/model/records.ts'
import { digest, NOW, named, quarantine, workload } from '../support/make.ts'

const want = (name: string, inputs = 'v1'): Wanted => ({
  key: named(name),
  inputsDigest: digest(inputs),
  templateDigest: digest(inputs),
  file: `${name}.yaml`,
  appliesTo: 'Change',
})
const own = (name: string, inputs = 'v1') => workload({ key: named(name), inputsDigest: digest(inputs) })
const names = (count: number) => Array.from({ length: count }, (_, index) => `w${index}`)

function sync(over: Omit<Partial<SyncInput>, 'policy'> & { policy?: object } = {}) {
  const { policy = {}, ...rest } = over
  const plan = planSync({
    app: 'shop',
    revision: 'main@sha1:new',
    wanted: [],
    broken: [],
    problems: 0,
    owned: [],
    foreign: new Map(),
    quarantines: [],
    allowDelete: 'WithinBudget',
    retry: 'No',
    now: NOW,
    ...rest,
    policy: SyncPolicy.parse(policy),
  })
  const short = (keys: readonly WorkloadKey[]) => keys.map((key) => key.split('/')[2]).sort()
  return {
    apply: short(plan.apply.map(({ key }) => key)),
    remove: short(plan.remove),
    lift: short(plan.lift),
    gates: plan.holds.map(({ gate }) => gate).sort(),
    holds: plan.holds,
  }
}

it('takes in anew, in each revision, what runs for each revision, and nothing else', () => {
  const each: Wanted = { ...want('each'), appliesTo: 'Revision' }
  const owned = [own('each'), own('other')]
  expect(sync({ wanted: [each, want('other')], owned }).apply).toEqual(['each'])
  expect(sync({ wanted: [each, want('other')], owned, revision: own('each').revision }).apply).toEqual([])
})

describe('what is applied', () => {
  it('is what differs from what runs, by inputs', () => {
    const plan = sync({ wanted: [want('new'), want('same'), want('changed', 'v2')], owned: [own('same'), own('changed')] })
    expect(plan).toMatchObject({ apply: ['changed', 'new'], remove: [], gates: [] })
  })

  it('G7: is not what another app owns; the second shows the conflict', () => {
    const plan = sync({ wanted: [want('web'), want('other')], foreign: new Map([[named('web'), 'bakery']]) })
    expect(plan).toMatchObject({ apply: ['other'], gates: ['Conflict'] })
    expect(plan.holds[0]?.message).toBe('default/Deployment/web belongs to app bakery')
  })
})

describe('quarantine', () => {
  const entry = quarantine({ workload: named('web'), bad: digest('bad'), good: digest('good') })
  const quarantines = [entry]

  it('keeps the bad digest out, however often it comes', () => {
    const plan = sync({ wanted: [want('web', 'bad'), want('other')], owned: [own('web', 'good')], quarantines })
    expect(plan).toMatchObject({ apply: ['other'], remove: [], lift: [], gates: ['Quarantine'] })
  })

  it.each([
    ['the good one again', 'good', []],
    ['a third', 'mended', ['web']],
  ])('is lifted by %s', (_, inputs, apply) => {
    const plan = sync({ wanted: [want('web', inputs)], owned: [own('web', 'good')], quarantines })
    expect(plan).toMatchObject({ apply, lift: ['web'], gates: [] })
  })

  it('is lifted with the workload, when the revision takes it away', () => {
    expect(sync({ wanted: [want('other')], owned: [own('web', 'good'), own('other')], quarantines })).toMatchObject({
      remove: ['web'],
      lift: ['web'],
      gates: [],
    })
  })

  it('stays while that removal is held back, so that the bad one cannot come in by an empty commit between', () => {
    expect(sync({ owned: [own('web', 'good')], quarantines })).toMatchObject({ remove: [], lift: [], gates: ['EmptySource'] })
    const plan = sync({ wanted: [want('other')], owned: [own('web', 'good'), own('other')], quarantines, policy: { prune: false } })
    expect(plan).toMatchObject({ lift: [], gates: ['PruneDisabled'] })
  })

  it('stays while mistakes may hide the workload', () => {
    expect(sync({ wanted: [want('other')], owned: [own('web', 'good')], quarantines, problems: 1 }).lift).toEqual([])
    expect(sync({ wanted: [want('other')], owned: [own('web', 'good')], quarantines, problems: 1, broken: [named('web')] }).lift).toEqual(
      [],
    )
  })

  describe('of an absence: the revision that lacks the workload was rolled back', () => {
    const absent = [quarantine({ workload: named('web'), bad: null, good: digest('good') })]

    it('keeps what is live, even against an order to delete', () => {
      for (const allowDelete of ['WithinBudget', 'Any'] as const) {
        const plan = sync({ wanted: [want('other')], owned: [own('web', 'good'), own('other')], quarantines: absent, allowDelete })
        expect(plan).toMatchObject({ apply: [], remove: [], lift: [], gates: ['Quarantine'] })
      }
    })

    it('is lifted when the workload is there again', () => {
      expect(sync({ wanted: [want('web', 'good')], owned: [own('web', 'good')], quarantines: absent })).toMatchObject({
        lift: ['web'],
        gates: [],
      })
    })
  })

  describe('of a presence: the rollback took the workload away', () => {
    const gone = [quarantine({ workload: named('web'), bad: digest('bad'), good: null })]

    it('does not bring it back', () => {
      expect(sync({ wanted: [want('web', 'bad')], quarantines: gone })).toMatchObject({ apply: [], lift: [], gates: ['Quarantine'] })
    })

    it('is lifted by another digest, and by its absence', () => {
      expect(sync({ wanted: [want('web', 'mended')], quarantines: gone })).toMatchObject({ apply: ['web'], lift: ['web'] })
      expect(sync({ wanted: [want('other')], quarantines: gone })).toMatchObject({ apply: ['other'], lift: ['web'], gates: [] })
    })
  })
})

describe('removal', () => {
  it('takes away what the app owns and the revision lacks', () => {
    expect(sync({ wanted: [want('a')], owned: [own('a'), own('b')] })).toMatchObject({ remove: ['b'], gates: [] })
  })

  it('waits while the revision has mistakes, also against an order to delete; what is broken stays anyway', () => {
    for (const allowDelete of ['WithinBudget', 'Any'] as const) {
      const plan = sync({ wanted: [want('a')], owned: [own('a'), own('b'), own('c')], broken: [named('b')], problems: 1, allowDelete })
      expect(plan).toMatchObject({ remove: [], gates: ['InvalidManifests'] })
      expect(plan.holds[0]?.message).toBe('removal of default/Deployment/c waits, for the revision has mistakes')
    }
  })

  it('of everything is an empty source, and needs an order', () => {
    expect(sync({ owned: [own('a')] })).toMatchObject({ remove: [], gates: ['EmptySource'] })
    expect(sync({ owned: [own('a')], allowDelete: 'Any' })).toMatchObject({ remove: ['a'], gates: [] })
  })

  it.each([
    [3, 4, {}, 'done'],
    [3, 10, {}, 'done'],
    [4, 10, {}, 'held'],
    [30, 100, {}, 'done'],
    [31, 100, {}, 'held'],
    [1, 3, { deletionBudget: { count: 0, percent: 30 } }, 'held'],
    [1, 4, { deletionBudget: { count: 0, percent: 30 } }, 'done'],
    [2, 3, { deletionBudget: { count: 2, percent: 0 } }, 'done'],
    [1, 2, { deletionBudget: { count: 0, percent: 0 } }, 'held'],
  ])('%i of %i with budget %j is %s: the larger of count and percent counts', (gone, all, policy, verdict) => {
    const owned = names(all)
    const wanted = owned.slice(gone).map((name) => want(name))
    const plan = sync({ wanted, owned: owned.map((name) => own(name)), policy })
    expect(plan).toMatchObject(verdict === 'done' ? { gates: [] } : { remove: [], gates: ['DeletionBudget'] })
    expect(plan.remove).toHaveLength(verdict === 'done' ? gone : 0)
    expect(sync({ wanted, owned: owned.map((name) => own(name)), policy, allowDelete: 'Any' }).remove).toHaveLength(gone)
  })

  it('is off with prune: false, until somebody orders it', () => {
    const input = { wanted: [want('a')], owned: [own('a'), own('b')], policy: { prune: false } }
    const plan = sync(input)
    expect(plan).toMatchObject({ remove: [], gates: ['PruneDisabled'] })
    expect(plan.holds[0]?.unblockBy).toBe('drover sync shop --allow-delete')
    expect(sync({ ...input, allowDelete: 'Any' })).toMatchObject({ remove: ['b'], gates: [] })
  })
})

describe('an atomic app that went back', () => {
  const root = (over: Partial<Quarantine> = {}) =>
    quarantine({ workload: named('web'), bad: digest('bad'), reason: 'CrashLoop: it fails', actor: 'drover', revisionId: 2, ...over })
  const because = { workload: named('web'), inputsDigest: digest('bad') }
  const taken = quarantine({ workload: named('api'), bad: digest('with it'), reason: 'RevisionFailed: web', revisionId: 2, because })
  const owned = [own('web', 'good'), own('api', 'good')]
  const synced = (web: string, api: string, over: { entry?: Quarantine; retry?: 'Quarantined' } = {}) => {
    const { entry = root(), retry = 'No' } = over
    const wanted = [want('web', web), want('api', api)]
    return sync({ wanted, owned, quarantines: [entry, taken], policy: { atomic: true }, retry })
  }

  it('does not start again what failed, for a commit of something else', () => {
    const plan = synced('bad', 'v3')
    expect(plan).toMatchObject({ apply: [], lift: [], gates: ['Quarantine', 'Quarantine'] })
    expect(plan.holds[0]?.message).toContain('default/Deployment/web in it is as it failed')
    expect(plan.holds[0]?.unblockBy).toContain('drover sync shop --retry')
    expect(synced('bad', 'v3', { retry: 'Quarantined' })).toMatchObject({ apply: ['api', 'web'], gates: [] })
  })

  it('goes on as a whole once that is mended', () => {
    expect(synced('mended', 'with it')).toMatchObject({ apply: ['api', 'web'], lift: ['api', 'web'], gates: [] })
  })

  it.each<[string, Partial<Quarantine>]>([
    ['a part was only late', { reason: 'DeadlineExceeded: web is Progressing' }],
    ['a person brought it back', { reason: 'rolled back by ann', revisionId: null }],
    ['it failed because of another', { because: { workload: named('api'), inputsDigest: digest('with it') } }],
  ])('goes on with any change where %s', (_name, over) => {
    expect(synced('bad', 'v3', { entry: root(over) })).toMatchObject({ apply: ['api', 'web'], gates: [] })
  })
})

it('says much in little: thousands of workloads do not make a hold, or a list of them, that no store takes', () => {
  const all = names(10_000)
  const owned = all.map((name) => own(name))
  expect(JSON.stringify(sync({ owned }).holds).length).toBeLessThan(4096)
  const quarantines = all.map((name) => quarantine({ workload: named(name), bad: digest('v1') }))
  const { holds } = sync({ wanted: all.map((name) => want(name)), owned, quarantines })
  expect(JSON.stringify(holds).length).toBeLessThan(16_384)
  expect(holds.at(-1)).toMatchObject({ gate: 'Quarantine', message: 'and 9980 more like these' })
})

describe('for any revision', () => {
  const name = fc.constantFrom<string[]>('a', 'b', 'c', 'd', 'e')
  const inputs = fc.constantFrom<string[]>('v1', 'v2', 'v3')
  const some = <T>(value: fc.Arbitrary<T>, key: (item: T) => string) => fc.uniqueArray(value, { selector: key, maxLength: 5 })
  const wantedSet = some(fc.record({ name, inputs }), (item) => item.name)
  const bad = fc.option(inputs)
  const arbitrary = fc.record({
    wanted: wantedSet,
    owned: wantedSet,
    quarantined: some(fc.record({ name, bad }), (item) => item.name),
    problems: fc.nat({ max: 2 }),
    allowDelete: fc.constantFrom('WithinBudget' as const, 'Any' as const),
    prune: fc.boolean(),
  })
  const planOf = ({
    wanted,
    owned,
    quarantined,
    problems,
    allowDelete,
    prune,
  }: typeof arbitrary extends fc.Arbitrary<infer T> ? T : never) =>
    sync({
      wanted: wanted.map((item) => want(item.name, item.inputs)),
      owned: owned.map((item) => own(item.name, item.inputs)),
      quarantines: quarantined.map((item) => quarantine({ workload: named(item.name), bad: item.bad === null ? null : digest(item.bad) })),
      problems,
      allowDelete,
      policy: { prune },
    })

  it('a mistake anywhere removes nothing, and lifts no quarantine of what is not there', () => {
    fc.assert(
      fc.property(arbitrary, (given) => {
        const plan = planOf({ ...given, problems: Math.max(1, given.problems) })
        expect(plan.remove).toEqual([])
        for (const lifted of plan.lift) expect(given.wanted.map((item) => item.name)).toContain(lifted)
      }),
    )
  })

  it('a quarantined digest is never applied, a quarantined absence never carried out', () => {
    fc.assert(
      fc.property(arbitrary, (given) => {
        const plan = planOf(given)
        for (const item of given.quarantined) {
          const wanted = given.wanted.find((other) => other.name === item.name)
          if (wanted !== undefined && wanted.inputs === item.bad) expect(plan.apply).not.toContain(item.name)
          if (item.bad === null) expect(plan.remove).not.toContain(item.name)
        }
      }),
    )
  })

  it('G6: what is owned is the inventory: any way back to a good revision leaves no orphan', () => {
    type Step = { wanted: { name: string; inputs: string }[]; problems: number }
    const revision: fc.Arbitrary<Step> = fc.record({ wanted: wantedSet, problems: fc.constantFrom(0, 0, 1) })
    fc.assert(
      fc.property(fc.array(revision, { maxLength: 8 }), wantedSet, (history, good) => {
        let inventory = new Map<string, string>()
        for (const step of [...history, { wanted: good, problems: 0 }]) {
          const plan = planOf({ ...step, owned: owned(inventory), quarantined: [], allowDelete: 'Any', prune: true })
          const after = new Map(inventory)
          for (const item of step.wanted) if (plan.apply.includes(item.name)) after.set(item.name, item.inputs)
          for (const gone of plan.remove) after.delete(String(gone))
          inventory = after
        }
        expect(inventory).toEqual(new Map(good.map((item) => [item.name, item.inputs])))
      }),
    )
  })

  const owned = (inventory: ReadonlyMap<string, string>) => [...inventory].map(([key, value]) => ({ name: key, inputs: value }))
})
