import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { commitFiles, makeRepo, publish, rewriteHistory } from '../support/git-repo.ts'
import { code, read, signal, useRemote } from './remote-fixture.ts'

const remote = useRemote()

const clones = () => readdirSync(join(remote.scratch.path, 'clones'))
const packFolder = () => join(remote.scratch.path, 'clones', clones()[0] ?? '', 'objects/pack')
const packs = (extension: string) =>
  readdirSync(packFolder())
    .filter((name) => name.endsWith(extension))
    .map((name) => join(packFolder(), name))

describe('a broken clone', () => {
  const damagePacks = (damage: (file: string) => void) => () => {
    for (const file of packs('.pack')) damage(file)
  }
  const damageIndexes = (damage: (file: string) => void) => () => {
    for (const file of packs('.idx')) damage(file)
  }
  const remove = (file: string) => rmSync(file)
  /** Git's format is kept up to the first object. */
  const scramble = (file: string) =>
    writeFileSync(
      file,
      readFileSync(file).map((byte, at) => (at > 12 ? byte ^ 0x55 : byte)),
    )

  it.each([
    ['a truncated pack', damagePacks((file) => truncateSync(file, 40))],
    ['a missing pack', damagePacks(remove)],
    ['a pack of other bytes', damagePacks(scramble)],
    ['a truncated index', damageIndexes((file) => truncateSync(file, 1000))],
    ['a missing index', damageIndexes(remove)],
  ])('with %s is repaired when a process finds it at its start', async (_, damage) => {
    const before = await remote.open(`file://${remote.origin.path}`)
    await before.resolve('main', signal)
    await before.close()
    damage()
    const repo = await remote.open(`file://${remote.origin.path}`)
    const { oid } = await repo.resolve('main', signal)
    expect(await read(repo, oid)).toEqual(['app.yaml=v1', 'lib/a=a'])
    expect(clones()).toHaveLength(1)
  })

  it('G3: is repaired when a commit arrives, also if part of it had rotted', async () => {
    const repo = await remote.open(`file://${remote.origin.path}`)
    await repo.resolve('main', signal)
    damageIndexes((file) => writeFileSync(file, 'x'))()
    const oid = commitFiles(remote.work, { 'app.yaml': 'v2' })
    publish(remote.work, remote.origin)
    await repo.close()
    const next = await remote.open(`file://${remote.origin.path}`)
    expect((await next.resolve('main', signal)).oid).toBe(oid)
    expect(await read(next, oid)).toEqual(['app.yaml=v2', 'lib/a=a'])
  })

  it('G3: is replaced under a reader, who does not notice', async () => {
    const repo = await remote.open(`file://${remote.origin.path}`)
    const { oid } = await repo.resolve('main', signal)
    damagePacks(scramble)()
    expect(await read(repo, oid)).toEqual(['app.yaml=v1', 'lib/a=a'])
    expect(clones()).toEqual(['clone-2'])
  })

  it('G3: is an error, never an empty tree, while the remote is away', async () => {
    const server = await remote.serve()
    const repo = await remote.open(`${server.url}/origin.git`)
    const { oid } = await repo.resolve('main', signal)
    await server.close()
    damagePacks(scramble)()
    await expect(read(repo, oid)).rejects.toEqual(code('Corrupt', 'a new clone failed'))
    await expect(repo.resolve('main', signal)).rejects.toEqual(code('Unreachable'))
  })

  it('G2: of another repository is not used after the address has changed', async () => {
    const before = await remote.open(`file://${remote.origin.path}`)
    const first = await before.resolve('main', signal)
    await before.close()
    const other = makeRepo(join(remote.scratch.path, 'other'))
    const there = commitFiles(other, { 'other.yaml': 'x' })
    const repo = await remote.open(`file://${other.path}`)
    await expect(repo.treeAt(first.oid, '.')).rejects.toEqual(code('MissingRef'))
    expect((await repo.resolve('main', signal)).oid).toBe(there)
  })
})

