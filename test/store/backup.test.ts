import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { clusterIdentity } from '../../src/control/leader/identity.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { Digest } from '../../src/model/ids.ts'
import type { ClusterIdentity } from '../../src/model/records.ts'
import { backupLines, parseBackup, textOf } from '../../src/store/backup.ts'
import { blobOps, readBlob } from '../../src/store/blobs.ts'
import { openEmbeddedStore } from '../../src/store/embedded.ts'
import { nextIncarnation } from '../../src/store/incarnation.ts'
import { groupOps } from '../../src/store/limits.ts'
import { createMemoryCluster } from '../../src/store/memory.ts'
import { type RestoreTarget, restoreInto } from '../../src/store/restore.ts'
import type { Store, Txn } from '../../src/store/store.ts'
import { NOW } from '../support/make.ts'

const memory = (): Store => createMemoryCluster({ clock: systemClock }).connect()
const put = (key: string, value: string) => ({ op: 'put' as const, key, value })
const write = (store: Store, ...then: Txn['then']) => store.txn({ if: [], then, fence: null })

let folder: string
let source: Store
let body: { text: string; digest: Digest }
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drover-backup-'))
  source = memory()
  await clusterIdentity(source, { id: 'own', createdAt: NOW, epochBase: 0 })
  const text = 'größer '.repeat(100_000)
  body = { text, digest: createHash('sha256').update(text).digest('hex') as Digest }
  for (const then of groupOps(blobOps(body.digest, text))) await write(source, ...then)
  await write(source, put('later/a', 'of a newer program'), put('turn', '{}'), put('leader', 'here'))
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function textFrom(store: Store): Promise<string> {
  const lines: string[] = []
  for await (const line of backupLines(store, { version: '0', now: NOW })) lines.push(textOf(line))
  return lines.join('')
}

async function contents(store: Store): Promise<[string, string][]> {
  const { items } = await store.list('')
  return items.filter(({ key }) => !['cluster', 'leader', 'turn'].includes(key)).map(({ key, value }) => [key, value])
}

const identity = (store: Store): Promise<ClusterIdentity> => clusterIdentity(store, { id: 'other', createdAt: 0, epochBase: 0 })

describe('a backup', () => {
  it.each([
    ['memory', async () => memory()],
    ['embedded', async () => openEmbeddedStore({ dataDir: folder })],
  ])('comes back into an empty %s store: every key and body, the same cluster, one incarnation on', async (_, open) => {
    const target = await open()
    const restored = await restoreInto(target, await parseBackup(await textFrom(source)), NOW)
    expect(await contents(target)).toEqual(await contents(source))
    expect(await readBlob(target, body.digest)).toBe(body.text)
    expect(restored).toMatchObject({ id: 'own', createdAt: NOW, incarnation: 1, restoredAt: NOW })
    expect(await identity(target)).toEqual(restored)
    await target.close()
  })

  it('holds nothing of the leader, who does not lead in another store', async () => {
    const { items } = await parseBackup(await textFrom(source))
    expect(items.map(({ key }) => key).filter((key) => !key.includes('/'))).toEqual([])
  })

  it('of an empty store is none', async () => {
    await expect(textFrom(memory())).rejects.toMatchObject({ code: 'NothingToBackUp' })
  })

  it.each([
    ['cut off', (text: string) => text.slice(0, text.length / 2)],
    ['without its last line', (text: string) => text.split('\n').slice(0, -2).join('\n')],
    ['with a line changed', (text: string) => text.replace('of a newer program', 'of an older program')],
    ['with a line missing', (text: string) => text.replace(/^.*of a newer program.*\n/m, '')],
    ['empty', () => ''],
    ['of a format to come', (text: string) => text.replace('"format":1', '"format":2')],
  ])('that is %s is refused', async (_, spoil) => {
    await expect(parseBackup(spoil(await textFrom(source)))).rejects.toMatchObject({ code: 'BadBackup' })
  })

  it('with a record or a body that cannot be read is refused before anything is written', async () => {
    await write(source, put('tasks/a', '{"id": 7}'))
    await expect(parseBackup(await textFrom(source))).rejects.toThrow(/bad record at tasks\/a/)
    await write(source, { op: 'delete', key: 'tasks/a' }, { op: 'delete', key: `blobs/${body.digest}/1` })
    await expect(parseBackup(await textFrom(source))).rejects.toThrow(/body .* is not whole/)
  })
})

describe('a restore', () => {
  it('into a store that is not empty changes nothing', async () => {
    const target = memory()
    await write(target, put('tasks/a', 'mine'))
    await expect(restoreInto(target, await parseBackup(await textFrom(source)), NOW)).rejects.toMatchObject({ code: 'StoreNotEmpty' })
    expect(await contents(target)).toEqual([['tasks/a', 'mine']])
  })

  it('that was interrupted keeps every control plane out, and is done again from the beginning', async () => {
    const target = memory()
    const backup = await parseBackup(await textFrom(source))
    let left = 2
    const breaking: RestoreTarget = {
      txn: async (request: Txn) => {
        left -= 1
        if (left < 0) throw new Error('power is gone')
        return target.txn(request)
      },
      list: (prefix: string) => target.list(prefix),
      get: (key: string) => target.get(key),
    }
    await expect(restoreInto(breaking, backup, NOW)).rejects.toThrow('power is gone')
    await expect(identity(target)).rejects.toMatchObject({ code: 'RestoreUnfinished' })
    await restoreInto(target, backup, NOW)
    expect(await contents(target)).toEqual(await contents(source))
  })

  it('survives replies that are lost, each once', async () => {
    const target = memory()
    const answered = new Set<string>()
    const lossy: RestoreTarget = {
      txn: async (request: Txn) => {
        const result = await target.txn(request)
        const key = JSON.stringify(request)
        if (answered.has(key)) return result
        answered.add(key)
        return { status: 'Unknown', cause: new Error('lost') }
      },
      list: (prefix: string) => target.list(prefix),
      get: (key: string) => target.get(key),
    }
    await restoreInto(lossy, await parseBackup(await textFrom(source)), NOW)
    expect(await contents(target)).toEqual(await contents(source))
  })
})

describe('epochs', () => {
  const record: ClusterIdentity = { id: 'own', createdAt: NOW, incarnation: 0, epochBase: 0, restoredAt: null }
  const highest = ({ epochBase }: ClusterIdentity, revision: number) => epochBase + revision

  it('rise over each restore of the same backup, whatever revisions its store had', () => {
    const first = nextIncarnation(record, { now: NOW, revision: '2', epoch: 500 })
    const led = highest(first, 1_000_000)
    const second = nextIncarnation(record, { now: NOW + 60_000, revision: '7', epoch: 500 })
    expect(highest(second, 7)).toBeGreaterThan(led)
    expect(second.incarnation).toBe(1)
  })

  it('rise also where the clock is behind what the backup knows', () => {
    const ahead = nextIncarnation(record, { now: NOW + 3_600_000, revision: '2', epoch: 9 })
    const next = nextIncarnation(ahead, { now: NOW, revision: '2', epoch: highest(ahead, 30) })
    expect(highest(next, 2)).toBeGreaterThan(highest(ahead, 30))
  })

  it('are not made from a clock that was never set', () => {
    expect(() => nextIncarnation(record, { now: 0, revision: '2', epoch: 9 })).toThrow(/set it/)
  })
})
