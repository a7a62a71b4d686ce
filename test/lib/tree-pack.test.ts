import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { RetryableError, TerminalError } from '../../src/lib/errors.ts'
import { packTree, type TreePackEntry, unpackTree } from '../../src/lib/tree-pack.ts'

const ROOMY = { maxBytes: 1_000_000, maxFiles: 1000 }

let scratch: string
let target: string

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'drover-tree-'))
  target = join(scratch, 'in', 'target')
})
afterEach(() => rmSync(scratch, { recursive: true, force: true }))

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items
}

const entry = (path: string, text = path, mode: TreePackEntry['mode'] = 'file'): TreePackEntry => ({
  path,
  mode,
  content: Buffer.from(text),
})

async function packed(entries: readonly TreePackEntry[]): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of packTree(each(entries))) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const inPieces = (bytes: Buffer, size: number): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size))

async function unpack(entries: readonly TreePackEntry[], limits = ROOMY): Promise<void> {
  await unpackTree(packTree(each(entries)), target, limits)
}

function contents(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => lstatSync(join(folder, name)).isFile())
  return Object.fromEntries(names.sort().map((name) => [name, readFileSync(join(folder, name), 'latin1')]))
}

const refused = (code: string) => expect.objectContaining({ name: 'TerminalError', code })

describe('a tree that is packed and unpacked', () => {
  it('is the same tree, with modes that do not depend on the process', async () => {
    const before = process.umask(0o077)
    try {
      await unpack([entry('a.txt', 'A'), entry('bin/run.sh', '#!/bin/sh', 'executable'), entry('empty', '')])
    } finally {
      process.umask(before)
    }
    expect(contents(target)).toEqual({ 'a.txt': 'A', 'bin/run.sh': '#!/bin/sh', empty: '' })
    expect([statSync(join(target, 'a.txt')).mode & 0o777, statSync(join(target, 'bin/run.sh')).mode & 0o777]).toEqual([0o644, 0o755])
    expect(statSync(join(target, 'bin')).mode & 0o777).toBe(0o755)
  })

  it('is an empty folder when it has no files', async () => {
    await unpack([])
    expect(readdirSync(target)).toEqual([])
  })

  it('comes through whatever it holds and however the stream is cut in pieces', async () => {
    const name = fc.stringMatching(/^[a-z0-9 äé_-]{1,12}$/).map((text) => `n${text}`)
    const path = fc
      .array(name, { minLength: 1, maxLength: 4 })
      .map((parts) => [...parts.slice(0, -1).map((part) => `${part}.d`), parts.at(-1)].join('/'))
    const one = fc.record({ path, mode: fc.constantFrom('file', 'executable'), content: fc.uint8Array({ maxLength: 300 }) })
    const tree = fc.uniqueArray(one, { selector: ({ path: key }) => key, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(tree, fc.integer({ min: 1, max: 400 }), async (entries, size) => {
        rmSync(target, { recursive: true, force: true })
        await unpackTree(each(inPieces(await packed(entries), size)), target, ROOMY)
        const expected = entries.map(({ path: key, content }) => [key, Buffer.from(content).toString('latin1')])
        expect(contents(target)).toEqual(Object.fromEntries(expected.sort()))
        for (const { path: key, mode } of entries) expect(statSync(join(target, key)).mode & 0o777).toBe(mode === 'file' ? 0o644 : 0o755)
      }),
      { numRuns: 60 },
    )
  })
})

describe('a hostile tree', () => {
  const paths = [
    '',
    '/etc/passwd',
    '..',
    '../x',
    'a/../../x',
    'a/..',
    './a',
    'a/./b',
    'a//b',
    'a/',
    '/',
    'a\0b',
    '\0',
    `${'x'.repeat(256)}/y`,
    'd/'.repeat(2100),
  ]

  it.each(paths)('cannot use the path %j', async (path) => {
    await expect(unpack([entry('first'), entry(path, 'evil')])).rejects.toEqual(refused('TreeRefused'))
    expect(contents(scratch)).toEqual({ 'in/target/first': 'first' })
  })

  it.each([
    ['the same file twice', ['a', 'a']],
    ['two names that differ in case', ['Readme', 'README']],
    ['two folders that differ in case', ['Lib/a', 'lib/b']],
    ['two ways to write one letter', ['\u00e9', 'e\u0301']],
    ['a file where a folder is', ['a/b', 'a']],
    ['a folder where a file is', ['a', 'a/b']],
  ])('cannot hold %s', async (_, names) => {
    await expect(unpack(names.map((name) => entry(name)))).rejects.toEqual(refused('TreeRefused'))
  })

  it('never leads outside, whatever the path', async () => {
    const part = fc.constantFrom('..', '.', '', 'a', 'b', '\0', 'A', '~', '...', '\\..', '%2e%2e')
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(part, { minLength: 1, maxLength: 5 }), { maxLength: 6 }), async (lists) => {
        rmSync(join(scratch, 'in'), { recursive: true, force: true })
        await unpack(lists.map((parts) => entry(parts.join('/'), 'x'))).catch((error: unknown) =>
          expect(error).toBeInstanceOf(TerminalError),
        )
        expect(readdirSync(scratch)).toEqual(['in'])
        expect(readdirSync(join(scratch, 'in'))).toEqual(['target'])
      }),
      { numRuns: 150 },
    )
  })

  it('does not write through a link that lies in the folder', async () => {
    mkdirSync(target, { recursive: true })
    mkdirSync(join(scratch, 'outside'))
    symlinkSync(join(scratch, 'outside'), join(target, 'folder'))
    symlinkSync(join(scratch, 'outside', 'file'), join(target, 'file'))
    await expect(unpack([entry('folder/x')])).rejects.toThrow('EEXIST')
    await expect(unpack([entry('file')])).rejects.toThrow('EEXIST')
    expect(readdirSync(join(scratch, 'outside'))).toEqual([])
  })

  it('is bounded in files and bytes, and the bytes are counted before they are written', async () => {
    const three = [entry('a', '1234'), entry('b', '1234'), entry('c', '12')]
    await unpack(three, { maxBytes: 10, maxFiles: 3 })
    rmSync(target, { recursive: true })
    await expect(unpack(three, { maxBytes: 9, maxFiles: 3 })).rejects.toEqual(refused('TreeTooLarge'))
    expect(existsSync(join(target, 'c'))).toBe(false)
    rmSync(target, { recursive: true })
    await expect(unpack(three, { maxBytes: 10, maxFiles: 2 })).rejects.toEqual(refused('TreeTooLarge'))
  })

  it('is refused when it is something else', async () => {
    await expect(unpackTree(each([Buffer.from('<html>a page, not a tree</html>')]), target, ROOMY)).rejects.toEqual(refused('TreeRefused'))
    const bytes = await packed([entry('a')])
    const marked = bytes.map((byte, at) => (at === 14 ? 7 : byte))
    await expect(unpackTree(each([marked]), target, ROOMY)).rejects.toEqual(refused('TreeRefused'))
    const notText = await packed([{ path: 'a?', mode: 'file', content: Buffer.alloc(0) }])
    await expect(unpackTree(each([notText.map((byte) => (byte === 0x3f ? 0xff : byte))]), target, ROOMY)).rejects.toEqual(
      refused('TreeRefused'),
    )
  })
})

