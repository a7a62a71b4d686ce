import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { GitError } from '../../src/git/git-backend.ts'
import { openRepository } from '../../src/git/open.ts'
import { packGitTree } from '../../src/git/pack-tree.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { unpackTree } from '../../src/lib/tree-pack.ts'
import { commitFiles, type FixtureRepo, makeRepo, type Scratch, scratchFolder } from '../support/git-repo.ts'
import { signal } from './remote-fixture.ts'

let scratch: Scratch
let work: FixtureRepo
/** What no repository may make, whatever it says. */
let canary: string
beforeEach(() => {
  scratch = scratchFolder()
  canary = join(scratch.path, 'pwned')
  work = makeRepo(join(scratch.path, 'work'))
  commitFiles(work, { 'app.yaml': 'good' })
})
afterEach(() => scratch.remove())

const touch = () => `touch ${canary}`
const blob = (text: string) => work.feed(text, 'hash-object', '-w', '--stdin')
type Entry = readonly [mode: string, name: string | Buffer, oid: string]

/** A tree object past every check of git's. */
function tree(...entries: Entry[]): string {
  const lines = entries.flatMap(([mode, name, oid]) => [
    Buffer.concat([Buffer.from(`${mode} `), Buffer.from(name), Buffer.from([0]), Buffer.from(oid, 'hex')]),
  ])
  return work.feed(Buffer.concat(lines), 'hash-object', '-t', 'tree', '--literally', '-w', '--stdin')
}

/** The branch `main` now has this tree. */
function planted(...entries: Entry[]): void {
  const commit = work.git('commit-tree', '-m', 'evil', tree(['100644', 'app.yaml', blob('good')], ...entries))
  work.git('update-ref', 'refs/heads/main', commit)
}

function script(path: string): void {
  mkdirSync(join(work.path, path, '..'), { recursive: true })
  writeFileSync(join(work.path, path), `#!/bin/sh\n${touch()}\n`, { mode: 0o755 })
}

const named = (name: string | Buffer) => () => planted(['100644', name, blob('evil')])
const configured =
  (key: string, value = touch) =>
  () =>
    work.git('config', key, value())

/** A repository that somebody made to do harm, and what of it may be seen beside `app.yaml`; null: nothing at all. */
type Case = [what: string, plant: () => unknown, seen?: readonly string[] | null]

const PROGRAMS: Case[] = [
  [
    'hooks of every name',
    () =>
      ['post-checkout', 'post-merge', 'reference-transaction', 'pre-commit', 'post-index-change'].map((hook) =>
        script(`.git/hooks/${hook}`),
      ),
  ],
  ['a path of hooks in its tree', () => [script('hooks/post-checkout'), work.git('config', 'core.hooksPath', 'hooks')]],
  ['a file system monitor', configured('core.fsmonitor')],
  ['a command for alternate refs', configured('core.alternateRefsCommand')],
  ['an ssh command', configured('core.sshCommand')],
  ['a proxy command', configured('core.gitProxy')],
  ['a pager', configured('core.pager')],
  ['an editor', configured('core.editor')],
  ['a credential helper', configured('credential.helper', () => `!${touch()}`)],
  ['an askpass program', configured('core.askPass')],
  ['a hook for packing', configured('uploadpack.packObjectsHook')],
  ['an alias for what is run', configured('alias.cat-file', () => `!${touch()}`)],
  [
    'a filter',
    () => [
      commitFiles(work, { '.gitattributes': '* filter=evil\n' }),
      configured('filter.evil.smudge')(),
      configured('filter.evil.clean')(),
    ],
    ['.gitattributes'],
  ],
  [
    'a text converter',
    () => [configured('diff.evil.textconv')(), commitFiles(work, { '.gitattributes': '* diff=evil\n' })],
    ['.gitattributes'],
  ],
  [
    'a merge driver',
    () => [configured('merge.evil.driver')(), commitFiles(work, { '.gitattributes': '* merge=evil\n' })],
    ['.gitattributes'],
  ],
  [
    'an included configuration',
    () => [
      writeFileSync(join(scratch.path, 'inc'), `[core]\n\tfsmonitor = ${touch()}\n`),
      work.git('config', 'include.path', join(scratch.path, 'inc')),
    ],
  ],
  ['a work tree elsewhere', configured('core.worktree', () => scratch.path)],
  [
    'large files that are elsewhere',
    () =>
      commitFiles(work, {
        '.lfsconfig': '[lfs]\n\turl = http://127.0.0.1:9/\n',
        'big.bin': 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n',
      }),
    ['.lfsconfig', 'big.bin'],
  ],
]