describe('the clone of a remote', () => {
  it('is used again by the next process, also while the remote is away', async () => {
    const server = await remote.serve()
    const before = await remote.open(`${server.url}/origin.git`)
    const { oid } = await before.resolve('main', signal)
    await before.close()
    await server.close()
    const repo = await remote.open(`${server.url}/origin.git`)
    expect(await read(repo, oid)).toEqual(['app.yaml=v1', 'lib/a=a'])
    await expect(repo.resolve('main', signal)).rejects.toEqual(code('Unreachable'))
    expect(clones()).toEqual(['clone-1'])
  })

  it('asks for refs only while nothing has changed', async () => {
    const server = await remote.serve()
    const repo = await remote.open(`${server.url}/origin.git`)
    await repo.resolve('main', signal)
    const before = server.requests.length
    await repo.resolve('main', signal)
    // A listing with a prefix is a GET and a POST, once for the branch and once for the tag of that name.
    expect(server.requests.slice(before)).toHaveLength(4)
    expect(packs('.pack')).toHaveLength(1)
  })

  it('holds no work tree', async () => {
    const repo = await remote.open(`file://${remote.origin.path}`)
    await repo.resolve('main', signal)
    expect(readdirSync(join(remote.scratch.path, 'clones', 'clone-1'))).not.toContain('app.yaml')
  })

  it('is made anew when it has too many packs, and keeps what others resolved', async () => {
    const repo = await remote.open(`file://${remote.origin.path}`, { caps: { packs: 3 } })
    remote.work.git('branch', 'stable')
    publish(remote.work, remote.origin)
    const stable = await repo.resolve('stable', signal)
    for (let index = 0; index < 3; index++) {
      commitFiles(remote.work, { 'app.yaml': `v${index + 2}` })
      publish(remote.work, remote.origin)
      await repo.resolve('main', signal)
    }
    expect(clones()).toEqual(['clone-2'])
    expect(await read(repo, stable.oid)).toEqual(['app.yaml=v1', 'lib/a=a'])
    expect(await read(repo, remote.work.head())).toEqual(['app.yaml=v4', 'lib/a=a'])
  })

  it('survives a branch that becomes a folder of branches', async () => {
    const repo = await remote.open(`file://${remote.origin.path}`)
    remote.work.git('branch', 'team')
    publish(remote.work, remote.origin)
    await repo.resolve('team', signal)
    remote.work.git('branch', '-D', 'team')
    const oid = commitFiles(remote.work, { 'app.yaml': 'v2' })
    remote.work.git('branch', 'team/a')
    publish(remote.work, remote.origin)
    expect((await repo.resolve('team/a', signal)).oid).toBe(oid)
  })

  it('serves many callers at once with one clone', async () => {
    const repo = await remote.open(`file://${remote.origin.path}`)
    const all = await Promise.all(Array.from({ length: 8 }, () => repo.resolve('main', signal)))
    expect(new Set(all.map(({ oid }) => oid))).toEqual(new Set([remote.work.head()]))
    expect(packs('.pack')).toHaveLength(1)
  })

  it('G2: follows a history that was rewritten before its oldest known commit', async () => {
    const root = remote.work.head()
    for (let index = 0; index < 8; index++) commitFiles(remote.work, { 'app.yaml': `v${index}` })
    publish(remote.work, remote.origin)
    const repo = await remote.open(`file://${remote.origin.path}`, { caps: { cloneDepth: 2 } })
    await repo.resolve('main', signal)
    const oid = rewriteHistory(remote.work, root, { 'app.yaml': 'other' })
    publish(remote.work, remote.origin)
    expect((await repo.resolve('main', signal)).oid).toBe(oid)
    expect(await read(repo, oid)).toEqual(['app.yaml=other', 'lib/a=a'])
  })
})