describe('a stream that is cut off', () => {
  it('is an error at every byte, so that part of a tree never passes for all of it', async () => {
    const bytes = await packed([entry('a', 'AAAA'), entry('d/b', 'B')])
    for (let length = 0; length < bytes.length; length++) {
      rmSync(target, { recursive: true, force: true })
      await expect(unpackTree(each([bytes.subarray(0, length)]), target, ROOMY)).rejects.toBeInstanceOf(RetryableError)
    }
  })

  it('is let go of after an error', async () => {
    let closed = false
    async function* endless() {
      try {
        for (;;) yield Buffer.from('no tree at all')
      } finally {
        closed = true
      }
    }
    await expect(unpackTree(endless(), target, ROOMY)).rejects.toEqual(refused('TreeRefused'))
    expect(closed).toBe(true)
  })

  it('passes on the error of its source', async () => {
    async function* broken() {
      yield (await packed([entry('a')])).subarray(0, 20)
      throw new Error('connection lost')
    }
    await expect(unpackTree(broken(), target, ROOMY)).rejects.toThrow('connection lost')
  })

  it('is noticed when files are missing in the middle', async () => {
    const two = await packed([entry('a', 'A'), entry('b', 'B')])
    const one = await packed([entry('a', 'A')])
    const lost = Buffer.concat([one.subarray(0, -9), two.subarray(-9)])
    writeFileSync(join(scratch, 'lost'), lost)
    await expect(unpackTree(each([readFileSync(join(scratch, 'lost'))]), target, ROOMY)).rejects.toEqual(refused('TreeRefused'))
  })
})
