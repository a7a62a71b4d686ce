import { mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { clusterIdentity } from '../../src/control/leader/identity.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { BackupLine } from '../../src/model/backup.ts'
import { newIdentity } from '../../src/secrets/identities.ts'
import { backupLines } from '../../src/store/backup.ts'
import { openStore } from '../../src/store/open.ts'
import type { Store } from '../../src/store/store.ts'
import { cliOver } from '../support/fake-cli.ts'
import { fakeControl } from '../support/fake-control.ts'
import { NOW } from '../support/make.ts'

const KEY = 'ab'.repeat(32)
let folder: string
const at = (name: string) => join(folder, name)
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drover-backup-'))
  await mkdir(at('old'))
  await writeFile(at('old/secrets.key'), `${KEY}\n`)
  await withStore('old', async (store) => {
    await clusterIdentity(store, { id: 'own', createdAt: NOW, epochBase: 0 })
    await store.txn({ if: [], then: [{ op: 'put', key: 'k/a', value: 'kept' }], fence: null })
  })
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function withStore<T>(dir: string, use: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStore('embedded', { dataDir: at(`${dir}/store`), clock: systemClock })
  try {
    return await use(store)
  } finally {
    await store.close()
  }
}

const value = (dir: string) => withStore(dir, async (store) => (await store.get('k/a'))?.value)
const linesOf = (dir: string) =>
  withStore(dir, async (store) => {
    const lines: BackupLine[] = []
    for await (const line of backupLines(store, { version: '0', now: NOW })) lines.push(line)
    return lines
  })
const offline = (...more: string[]) => cliOver().run('backup', '--out', at('file'), '--store', 'embedded', '--data-dir', at('old'), ...more)
const restore = (dir: string, ...more: string[]) => cliOver().run('restore', at('file'), '--data-dir', at(dir), ...more)

describe('backup and restore', () => {
  it('of a running cluster: the file is for its owner alone, and comes back', async () => {
    const control = fakeControl({ backup: await linesOf('old') })
    const kept = await cliOver(control).run('backup', '--out', at('file'))
    expect(kept).toMatchObject({ exit: 0, stdout: '', stderr: expect.stringContaining('1 keys of cluster own') })
    expect(kept.stderr).toContain('secrets.key')
    expect((await stat(at('file'))).mode & 0o777).toBe(0o600)
    expect(await restore('new')).toMatchObject({ exit: 0, stderr: expect.stringContaining('incarnation 1') })
    expect(await value('new')).toBe('kept')
  })

  it('of a stopped one, encrypted and with its key, by who may open it', async () => {
    const { identity, recipient } = await newIdentity()
    const other = await newIdentity()
    expect(await offline('--recipient', recipient, '--include-key')).toMatchObject({ exit: 0 })
    const bytes = await readFile(at('file'), 'latin1')
    expect(bytes).toContain('age-encryption.org/v1')
    expect(bytes).not.toContain(KEY)
    await writeFile(at('age.txt'), `${identity}\n`)
    await writeFile(at('other.txt'), `${other.identity}\n`)
    expect(await restore('new', '--age-key-file', at('other.txt'))).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining('other age keys'),
    })
    expect(await restore('new', '--age-key-file', at('age.txt'))).toMatchObject({ exit: 0 })
    expect(await readFile(at('new/secrets.key'), 'utf8')).toBe(`${KEY}\n`)
    expect((await stat(at('new/secrets.key'))).mode & 0o777).toBe(0o600)
    expect(await value('new')).toBe('kept')
  })

  it('never put the key into a file that is not encrypted', async () => {
    expect(await offline('--include-key')).toMatchObject({ exit: 2, stderr: expect.stringContaining('--recipient') })
  })

  it('refuse a torn file, and a store that is not empty', async () => {
    await offline()
    expect(await restore('old')).toMatchObject({ exit: 1, stderr: expect.stringContaining('not empty') })
    await truncate(at('file'), (await stat(at('file'))).size - 20)
    expect(await restore('new')).toMatchObject({ exit: 1, stderr: expect.stringContaining('not a whole backup') })
    expect(await value('new')).toBeUndefined()
  })

  it('do not replace the key of a directory by another', async () => {
    const { identity, recipient } = await newIdentity()
    await offline('--recipient', recipient, '--include-key')
    await writeFile(at('age.txt'), `${identity}\n`)
    await mkdir(at('new'))
    await writeFile(at('new/secrets.key'), `${'cd'.repeat(32)}\n`)
    expect(await restore('new', '--age-key-file', at('age.txt'))).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining('key of another cluster'),
    })
    expect(await value('new')).toBeUndefined()
  })

  it('say so when the server stops in the middle of its answer', async () => {
    const [header, ...rest] = await linesOf('old')
    if (header === undefined) throw new Error('no header')
    const control = fakeControl({ backup: [header, ...rest.slice(0, -1)] })
    expect(await cliOver(control).run('backup', '--out', at('file'))).toMatchObject({ exit: 1, stderr: expect.stringContaining('torn') })
    await expect(stat(at('file'))).rejects.toThrow('ENOENT')
  })
})
