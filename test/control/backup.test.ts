import { afterEach, describe, expect, it } from 'vitest'
import { createMemoryJournal } from '../../runtime/journal.ts'
import { raiseEpochs } from '../../src/control/leader/identity.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { Backup } from '../../src/model/backup.ts'
import { parseBackup, textOf } from '../../src/store/backup.ts'
import { createMemoryCluster } from '../../src/store/memory.ts'
import { restoreInto } from '../../src/store/restore.ts'
import { waitUntil } from '../support/wait-until.ts'
import { APP, job, World, web } from './world.ts'

let world: World
afterEach(() => world.close())

async function open() {
  world = await World.with({ 'web.yaml': web('web', { replicas: 3 }), 'once.yaml': job('once') })
  await world.proved()
  await waitUntil(() => world.plane.runs()[0]?.phase === 'Succeeded')
}

async function backedUp() {
  const lines: string[] = []
  for await (const line of await world.plane.backup()) lines.push(textOf(line))
  return parseBackup(lines.join(''))
}

/** The store is gone with all its servers; what agents run goes on. */
async function bringBack(backup: Backup) {
  const cluster = createMemoryCluster({ clock: systemClock })
  await restoreInto(cluster.connect(), backup, systemClock.now())
  await world.moveTo(cluster)
}

async function restored(backup: Backup) {
  await bringBack(backup)
  await world.synced()
}

const attempts = () => world.tasks().map(({ id, attempt }) => ({ id, attempt }))

describe('a cluster that is brought back from a backup', () => {
  it('goes on with the same tasks and attempts, and no agent starts anything', async () => {
    await open()
    const agent = await world.agent({ id: 'node-2' })
    await world.synced()
    const before = attempts()
    const { epoch, cluster } = world.plane.version()
    const started = () => world.machines().flatMap((machine) => machine.history()).length
    const count = started()
    await restored(await backedUp())
    await waitUntil(() => world.plane.agents().every(({ status }) => status === 'Ready'))
    expect(attempts()).toEqual(before)
    expect(started()).toBe(count)
    expect(world.plane.version()).toMatchObject({ cluster })
    expect(world.plane.version().epoch).toBeGreaterThan(epoch)
    expect(world.plane.history(APP)).toHaveLength(1)
    expect(world.plane.runs()).toMatchObject([{ phase: 'Succeeded' }])
    world.commit({ 'web.yaml': web('web', { replicas: 4 }) })
    await world.synced()
    await agent.stop()
  })

  it('as often as one likes from the same backup', async () => {
    await open()
    const backup = await backedUp()
    await restored(backup)
    const { epoch } = world.plane.version()
    const before = attempts()
    await restored(backup)
    expect(world.plane.version().epoch).toBeGreaterThan(epoch)
    expect(attempts()).toEqual(before)
  })

  it('takes for lost what an agent may have run and forgotten since, rather than start it a second time', async () => {
    world = new World()
    world.commit({ 'web.yaml': web('web') })
    await world.server()
    const agent = await world.agent()
    await world.synced()
    const backup = await backedUp()
    const [task] = world.ids()
    // As if the backup had been taken between the order and the first word of it.
    const unheard = { ...backup, items: backup.items.filter(({ key }) => key !== `observed/${task}`) }
    await world.stopServers()
    await agent.stop()
    await bringBack(unheard)
    await world.agent({ machine: agent.machine, journal: createMemoryJournal() })
    await waitUntil(() => world.tasks()[0]?.ready === true && world.ids()[0] !== task)
    const startsOf = agent.machine.history().filter((one) => one.task === task)
    expect(startsOf).toHaveLength(1)
  })
})

it('L3: agents obey a store that was brought back by other means once its epochs are raised, and not before', async () => {
  await open()
  // A leader of late, whose epoch the older store does not reach.
  await world.restart()
  await world.synced()
  const before = attempts()
  const backup = await backedUp()
  const cluster = createMemoryCluster({ clock: systemClock })
  const store = cluster.connect()
  // What the store's own tools bring back is the same cluster at an older revision, with no word of it.
  for (const { key, value } of [{ key: 'cluster', value: JSON.stringify(backup.header.cluster) }, ...backup.items])
    await store.txn({ if: [], then: [{ op: 'put', key, value }], fence: null })
  await world.moveTo(cluster)
  await waitUntil(() => world.plane.agents().length === 1)
  expect(world.plane.agents()).toMatchObject([{ status: 'Suspect' }])
  expect(world.plane.version().epoch).toBeLessThan(1e9)
  await world.stopServers()
  await raiseEpochs(store, 1e9)
  await world.server()
  await world.synced()
  await waitUntil(() => world.plane.agents()[0]?.status === 'Ready')
  expect(attempts()).toEqual(before)
})
