import { afterEach, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { createEtcdStore, type EtcdStore } from '../../src/store/etcd/etcd-store.ts'
import { StoreReadOnlyError } from '../../src/store/store.ts'
import { type EtcdServer, startEtcd, startEtcdMembers } from '../support/etcd.ts'
import { waitUntil } from '../support/wait-until.ts'
import { type RunningAgent, World, web } from './world.ts'

const TTL_MS = 3000

let members: EtcdServer[] = []
const stores: EtcdStore[] = []
let world: World
let agent: RunningAgent
afterEach(async () => {
  await world.close()
  await Promise.all(stores.splice(0).map((store) => store.close()))
  await Promise.all(members.splice(0).map((member) => member.close()))
})

function connect(root = '/world/'): EtcdStore {
  const store = createEtcdStore({ hosts: members.map(({ host }) => host), root, clock: systemClock, ttlMs: TTL_MS })
  stores.push(store)
  return store
}

/** A control plane on the members, and three tasks that must never notice what becomes of them. */
async function open(started: EtcdServer[]): Promise<void> {
  members = started
  world = new World({ connect })
  world.commit({ 'web.yaml': web('web', { replicas: 3 }) })
  await world.server()
  agent = await world.agent()
  await world.synced()
}

const only = (): EtcdServer => {
  const [member] = members
  if (member === undefined) throw new Error('no etcd')
  return member
}
const running = () => agent.machine.history().filter((record) => record.task.startsWith('web') && record.stoppedAt === null)
const starts = () => agent.machine.history().filter((record) => record.task.startsWith('web')).length

/** A workload more, which shows that the control plane acts. */
async function acts(name: string): Promise<void> {
  world.commit({ [`${name}.yaml`]: web(name) })
  await world.synced()
}

function expectUndisturbed(): void {
  expect(running()).toHaveLength(3)
  expect(starts()).toBe(3)
}

it('L4: etcd that is out of space makes the leader read-only, which it says; it goes on by itself once there is space', async () => {
  await open([await startEtcd({ quotaBytes: 16 * 2 ** 20 })])
  const filler = connect('/filler/')
  const fill = async () => {
    for (let index = 0; ; index += 1) {
      const value = String(index).padEnd(250_000, 'x')
      await filler.txn({ if: [], then: [{ op: 'put', key: `k/${index % 4}`, value }], fence: null })
    }
  }
  await expect(fill()).rejects.toBeInstanceOf(StoreReadOnlyError)
  const { epoch } = world.plane.version()
  world.commit({ 'other.yaml': web('other') })
  await world.held('StoreReadOnly')
  expect(() => world.plane.ready()).toThrow(/read-only since .* out of space/)
  await expect(world.plane.sync('shop', { allowDelete: 'WithinBudget', plan: null, retry: 'No', actor: 'ann' })).rejects.toMatchObject({
    code: 'Unavailable',
    message: expect.stringContaining('out of space'),
  })
  expect((await world.plane.health()).findings).toMatchObject(
    expect.arrayContaining([expect.objectContaining({ check: 'etcd alarm', verdict: 'fail', detail: expect.stringMatching(/nospace/i) })]),
  )
  expect(world.plane.version().epoch).toBe(epoch)
  expectUndisturbed()
  await only().etcdctl('del', '--prefix', '/filler/')
  const { revision } = await filler.list('')
  await filler.compact(revision)
  await only().etcdctl('defrag')
  await only().etcdctl('alarm', 'disarm')
  await world.synced()
  expect(world.gates()).toEqual([])
  expect(world.plane.version().epoch).toBe(epoch)
  expect(world.tasks('other')).toHaveLength(1)
  expectUndisturbed()
})

it('L4: of three members one may be lost; without a quorum nothing is decided and nothing stops, and with it all goes on', async () => {
  await open(await startEtcdMembers(3))
  const [first, second] = members
  await first?.kill()
  await acts('without-one')
  await second?.kill()
  await waitUntil(() => !world.leads())
  expectUndisturbed()
  await second?.restart()
  await acts('with-two-again')
  expectUndisturbed()
})

it('L4: a disk that stalls again and again costs time, and no task', async () => {
  await open([await startEtcd()])
  for (let round = 0; round < 8; round += 1) {
    const until = performance.now() + 400
    await only().stop()
    await waitUntil(() => performance.now() > until)
    only().cont()
    world.commit({ 'other.yaml': web('other', { image: `a:${round}` }) })
  }
  await world.synced()
  expectUndisturbed()
})

/** The data of etcd goes or goes back under a running leader, which then ends with a word why, and no task. */
async function expectRefusal(copy: () => Promise<string | null>): Promise<void> {
  await open([await startEtcd()])
  const data = await copy()
  await acts('later')
  const [server] = world.servers.splice(0)
  const ended = expect(server?.ended).rejects.toMatchObject({ code: 'StoreReplaced' })
  await only().restartWith(data)
  await ended
  expectUndisturbed()
}

it('L4: an etcd that lost its data under a running leader is not acted on', () => expectRefusal(async () => null))

it('L3: an etcd of which an older copy was restored under a running leader is not acted on', () => expectRefusal(() => only().copy()))
