import { createHash } from 'node:crypto'
import { chmodSync, copyFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type ObjectStore, openObjects } from '../../src/git/objects/object-store.ts'
import { parseTree, serializeTree } from '../../src/git/objects/parse.ts'
import type { Oid } from '../../src/model/ids.ts'
import { commitFiles, type FixtureRepo, makeRepo, type Scratch, scratchFolder } from '../support/git-repo.ts'

let scratch: Scratch
let work: FixtureRepo
let objects: ObjectStore

beforeEach(() => {
  scratch = scratchFolder()
  work = makeRepo(join(scratch.path, 'work'))
  for (let version = 0; version < 12; version++) {
    const lines = Array.from({ length: 400 }, (_, line) =>
      createHash('sha1')
        .update(`${line} ${line % 12 === version ? version : 0}`)
        .digest('hex'),
    )
    commitFiles(
      work,
      { 'big.txt': lines.join('\n'), [`dir/${version}/file`]: `v${version}`, 'a-b': '1', 'a.b': '2', 'a/x': '3' },
      `commit ${version}`,
    )
  }
  work.git('tag', '-a', '-m', 'release', 'v1')
  objects = openObjects(join(work.path, '.git/objects'))
})

afterEach(async () => {
  await objects.close()
  scratch.remove()
})

const everything = () =>
  work
    .git('cat-file', '--batch-all-objects', '--batch-check')
    .split('\n')
    .map((line) => line.split(' '))

async function sameAsGit(): Promise<number> {
  const all = everything()
  for (const [oid = '', type, size] of all) {
    const object = await objects.read(oid as Oid, 1_000_000)
    // The store has compared the id already: what is left is that it reads all of it, and as the right kind.
    expect([oid, object?.type, String(object?.content.length)]).toEqual([oid, type, size])
  }
  return all.length
}

it('reads every object as git does: loose, packed, deltas by offset and by name, several packs', async () => {
  expect(await sameAsGit()).toBeGreaterThan(60)
  work.git('repack', '-adfq', '--depth=50', '--window=50')
  expect(work.git('verify-pack', '-v', ...packs()).includes('chain length')).toBe(true)
  expect(await sameAsGit()).toBeGreaterThan(60)
  work.git('-c', 'repack.useDeltaBaseOffset=false', 'repack', '-adfq', '--depth=50')
  expect(await sameAsGit()).toBeGreaterThan(60)
  commitFiles(work, { later: 'x' })
  work.git('repack', '-dq')
  expect(packs()).toHaveLength(2)
  expect(await sameAsGit()).toBeGreaterThan(60)
})

function packs(): string[] {
  const folder = join(work.path, '.git/objects/pack')
  return readdirSync(folder)
    .filter((name) => name.endsWith('.idx'))
    .map((name) => join(folder, name))
}

it('has nothing for an id that is not there', async () => {
  const absent = '1234567890123456789012345678901234567890' as Oid
  expect(await objects.read(absent, 1000)).toBeNull()
  expect(await objects.has(absent)).toBe(false)
  expect(await objects.has(work.head())).toBe(true)
})

it('writes trees back exactly as git orders them', async () => {
  for (const [oid = '', type] of everything()) {
    if (type !== 'tree') continue
    const content = (await objects.read(oid as Oid, 1_000_000))?.content ?? Buffer.alloc(0)
    const shuffled = [...parseTree(oid as Oid, content)].reverse()
    expect(serializeTree(shuffled).equals(content)).toBe(true)
  }
})

it('does not take one object for another, whatever its file is called', async () => {
  const file = (oid: string) => join(work.path, '.git/objects', oid.slice(0, 2), oid.slice(2))
  const [wrong, right] = [work.git('rev-parse', 'HEAD:a.b'), work.git('rev-parse', 'HEAD:a-b')]
  chmodSync(file(wrong), 0o644)
  copyFileSync(file(right), file(wrong))
  await expect(objects.read(wrong as Oid, 1000)).rejects.toThrow('other content')
})
