import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { deflateSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { GitCaps } from '../../src/git/caps.ts'
import { DEFAULT_CAPS } from '../../src/git/caps.ts'
import type { GitRepository } from '../../src/git/git-backend.ts'
import { applyDelta } from '../../src/git/objects/delta.ts'
import { openRepository } from '../../src/git/open.ts'
import { checkPack } from '../../src/git/pack-guard.ts'
import { packGitTree } from '../../src/git/pack-tree.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { unpackTree } from '../../src/lib/tree-pack.ts'
import type { Oid } from '../../src/model/ids.ts'
import { commitFiles, type FixtureRepo, makeRepo, type Scratch, scratchFolder } from '../support/git-repo.ts'
import { code, signal } from './remote-fixture.ts'

let scratch: Scratch
let work: FixtureRepo
let repo: GitRepository

const open = (caps: Partial<GitCaps> = {}, address = work.path) =>
  openRepository({ repo: address, dir: join(scratch.path, 'clones'), clock: systemClock, random: Math.random, caps })

beforeEach(async () => {
  scratch = scratchFolder()
  work = makeRepo(join(scratch.path, 'work'))
  commitFiles(work, { 'app.yaml': 'v1' })
  repo = await open()
})

afterEach(async () => {
  await repo.close()
  scratch.remove()
})

/** A tree object written past every check of git's. */
function plantTree(entries: readonly (readonly [mode: string, name: string | Buffer, oid: string])[]): Oid {
  const lines = entries.flatMap(([mode, name, oid]) => [
    Buffer.from(`${mode} `),
    Buffer.from(name),
    Buffer.from([0]),
    Buffer.from(oid, 'hex'),
  ])
  return work.feed(Buffer.concat(lines), 'hash-object', '-t', 'tree', '--literally', '-w', '--stdin') as Oid
}
const blob = (text: string) => work.feed(text, 'hash-object', '-w', '--stdin')
const list = (tree: Oid) => repo.files(tree, signal)

describe('names in a tree', () => {
  it.each(['..', '.', '.git', '.GIT', 'git~1', 'a/b', '../../etc/passwd', '/etc/passwd', 'a\\b', 'a\nb', 'esc\u001b[2J', ''])(
    'never include %j',
    async (name) => {
      const tree = plantTree([
        ['100644', 'good', blob('good')],
        ['100644', name, blob('evil')],
      ])
      const { files, refused } = await list(tree)
      expect(files.map(({ path }) => path)).toEqual(['good'])
      expect(refused).toEqual([name])
    },
  )

  it('never include a folder that leads up', async () => {
    const inner = plantTree([['100755', 'passwd', blob('evil')]])
    const tree = plantTree([
      ['40000', '..', inner],
      ['40000', 'ok', inner],
    ])
    expect(await list(tree)).toMatchObject({ files: [{ path: 'ok/passwd' }], refused: ['..'] })
    await expect(repo.treeAt(work.head(), '..')).rejects.toEqual(code('MissingPath'))
  })

  it('never include one twice, or one that is not UTF-8', async () => {
    const tree = plantTree([
      ['100644', 'same', blob('first')],
      ['100644', 'same', blob('second')],
      ['100644', Buffer.from([0x66, 0xff]), blob('x')],
    ])
    const { files, refused } = await list(tree)
    expect(files.map(({ oid }) => oid)).toEqual([blob('first')])
    expect(refused).toHaveLength(2)
  })

  it('never follow a symlink out, a submodule or an unknown mode', async () => {
    const tree = plantTree([
      ['120000', 'link', blob('../../../etc/passwd')],
      ['160000', 'sub', work.head()],
      ['100600', 'odd', blob('x')],
      ['040000', 'padded', plantTree([['100644', 'x', blob('x')]])],
    ])
    expect(await list(tree)).toMatchObject({ files: [{ path: 'padded/x' }], refused: ['link', 'odd', 'sub'] })
  })

  it('survive a submodule whose name and address lead up', async () => {
    const modules = '[submodule "../../x"]\n\tpath = ../x\n\turl = --upload-pack=touch x\n'
    const oid = commitFiles(work, { '.gitmodules': modules })
    const { files } = await list(await repo.treeAt(oid, '.'))
    expect(files.map(({ path }) => path)).toEqual(['.gitmodules', 'app.yaml'])
  })
})

describe('what is shipped to an agent', () => {
  it('is the regular files only, byte by byte', async () => {
    const content = Buffer.from([0, 1, 2, 255])
    const tree = plantTree([
      ['120000', 'link', blob('/etc')],
      ['100755', 'run.sh', blob('#!/bin/sh')],
      ['40000', 'sub', plantTree([['100644', 'data', work.feed(content, 'hash-object', '-w', '--stdin')]])],
    ])
    const target = join(scratch.path, 'out')
    await unpackTree(packGitTree(repo, tree, signal), target, { maxBytes: 1000, maxFiles: 10 })
    const made = makeRepo(target)
    made.git('add', '-A')
    expect(
      made
        .git('ls-files', '-s')
        .split('\n')
        .map((line) => line.replace(/ 0\t/, ' ')),
    ).toEqual([`100755 ${blob('#!/bin/sh')} run.sh`, `100644 ${work.feed(content, 'hash-object', '--stdin')} sub/data`])
  })
})

describe('sizes', () => {
  const deep = (levels: number) => {
    let tree = plantTree([['100644', 'leaf', blob('x')]])
    for (let level = 0; level < levels; level++) tree = plantTree([['40000', 'd', tree]])
    return tree
  }

  it('of folders within folders end at the cap', async () => {
    expect((await list(deep(32))).files).toHaveLength(1)
    await expect(list(deep(33))).rejects.toEqual(code('TooLarge', '32'))
  })

  it('of a tree that repeats itself are counted, not held', async () => {
    let tree = plantTree(Array.from({ length: 10 }, (_, index) => ['100644', `f${index}`, blob('x')] as const))
    for (let level = 0; level < 9; level++) {
      const below = tree
      tree = plantTree(Array.from({ length: 10 }, (_, index) => ['40000', `d${index}`, below] as const))
    }
    await expect(list(tree)).rejects.toEqual(code('TooLarge', '200000'))
  })

  it.each(['loose', 'packed'])('of a %s object are known before it is inflated', async (how) => {
    commitFiles(work, { bomb: Buffer.alloc(2_000_000), fine: Buffer.alloc(1_000_000), over: Buffer.alloc(1_000_001) })
    if (how === 'packed') work.git('repack', '-adq')
    const small = await open({ objectBytes: 1_000_000 })
    const oid = (path: string) => work.git('rev-parse', `HEAD:${path}`) as Oid
    await expect(small.blob(oid('bomb'))).rejects.toEqual(code('TooLarge'))
    await expect(small.blob(oid('over'))).rejects.toEqual(code('TooLarge', '1000000'))
    expect(await small.blob(oid('fine'))).toHaveLength(1_000_000)
    await small.close()
  })

  it('of an answer of a remote end at the cap', async () => {
    const random = Buffer.from(Array.from({ length: 50_000 }, (_, index) => createHash('sha1').update(String(index)).digest()[0] ?? 0))
    commitFiles(work, { random })
    const small = await open({ packBytes: 20_000 }, `file://${work.path}`)
    await expect(small.resolve('main', signal)).rejects.toEqual(code('TooLarge', '20000'))
    await small.close()
  })

  it('of objects in a received pack are checked before anything inflates them', async () => {
    commitFiles(work, { bomb: Buffer.alloc(3_000_000) })
    const small = await open({ packedObjectBytes: 1_000_000 }, `file://${work.path}`)
    await expect(small.resolve('main', signal)).rejects.toEqual(code('TooLarge', '3000000'))
    expect(existsSync(join(scratch.path, 'clones/clone-1'))).toBe(false)
    await small.close()
    const sum = await open({ inflatedBytes: 2_000_000 }, `file://${work.path}`)
    await expect(sum.resolve('main', signal)).rejects.toEqual(code('TooLarge', '2000000'))
    await sum.close()
  })
})

describe('a pack', () => {
  const pack = (...entries: Buffer[]) => {
    const head = Buffer.alloc(12)
    head.write('PACK')
    head.writeUInt32BE(2, 4)
    head.writeUInt32BE(entries.length, 8)
    return Buffer.concat([head, ...entries, Buffer.alloc(20)])
  }
  const entry = (type: number, size: number, content: Buffer) => Buffer.concat([Buffer.from([(type << 4) | size]), deflateSync(content)])

  it('passes when it is what it says', () => {
    expect(() => checkPack(pack(entry(3, 5, Buffer.from('hello')), entry(3, 2, Buffer.from('ok'))), DEFAULT_CAPS)).not.toThrow()
  })

  it.each([
    ['is no pack', Buffer.from('hello, this is not a pack at all, but a page')],
    ['inflates to more than it states', pack(entry(3, 1, Buffer.alloc(100)))],
    ['ends in the middle', pack(entry(3, 5, Buffer.from('hello'))).subarray(0, 34)],
    [
      'states more objects than it has',
      (() => {
        const bytes = pack(entry(3, 5, Buffer.from('hello')))
        bytes.writeUInt32BE(9, 8)
        return bytes
      })(),
    ],
    ['points before its start', pack(Buffer.concat([Buffer.from([(6 << 4) | 2, 0x7f]), deflateSync(Buffer.from('ok'))]))],
  ])('is refused when it %s', (_, bytes) => {
    expect(() => checkPack(bytes, DEFAULT_CAPS)).toThrow(expect.objectContaining({ name: 'GitError' }))
  })

  it('is refused for a small delta that would make a huge object', () => {
    // Base of 1 byte; result of 2^35 bytes.
    const delta = Buffer.from([1, 0x80, 0x80, 0x80, 0x80, 0x80, 1])
    const bytes = pack(entry(3, 1, Buffer.from('x')), Buffer.concat([Buffer.from([(6 << 4) | delta.length, 10]), deflateSync(delta)]))
    expect(() => checkPack(bytes, DEFAULT_CAPS)).toThrow(code('TooLarge'))
  })
})

describe('a delta', () => {
  it.each([
    ['does not fit its base', [9, 1, 1, 0x78]],
    ['copies from outside its base', [3, 9, 0x91, 1, 9]],
    ['inserts more than it has', [3, 9, 9, 1]],
    ['makes more than it says', [3, 1, 0x90, 3]],
    ['makes less than it says', [3, 9, 0x90, 3]],
    ['has the reserved instruction', [3, 1, 0]],
    ['ends in a size', [3, 0x80]],
  ])('that %s is refused', (_, bytes) => {
    expect(() => applyDelta(Buffer.from('abc'), Buffer.from(bytes))).toThrow(code('Corrupt'))
  })

  it('copies and inserts', () => {
    expect(applyDelta(Buffer.from('abc'), Buffer.from([3, 5, 0x91, 1, 2, 3, 0x78, 0x79, 0x7a])).toString()).toBe('bcxyz')
  })
})
