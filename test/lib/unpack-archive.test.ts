import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TerminalError } from '../../src/lib/errors.ts'
import { unpackArchive } from '../../src/lib/unpack-archive.ts'
import { file, folder, hardLink, paxPath, special, symbolicLink, tarOf, withChecksums } from '../support/tar.ts'

const ROOMY = { maxBytes: 2_000_000, maxFiles: 1000 }

let scratch: string
let source: string
let target: string

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'drover-archive-'))
  source = join(scratch, 'source')
  target = join(scratch, 'target')
  mkdirSync(source)
})
afterEach(() => rmSync(scratch, { recursive: true, force: true }))

async function unpack(bytes: Buffer, limits = ROOMY): Promise<void> {
  writeFileSync(join(scratch, 'archive'), bytes)
  await unpackArchive(join(scratch, 'archive'), target, limits)
}

const contents = (): string[] => (existsSync(target) ? readdirSync(target, { recursive: true, encoding: 'utf8' }).sort() : [])
/** Every path with what is there: where a link leads, the text of a file, null for a folder. */
function listing(root: string): Record<string, string | null> {
  const entries = readdirSync(root, { recursive: true, withFileTypes: true }).map((entry) => {
    const path = join(entry.parentPath, entry.name)
    const found = entry.isSymbolicLink() ? `-> ${readlinkSync(path)}` : entry.isFile() ? readFileSync(path, 'utf8') : null
    return [relative(root, path), found] as const
  })
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}

const refused = (code: string, message = '') =>
  expect.objectContaining({ name: 'TerminalError', code, message: expect.stringContaining(message) })

describe('an archive made by GNU tar', () => {
  const LONG = `${'long-'.repeat(19)}folder/${'longer-'.repeat(20)}name`

  beforeEach(() => {
    for (const path of ['bin/tool', 'lib/data.txt', `deep/${LONG}`, 'name with ä']) {
      mkdirSync(dirname(join(source, path)), { recursive: true })
      writeFileSync(join(source, path), `content of ${path}`)
    }
    writeFileSync(join(source, 'lib/empty'), '')
    chmodSync(join(source, 'bin/tool'), 0o6755)
    mkdirSync(join(source, 'bare'))
    symlinkSync('../lib/data.txt', join(source, 'bin/link'))
    symlinkSync(`../deep/${LONG}`, join(source, 'lib/far'))
    linkSync(join(source, 'lib/data.txt'), join(source, 'lib/twin'))
  })

  it.each(['gnu', 'pax', 'posix', 'oldgnu'])('in the format %s comes out as it was, plain and in gzip', async (format) => {
    const archive = join(scratch, 'made.tar')
    for (const options of [[], ['-z']]) {
      rmSync(target, { recursive: true, force: true })
      const made = spawnSync('tar', ['-C', source, `--format=${format}`, ...options, '-cf', archive, '.'], { encoding: 'utf8' })
      expect(made).toMatchObject({ status: 0, stderr: '' })
      await unpack(readFileSync(archive))
      expect(listing(target)).toEqual(listing(source))
      expect(statSync(join(target, 'bin/tool')).mode & 0o7777).toBe(0o755)
      expect(statSync(join(target, 'lib/data.txt')).mode & 0o7777).toBe(0o644)
      expect(readlinkSync(join(target, 'bin/link'))).toBe('../lib/data.txt')
      expect(lstatSync(join(target, 'bare')).isDirectory()).toBe(true)
    }
  })

  it.each(['ustar', 'v7'])('in the format %s, which has no long names', async (format) => {
    const archive = join(scratch, 'made.tar')
    expect(spawnSync('tar', ['-C', source, `--format=${format}`, '-cf', archive, 'bin', 'lib/data.txt', 'lib/twin']).status).toBe(0)
    await unpack(readFileSync(archive))
    expect(contents()).toEqual(['bin', 'bin/link', 'bin/tool', 'lib', 'lib/data.txt', 'lib/twin'])
    expect(readFileSync(join(target, 'lib/twin'), 'utf8')).toBe('content of lib/data.txt')
  })

  it('with a sparse file in it is refused, for its holes would be left out', async () => {
    writeFileSync(join(source, 'holes'), '')
    truncateSync(join(source, 'holes'), 1_000_000)
    for (const format of ['gnu', 'pax']) {
      const archive = join(scratch, 'made.tar')
      expect(spawnSync('tar', ['-C', source, '-S', `--format=${format}`, '-cf', archive, 'holes']).status).toBe(0)
      await expect(unpack(readFileSync(archive))).rejects.toEqual(refused('ArchiveRefused', 'sparse'))
      rmSync(target, { recursive: true })
    }
  })

  it('by git has the commit in a header for all files, which changes nothing', async () => {
    const git = (...args: string[]) => spawnSync('git', ['-C', source, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args])
    git('init', '-q')
    git('add', 'lib/data.txt')
    git('commit', '-qm', 'one')
    await unpack(git('archive', '--prefix=release-1/', 'HEAD').stdout)
    expect(contents()).toEqual(['release-1', 'release-1/lib', 'release-1/lib/data.txt'])
  })
})

