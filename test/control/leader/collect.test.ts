import { afterEach, describe, expect, it } from 'vitest'
import { Cluster } from '../../../src/control/leader/cluster.ts'
import { garbageOf, REVISIONS_KEPT } from '../../../src/control/leader/collect.ts'
import { Draft } from '../../../src/control/leader/draft.ts'
import { digestOf } from '../../../src/lib/canonical.ts'
import type { Digest, TaskId } from '../../../src/model/ids.ts'
import { Rendered } from '../../../src/model/records.ts'
import { readBlob } from '../../../src/store/blobs.ts'
import { app, deploymentVersion, digest, KEY, quarantine, revisionRecord, task, workload } from '../../support/make.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { APP, World, web } from '../world.ts'

const OLD = 3
const version = (number: number) => deploymentVersion({ minReadySeconds: number })
const inputs = (number: number): Digest => digestOf(version(number))
const setOf = (number: number): Digest => digest(`set ${number}`)

/** An app with three revisions too many; revision n ran version n alone, and the newest runs. */
function history() {
  const cluster = new Cluster()
  const draft = new Draft(cluster)
  const count = REVISIONS_KEPT + OLD
  draft.write({ table: 'apps', id: 'shop', value: app() })
  for (let id = 1; id <= count; id += 1)
    draft.write({ table: 'revisions', id: `shop/${String(id).padStart(8, '0')}`, value: revisionRecord({ id, rendered: setOf(id) }) })
  const sets = new Map<Digest, ReadonlySet<Digest>>()
  for (let id = 1; id <= count; id += 1) sets.set(setOf(id), new Set([inputs(id)]))
  draft.version(inputs(count), version(count))
  draft.write({ table: 'workloads', id: KEY, value: workload({ inputsDigest: inputs(count) }) })
  return { cluster, draft, sets }
}

const found = ({ cluster, sets }: Pick<ReturnType<typeof history>, 'cluster' | 'sets'>) => {
  const garbage = garbageOf(cluster, sets)
  return garbage === null ? null : { revisions: garbage.revisions.map(({ id }) => id).sort(), bodies: new Set(garbage.bodies) }
}

describe('garbage', () => {
  it('is what is beyond the kept revisions, with what only they refer to', () => {
    expect(found(history())).toEqual({ revisions: [1, 2, 3], bodies: new Set([1, 2, 3].flatMap((id) => [setOf(id), inputs(id)])) })
  })

  it('is no body that a kept revision shares', () => {
    const made = history()
    made.sets.set(setOf(10), new Set([inputs(10), inputs(2)]))
    expect(found(made)?.bodies).toEqual(new Set([setOf(1), setOf(2), setOf(3), inputs(1), inputs(3)]))
  })

  it('is no set that a kept revision shares', () => {
    const made = history()
    made.draft.write({ table: 'revisions', id: 'shop/00000010', value: revisionRecord({ id: 10, rendered: setOf(2) }) })
    expect(found(made)?.bodies).toEqual(new Set([setOf(1), setOf(3), inputs(1), inputs(3)]))
  })

  it('is no revision that alone remembers what a task still is of', () => {
    const made = history()
    made.draft.version(inputs(2), version(2))
    made.draft.write({ table: 'tasks', id: 'old', value: task({ id: 'old' as TaskId, inputsDigest: inputs(2), desired: 'stop' }) })
    expect(found(made)).toEqual({ revisions: [1, 3], bodies: new Set([setOf(1), setOf(3), inputs(1), inputs(3)]) })
    made.draft.write({ table: 'tasks', id: 'old', value: null })
    expect(found(made)?.revisions).toEqual([1, 2, 3])
  })

  it('is no body that a quarantine names', () => {
    const made = history()
    made.draft.write({ table: 'quarantine', id: KEY, value: quarantine({ good: inputs(1), bad: inputs(3) }) })
    expect(found(made)?.bodies).toEqual(new Set([setOf(1), setOf(2), setOf(3), inputs(2)]))
  })

  it('is nothing as long as the content of a kept revision is not known', () => {
    const made = history()
    made.sets.delete(setOf(20))
    expect(found(made)).toBeNull()
  })

  it('is a revision whose bodies are gone already, as after a turn that was cut', () => {
    const made = history()
    made.sets.delete(setOf(2))
    expect(found(made)?.revisions).toEqual([1, 2, 3])
  })

  it('is a refused revision too, when its time has come', () => {
    const made = history()
    made.draft.write({ table: 'revisions', id: 'shop/00000002', value: revisionRecord({ id: 2, rendered: null, outcome: 'Rejected' }) })
    expect(found(made)?.revisions).toEqual([1, 2, 3])
  })
})

describe('a store after many commits', () => {
  const worlds: World[] = []
  afterEach(async () => {
    await Promise.all(worlds.splice(0).map((world) => world.close()))
  })

  it('holds the revisions that are kept, every body they or a task refer to, and no other', async () => {
    const world = await World.with({ 'web.yaml': web('web'), 'other.yaml': web('other') })
    worlds.push(world)
    await world.synced()
    for (let number = 2; number <= REVISIONS_KEPT + 12; number += 1) {
      world.commit({ 'web.yaml': web('web', { image: `a:${number}` }) })
      await waitUntil(() => world.app().lastAppliedRevision?.endsWith(world.repo.head()) === true)
    }
    await world.synced()
    const store = world.cluster.connect()
    const listed = async (prefix: string) => (await store.list(prefix)).items
    const referred = async (): Promise<Set<string>> => {
      const records = [...(await listed('workloads/')), ...(await listed('tasks/'))]
      const sets = world.plane.history(APP).map(({ id }) => `revisions/${APP}/${String(id).padStart(8, '0')}`)
      const digests = new Set(records.map((item) => String(JSON.parse(item.value).inputsDigest)))
      for (const key of sets) {
        const { rendered } = JSON.parse((await store.get(key))?.value ?? '{}')
        digests.add(rendered)
        const body = Rendered.parse(JSON.parse((await readBlob(store, rendered)) ?? ''))
        for (const inputsDigest of Object.values(body.workloads)) digests.add(inputsDigest)
      }
      return digests
    }
    await waitUntil(() => world.plane.history(APP).length <= REVISIONS_KEPT)
    await waitUntil(async () => {
      const blobs = new Set((await listed('blobs/')).map(({ key }) => key.split('/')[1]))
      expect(blobs).toEqual(await referred())
      return true
    })
    expect(world.plane.history(APP)).toHaveLength(REVISIONS_KEPT)
    const oldest = world.plane.history(APP).at(-1)
    await world.plane.rollback(APP, { to: String(oldest?.id), revert: 'No', actor: 'ada' })
    await world.healthy()
    await world.restart()
    await waitUntil(() => world.app().lastAppliedRevision === oldest?.revision && world.app().health === 'Healthy')
  })
})