const PATHS: Case[] = [
  ['the name ..', named('..')],
  ['the name .', named('.')],
  ['no name', named('')],
  ['a path for a name', named('../../pwned')],
  ['an absolute path', () => named(canary)()],
  ['a backslash', named('..\\pwned')],
  ['a line break', named('a\nb')],
  ['an escape sequence', named('\u001b[2Jx')],
  ['no UTF-8', named(Buffer.from([0x66, 0xff]))],
  ['a folder that leads up', () => planted(['40000', '..', tree(['100644', 'pwned', blob('evil')])])],
  ['a folder of git', () => planted(['40000', '.git', tree(['40000', 'hooks', tree(['100755', 'post-checkout', blob(touch())])])])],
  ['a folder of git in other letters', () => planted(['40000', '.GiT', tree(['100644', 'config', blob('x')])])],
  ['a short name of a folder of git', () => planted(['40000', 'GIT~1', tree(['100644', 'config', blob('x')])])],
  ['a folder of git with an invisible letter', () => planted(['40000', '.g\u200cit', tree(['100644', 'config', blob('x')])])],
  ['a link out', () => planted(['120000', 'link', blob('/etc/passwd')])],
  [
    'a link over a folder (CVE-2024-32002)',
    () =>
      planted(['40000', 'A', tree(['40000', 'hooks', tree(['100755', 'post-checkout', blob(touch())])])], ['120000', 'a', blob('.git')]),
    ['A/hooks/post-checkout'],
  ],
  [
    'a link and a folder of one name',
    () => planted(['120000', 'x', blob(scratch.path)], ['40000', 'x', tree(['100644', 'pwned', blob('evil')])]),
  ],
  ['a submodule', () => planted(['160000', 'sub', work.head()])],
  [
    'a submodule with an option for an address',
    () => commitFiles(work, { '.gitmodules': `[submodule "../../x"]\n\tpath = -u\n\turl = --upload-pack=${touch()}\n` }),
    ['.gitmodules'],
  ],
  ['an unknown mode', () => planted(['100777', 'odd', blob('x')], ['020000', 'device', blob('x')])],
]

const OBJECTS: Case[] = [
  ['a tree that is not there', () => planted(['40000', 'gone', 'ab'.repeat(20)]), null],
  ['a file that is a folder', () => planted(['40000', 'folder', blob('no tree')]), null],
  [
    'folders without end',
    () => {
      let inner = tree(['100644', 'leaf', blob('x')])
      for (let level = 0; level < 40; level += 1) inner = tree(['40000', 'd', inner])
      planted(['40000', 'd', inner])
    },
    null,
  ],
  [
    'a thousand million files',
    () => {
      let level = tree(...Array.from({ length: 10 }, (_, index): Entry => ['100644', `f${index}`, blob('x')]))
      for (let depth = 0; depth < 8; depth += 1) {
        const below = level
        level = tree(...Array.from({ length: 10 }, (_, index): Entry => ['40000', `d${index}`, below]))
      }
      planted(['40000', 'd', level])
    },
    null,
  ],
  [
    'a commit in place of another',
    () => {
      const evil = work.git('commit-tree', '-m', 'evil', tree(['100644', 'evil', blob('evil')]))
      work.git('replace', work.head(), evil)
    },
  ],
  ['branches named as options', () => writeFileSync(join(work.path, '.git/refs/heads/--upload-pack=x'), `${work.head()}\n`)],
]

/** What is seen of the branch, and shipped to agents; or the refusal. */
async function look(address: string): Promise<string[] | GitError> {
  const repo = await openRepository({ repo: address, dir: join(scratch.path, 'clones'), clock: systemClock, random: Math.random })
  try {
    const { tree: root } = await repo.resolve('main', signal)
    const { files } = await repo.files(root, signal)
    const target = join(scratch.path, 'shipped')
    await unpackTree(packGitTree(repo, root, signal), target, { maxBytes: 1_000_000, maxFiles: 1000 })
    expect(readdirSync(target, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory())).toHaveLength(files.length)
    return files.map(({ path }) => path)
  } catch (error) {
    if (error instanceof GitError) return error
    throw error
  } finally {
    await repo.close()
  }
}

const IN_PLACE = () => work.path
const AS_REMOTE = () => `file://${work.path}`
const WAYS = [
  ['in place', IN_PLACE],
  ['as a remote', AS_REMOTE],
] as const

describe.each(WAYS)('S-15: a malicious repository that is read %s', (_way, address) => {
  it.each(PROGRAMS)('S-15: runs nothing: %s', async (_what, plant, seen) => {
    plant()
    expect(await look(address())).toEqual(['app.yaml', ...(seen ?? [])].sort())
    expect(existsSync(canary)).toBe(false)
  })

  it.each(OBJECTS)('S-15: holds nothing up: %s', async (_what, plant, seen) => {
    plant()
    const found = await look(address())
    if (seen === null) expect(found).toBeInstanceOf(GitError)
    else expect(found).toEqual(['app.yaml', ...(seen ?? [])].sort())
  })
})

const beside = () => readdirSync(scratch.path).filter((name) => !['clones', 'shipped', 'work'].includes(name))

it.each(PATHS)('S-16: leads nowhere: %s', async (_what, plant, seen) => {
  plant()
  expect(await look(IN_PLACE())).toEqual(['app.yaml', ...(seen ?? [])].sort())
  expect(existsSync(canary)).toBe(false)
  expect(beside()).toEqual([])
})

it('S-16: a remote with such a path may be refused as a whole, for its pack is checked first', async () => {
  planted(['120000', 'link', blob('/etc/passwd')], ['40000', '..', tree(['100644', 'pwned', blob('evil')])])
  const found = await look(AS_REMOTE())
  expect(found instanceof GitError ? found.code : found).toEqual(found instanceof GitError ? 'Corrupt' : ['app.yaml'])
  expect(beside()).toEqual([])
})

it('S-15: the corpus is large enough', () => {
  expect(PROGRAMS.length + PATHS.length + OBJECTS.length).toBeGreaterThanOrEqual(25)
})
