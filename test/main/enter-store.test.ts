import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { clusterIdentity, readIdentity } from '../../src/control/leader/identity.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { readMembership, writeMembership } from '../../src/main/cluster-file.ts'
import { type EnterOptions, enterStore, rememberStore } from '../../src/main/enter-store.ts'
import { IDENTITY_KEY } from '../../src/store/keys.ts'
import { createMemoryCluster } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { waitUntil } from '../support/wait-until.ts'

let dataDir = ''
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'drover-enter-'))
})
afterEach(() => rmSync(dataDir, { recursive: true }))

const emptyStore = (): Store => createMemoryCluster({ clock: systemClock }).connect()
let ids = 0
const enter = (store: Store, over: Partial<EnterOptions> = {}) =>
  enterStore({ store, dataDir, accept: null, place: 'Shared', clock: systemClock, newId: () => `made-${++ids}`, ...over })

async function storeOf(cluster: string): Promise<Store> {
  const store = emptyStore()
  await clusterIdentity(store, { id: cluster, createdAt: 0, epochBase: 0 })
  return store
}

const write = (store: Store, key = 'x') => store.txn({ if: [], then: [{ op: 'put', key, value: '1' }], fence: null })

describe('the store of a server', () => {
  it('is made a cluster where it is empty, and found again by who made it', async () => {
    const store = emptyStore()
    await enter(store)
    const made = await readIdentity(store)
    expect(await readMembership(dataDir)).toMatchObject({ cluster: made?.id, state: 'Member' })
    await write(store)
    await enter(store)
    expect(await readIdentity(store)).toEqual(made)
    expect(statSync(join(dataDir, 'cluster.json')).mode & 0o777).toBe(0o600)
  })

  it('is made with the id that was noted before a crash', async () => {
    await writeMembership(dataDir, { cluster: 'noted', state: 'Creating', revision: '0', epochBase: 0 })
    const store = emptyStore()
    await enter(store)
    expect((await readIdentity(store))?.id).toBe('noted')
  })

  it('is not taken over when another server was quicker', async () => {
    const store = emptyStore()
    const racing: Store = {
      ...store,
      list: (prefix) => store.list(prefix),
      get: (key) => store.get(key),
      txn: async (request) => {
        await clusterIdentity(store, { id: 'quicker', createdAt: 0, epochBase: 0 })
        return store.txn(request)
      },
    }
    await expect(enter(racing)).rejects.toMatchObject({ hint: expect.stringContaining('--join') })
    expect((await readIdentity(store))?.id).toBe('quicker')
  })

  it('is refused and left as it was, and says how to go on', async () => {
    await enter(await storeOf('mine'), { accept: 'mine' })
    const other = await storeOf('other')
    await expect(enter(other)).rejects.toMatchObject({
      message: expect.stringContaining('cluster other'),
      hint: expect.stringContaining('--accept-store other'),
    })
    await expect(enter(emptyStore())).rejects.toMatchObject({
      message: expect.stringContaining('empty'),
      hint: expect.stringContaining('--accept-store empty'),
    })
    const foreign = emptyStore()
    await write(foreign, 'registry/pods/x')
    await expect(enter(foreign)).rejects.toMatchObject({ message: expect.stringContaining('1 keys') })
    expect((await foreign.list('')).items).toHaveLength(1)
    expect(await readMembership(dataDir)).toMatchObject({ cluster: 'mine' })
  })

  it('is gone on with when it went back and that is meant, with epochs above all that were given', async () => {
    const store = await storeOf('mine')
    for (let n = 0; n < 20; n += 1) await write(store)
    await enter(store, { accept: 'mine' })
    const restored = await storeOf('mine')
    await expect(enter(restored)).rejects.toThrow(/at revision \d, and was at 2\d/)
    await enter(restored, { accept: 'mine' })
    expect((await readIdentity(restored))?.epochBase).toBeGreaterThan(20)
    await enter(restored)
  })

  it('is remembered as it goes on, without a step back', async () => {
    const store = await storeOf('mine')
    await enter(store, { accept: 'mine' })
    const before = Number((await readMembership(dataDir))?.revision)
    await write(store)
    const clock = createFakeClock()
    const stop = new AbortController()
    const warned: object[] = []
    const log = {
      debug: () => undefined,
      info: () => undefined,
      error: () => undefined,
      warn: (fields: object) => void warned.push(fields),
    }
    const remembering = rememberStore({ store, dataDir, clock, log }, stop.signal)
    await clock.advance(60_000)
    await waitUntil(async () => Number((await readMembership(dataDir))?.revision) === before + 1)
    await store.txn({ if: [], then: [{ op: 'delete', key: IDENTITY_KEY }], fence: null })
    await clock.advance(60_000)
    expect(Number((await readMembership(dataDir))?.revision)).toBe(before + 1)
    stop.abort()
    await remembering
    expect(warned).toEqual([])
  })

  it('is not guessed at when the note of it cannot be read', async () => {
    writeFileSync(join(dataDir, 'cluster.json'), '{"cluster":')
    await expect(enter(emptyStore())).rejects.toThrow('cluster.json cannot be read')
    expect(readdirSync(dataDir)).toEqual(['cluster.json'])
    expect(readFileSync(join(dataDir, 'cluster.json'), 'utf8')).toBe('{"cluster":')
  })
})