describe('a hostile archive', () => {
  it.each(['', '.', '../x', '/etc/x', 'a/../../x', '..', `${'x'.repeat(256)}/y`, 'a\0b'])('cannot use the path %j', async (path) => {
    const bytes = tarOf([file('first', 'fine'), paxPath(path), file('short', 'evil')])
    await expect(unpack(bytes)).rejects.toEqual(refused('ArchiveRefused', 'is not allowed'))
    expect(contents()).toEqual(['first'])
  })

  it.each([
    ['to an absolute path', [symbolicLink('out', '/etc')]],
    ['above it', [symbolicLink('a/out', '../../x')]],
    ['above it, by way of another link', [symbolicLink('here', '.'), symbolicLink('out', 'here/..')]],
    ['above it, by way of a link that comes later', [symbolicLink('a/out', 'b/../..'), symbolicLink('a/b', '..')]],
    ['to itself', [symbolicLink('round', 'round')]],
    ['in a circle', [symbolicLink('a', 'b/x'), symbolicLink('b', 'a/x')]],
  ])('cannot hold a link %s', async (_, entries) => {
    await expect(unpack(tarOf(entries))).rejects.toEqual(refused('ArchiveRefused', 'leads out of the archive'))
  })

  it('may hold links that stay inside, also over other links and to what is not there', async () => {
    await unpack(
      tarOf([
        folder('v2/'),
        file('v2/run', 'x'),
        symbolicLink('now', 'v2'),
        symbolicLink('bin/run', '../now/run'),
        symbolicLink('z', 'gone'),
      ]),
    )
    expect(readFileSync(join(target, 'bin/run'), 'utf8')).toBe('x')
  })

  it.each([
    ['a file through a link', [symbolicLink('out', '.'), file('out/x', 'evil')], 'clashes with out'],
    ['a folder through a link', [symbolicLink('out', '.'), folder('out/x/')], 'clashes with out'],
    ['a file over a link', [symbolicLink('out', 'x'), file('out', 'evil')], 'clashes with out'],
    ['a file twice', [file('a', '1'), file('a', '2')], 'clashes with a'],
    ['a hard link to what is outside', [hardLink('a', '/etc/passwd')], 'no file before it'],
    ['a hard link to what is above', [hardLink('a', '../archive')], 'no file before it'],
    ['a hard link to a link', [symbolicLink('l', 'x'), hardLink('a', 'l')], 'no file before it'],
    ['a device', [special('a', '3')], 'is a device'],
    ['a pipe', [special('a', '6')], 'is a named pipe'],
    ['an entry of no known type', [special('a', 'Z')], 'unknown type "Z"'],
  ])('cannot hold %s', async (_, entries, message) => {
    await expect(unpack(tarOf(entries))).rejects.toEqual(refused('ArchiveRefused', message))
    expect(readdirSync(scratch).sort()).toEqual(['archive', 'source', 'target'])
  })

  it('may hold names that differ in case, and a folder twice', async () => {
    await unpack(tarOf([folder('t/'), file('t/a', '1'), folder('t'), file('t/A', '2')]))
    expect(contents()).toEqual(['t', 't/A', 't/a'])
  })

  it('is bounded in files, in bytes, and in what gzip makes of few bytes', async () => {
    const three = [file('a', '1234'), file('d/b', '1234')]
    await unpack(tarOf(three), { maxBytes: 3 * 1024, maxFiles: 3 })
    const again = (bytes: Buffer, limits: typeof ROOMY) => {
      rmSync(target, { recursive: true })
      return unpack(bytes, limits)
    }
    await expect(again(tarOf(three), { maxBytes: 3 * 1024, maxFiles: 2 })).rejects.toEqual(refused('ArchiveTooLarge', '2 files'))
    await expect(again(tarOf(three), { maxBytes: 600, maxFiles: 3 })).rejects.toEqual(refused('ArchiveTooLarge', '600 bytes'))
    const bomb = gzipSync(tarOf([file('zeros', Buffer.alloc(50_000_000))]))
    expect(bomb.length).toBeLessThan(60_000)
    await expect(again(bomb, ROOMY)).rejects.toEqual(refused('ArchiveTooLarge'))
    const links = Array.from({ length: 30 }, (_, index) => hardLink(`h${index}`, 'a'))
    await expect(again(tarOf([file('a', 'x'.repeat(100_000)), ...links]), ROOMY)).rejects.toEqual(refused('ArchiveTooLarge'))
  })

  it.each([
    ['a page', Buffer.from('<html>not found</html>'.repeat(100)), 'no tar archive'],
    ['nothing', Buffer.alloc(0), 'cut off'],
    ['half an archive', tarOf([file('a', 'x'.repeat(5000))]).subarray(0, 2048), 'cut off'],
    ['half a gzip', gzipSync(tarOf([file('a', 'x'.repeat(5000))])).subarray(0, 60), 'gzip is broken'],
    ['a gzip of something else', gzipSync('hello'.repeat(200)), 'no tar archive'],
    ['a name that is no text', withChecksums(tarOf([file('a?', '')]).fill(0xff, 1, 2)), 'a name is not UTF-8'],
    ['one name for all files', tarOf([{ ...paxPath('a'), type: 'g' }, file('b', '')]), 'given for all files'],
    ['a broken pax header', tarOf([{ ...paxPath('a'), content: Buffer.from('99 path=a\n') }, file('b', '')]), 'pax header is broken'],
    ['a vast pax header', tarOf([{ ...paxPath('a'), content: Buffer.alloc(1_200_000) }, file('b', '')]), 'more than 1048576'],
  ])('is refused when it is %s', async (_, bytes, message) => {
    await expect(unpack(Buffer.from(bytes))).rejects.toEqual(refused('ArchiveRefused', message))
  })

  it('never does worse than to be refused, whatever bytes are changed', async () => {
    const sound = tarOf([
      folder('d/'),
      file('d/a', 'content', 0o755),
      symbolicLink('d/l', 'a'),
      hardLink('h', 'd/a'),
      paxPath('long'),
      file('s', 'x'),
    ])
    const change = fc.record({ at: fc.nat({ max: sound.length - 1 }), byte: fc.nat({ max: 255 }) })
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        rmSync(target, { recursive: true, force: true })
        const bytes = Buffer.from(sound)
        for (const { at, byte } of changes) bytes[at] = byte
        await unpack(withChecksums(bytes)).catch((error: unknown) => expect(error).toBeInstanceOf(TerminalError))
        expect(readdirSync(scratch).sort()).toEqual(['archive', 'source', 'target'])
      }),
      { numRuns: 300 },
    )
  })
})
