import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { GitErrorCode, GitRepository } from '../../src/git/git-backend.ts'
import { openRepository } from '../../src/git/open.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { Oid } from '../../src/model/ids.ts'
import { startGitHttp } from '../support/git-http.ts'
import {
  commitFiles,
  type FixtureRepo,
  makeBareRepo,
  makeRepo,
  publish,
  revertCommit,
  rewriteHistory,
  type Scratch,
  scratchFolder,
} from '../support/git-repo.ts'

interface Setup {
  /** Where commits are made. */
  readonly work: FixtureRepo
  /** What Drover is told to read. */
  readonly address: string
  /** Where the branch finally moves. */
  readonly origin: FixtureRepo
  /** Makes the present state of `work` visible at the address. */
  publish(): void
  close(): Promise<void>
}

const nothing = () => Promise.resolve()

function localSetup(root: string): Setup {
  const work = makeRepo(`${root}/work`)
  return { work, address: work.path, origin: work, publish: () => undefined, close: nothing }
}

function bareSetup(root: string, address: (path: string) => string): Setup {
  const work = makeRepo(`${root}/work`)
  const origin = makeBareRepo(`${root}/origin.git`)
  return { work, origin, address: address(origin.path), publish: () => publish(work, origin), close: nothing }
}

async function httpSetup(root: string): Promise<Setup> {
  const server = await startGitHttp({ root })
  return { ...bareSetup(root, () => `${server.url}/origin.git`), close: () => server.close() }
}

const setups: readonly (readonly [string, (root: string) => Setup | Promise<Setup>])[] = [
  ['a work tree', localSetup],
  ['a bare repository', (root) => bareSetup(root, (path) => path)],
  ['file://', (root) => bareSetup(root, (path) => `file://${path}`)],
  ['http://', httpSetup],
]

const signal = new AbortController().signal
const code = (expected: GitErrorCode) => expect.objectContaining({ name: 'GitError', code: expected })
const author = { name: 'Drover', email: 'drover@example.com' }

describe.each(setups)('a git repository behind %s', (_, build) => {
  let scratch: Scratch
  let setup: Setup
  let repo: GitRepository

  const open = () =>
    openRepository({ repo: setup.address, dir: `${scratch.path}/clones`, clock: systemClock, random: Math.random, caps: { cloneDepth: 3 } })
  const commit = (...args: Parameters<typeof commitFiles> extends [FixtureRepo, ...infer Rest] ? Rest : never) => {
    const oid = commitFiles(setup.work, ...args)
    setup.publish()
    return oid
  }
  const list = async (at: Oid, path = '.') => repo.files(await repo.treeAt(at, path), signal)
  const text = async (at: Oid, path: string) => {
    const found = (await list(at)).files.find((file) => file.path === path)
    return found === undefined ? null : Buffer.from(await repo.blob(found.oid)).toString()
  }

  beforeEach(async () => {
    scratch = scratchFolder()
    setup = await build(scratch.path)
    commitFiles(setup.work, { 'app.yaml': 'v1', 'jobs/etl/run.sh': 'echo 1', 'jobs/etl/lib/a.txt': 'a' }, 'first')
    setup.publish()
    repo = await open()
  })

  afterEach(async () => {
    await repo.close()
    await setup.close()
    scratch.remove()
  })

  it('tells the newest commit of a branch, and the next one when it moves', async () => {
    const first = await repo.resolve('main', signal)
    expect(first).toMatchObject({ oid: setup.work.head(), subject: 'first', author: 'Ada <ada@example.com>', parents: [] })
    expect(first.committedAt).toBe(Number(setup.work.git('log', '-1', '--format=%ct')) * 1000)

    const second = commit({ 'app.yaml': 'v2' }, 'second\n\nwith a body')
    expect(await repo.resolve('main', signal)).toMatchObject({ oid: second, subject: 'second', parents: [first.oid] })
    expect(await repo.resolve('refs/heads/main', signal)).toMatchObject({ oid: second })
  })

  it('G2: follows a rewritten branch', async () => {
    const base = await repo.resolve('main', signal)
    await commit({ 'app.yaml': 'v2' })
    await repo.resolve('main', signal)
    const rewritten = rewriteHistory(setup.work, base.oid, { 'app.yaml': 'v3' })
    setup.publish()
    expect((await repo.resolve('main', signal)).oid).toBe(rewritten)
    expect(await text(rewritten, 'app.yaml')).toBe('v3')
  })

  it('shows the same tree again after a revert in git, as its id tells', async () => {
    const before = await repo.resolve('main', signal)
    const bad = commit({ 'app.yaml': 'bad' })
    expect((await repo.resolve('main', signal)).tree).not.toBe(before.tree)
    const reverted = revertCommit(setup.work, bad)
    setup.publish()
    expect(await repo.resolve('main', signal)).toMatchObject({ oid: reverted, tree: before.tree, parents: [bad] })
  })

  it('resolves light and annotated tags to their commit', async () => {
    const first = setup.work.head()
    setup.work.git('tag', 'light')
    setup.work.git('tag', '-a', '-m', 'release', 'v1.0')
    commit({ 'app.yaml': 'v2' })
    expect((await repo.resolve('light', signal)).oid).toBe(first)
    expect((await repo.resolve('v1.0', signal)).oid).toBe(first)
    expect((await repo.resolve('refs/tags/v1.0', signal)).oid).toBe(first)
  })

  it('resolves a full commit id, however old', async () => {
    const first = setup.work.head()
    for (let index = 0; index < 5; index++) commitFiles(setup.work, { 'app.yaml': `v${index}` })
    setup.publish()
    await repo.resolve('main', signal)
    expect((await repo.resolve(first, signal)).oid).toBe(first)
    expect(await text(first, 'app.yaml')).toBe('v1')
  })

  it('refuses a name that is both a branch and a tag', async () => {
    setup.work.git('branch', 'both')
    setup.work.git('tag', 'both')
    setup.publish()
    await expect(repo.resolve('both', signal)).rejects.toEqual(code('AmbiguousRef'))
    expect((await repo.resolve('refs/heads/both', signal)).oid).toBe(setup.work.head())
  })

  it('G2: says that a ref is missing, whether it never was or has vanished', async () => {
    setup.work.git('branch', 'other')
    setup.publish()
    await repo.resolve('other', signal)
    setup.work.git('branch', '-D', 'other')
    setup.publish()
    await expect(repo.resolve('other', signal)).rejects.toEqual(code('MissingRef'))
    await expect(repo.resolve('mai', signal)).rejects.toEqual(code('MissingRef'))
    await expect(repo.resolve('0123456789012345678901234567890123456789', signal)).rejects.toEqual(code('MissingRef'))
  })

  it.each(['-main', '--upload-pack=x', '../main'])('takes %j for no ref', async (ref) => {
    await expect(repo.resolve(ref, signal)).rejects.toEqual(code('MissingRef'))
  })

  it('lists the files of a folder, sorted, with modes', async () => {
    const { oid } = await repo.resolve('main', signal)
    const { files, refused } = await list(oid)
    expect(files.map(({ path, mode }) => `${mode} ${path}`)).toEqual([
      'file app.yaml',
      'file jobs/etl/lib/a.txt',
      'executable jobs/etl/run.sh',
    ])
    expect(refused).toEqual([])
    expect((await list(oid, 'jobs/etl')).files.map((file) => file.path)).toEqual(['lib/a.txt', 'run.sh'])
    expect((await list(oid, './jobs/etl/')).files).toHaveLength(2)
  })

  it('sorts whole paths, not folder by folder', async () => {
    const oid = commit({ 'a/z': '1', 'a-b': '2', 'a.b': '3' })
    await repo.resolve('main', signal)
    const paths = (await list(oid)).files.map((file) => file.path)
    expect(paths).toEqual([...paths].sort())
  })

  it('reads blobs byte by byte, big, empty and binary', async () => {
    const big = Buffer.alloc(300_000, 'drover ')
    const binary = Buffer.from([0, 255, 1, 254, 10, 13])
    const oid = commit({ big, binary, empty: '' })
    await repo.resolve('main', signal)
    const { files } = await list(oid)
    const read = async (path: string) => Buffer.from(await repo.blob(files.find((file) => file.path === path)?.oid ?? ('' as Oid)))
    expect((await read('big')).equals(big)).toBe(true)
    expect(await read('binary')).toEqual(binary)
    expect(await read('empty')).toEqual(Buffer.alloc(0))
  })

  it('tells an empty tree from a missing path', async () => {
    setup.work.git('rm', '-rq', '.')
    const oid = commit({}, 'nothing left')
    await repo.resolve('main', signal)
    expect(await list(oid)).toEqual({ files: [], refused: [] })
    await expect(repo.treeAt(oid, 'jobs')).rejects.toEqual(code('MissingPath'))
  })

  it.each(['nowhere', 'app.yaml', 'jobs/etl/run.sh', '../work', '/jobs', 'jobs/../jobs'])('has no folder %j', async (path) => {
    const { oid } = await repo.resolve('main', signal)
    await expect(repo.treeAt(oid, path)).rejects.toEqual(code('MissingPath'))
  })

  it('never follows symlinks or submodules, and names them', async () => {
    setup.work.git('update-index', '--add', '--cacheinfo', `160000,${setup.work.head()},vendor/sub`)
    const target = setup.work.feed('/etc/passwd', 'hash-object', '-w', '--stdin')
    setup.work.git('update-index', '--add', '--cacheinfo', `120000,${target},jobs/link`)
    setup.work.git('commit', '-qm', 'links')
    setup.publish()
    const { oid } = await repo.resolve('main', signal)
    const { files, refused } = await list(oid)
    expect(refused).toEqual(['jobs/link', 'vendor/sub'])
    expect(files).toHaveLength(3)
    await expect(repo.treeAt(oid, 'vendor/sub')).rejects.toEqual(code('MissingPath'))
    await expect(repo.treeAt(oid, 'jobs/link')).rejects.toEqual(code('MissingPath'))
  })

  it('knows nothing of a commit or object that is not there', async () => {
    await repo.resolve('main', signal)
    const absent = '0123456789012345678901234567890123456789' as Oid
    await expect(repo.treeAt(absent, '.')).rejects.toEqual(code('MissingRef'))
    await expect(repo.files(absent, signal)).rejects.toEqual(code('Corrupt'))
    await expect(repo.blob(absent)).rejects.toEqual(code('Corrupt'))
  })

  it('stops at once when the caller gives up', async () => {
    const gone = AbortSignal.abort(new Error('not needed any more'))
    await expect(repo.resolve('main', gone)).rejects.toThrow('not needed any more')
  })

  describe('revert', () => {
    let good: Oid
    let bad: Oid

    beforeEach(async () => {
      good = setup.work.head()
      bad = commit({ 'app.yaml': 'broken', 'jobs/etl/run.sh': null, 'jobs/new.txt': 'new' }, 'bad')
      await repo.resolve('main', signal)
    })

    it('adds a commit whose folder is as it was, and leaves the rest', async () => {
      const oid = await repo.revert({ branch: 'main', target: good, paths: ['jobs'], message: 'Revert jobs\n\nbecause', author }, signal)
      const { origin } = setup
      expect(origin.head('main')).toBe(oid)
      expect(origin.git('rev-parse', 'main^')).toBe(bad)
      expect(origin.git('log', '-1', '--format=%an <%ae> %cn|%s|%b', 'main')).toBe('Drover <drover@example.com> Drover|Revert jobs|because')
      expect(origin.git('diff', good, 'main', '--', 'jobs')).toBe('')
      expect(origin.git('show', 'main:app.yaml')).toBe('broken')
      expect(origin.git('fsck', '--strict')).toBe('')
      expect(await repo.resolve('main', signal)).toMatchObject({ oid, subject: 'Revert jobs', parents: [bad] })
    })

    it('takes the whole tree back for "."', async () => {
      await repo.revert({ branch: 'main', target: good, paths: ['.'], message: 'Revert all', author }, signal)
      expect(setup.origin.git('diff', good, 'main')).toBe('')
      expect(await text((await repo.resolve('main', signal)).oid, 'app.yaml')).toBe('v1')
    })

    it('takes single files back, removes what was not there, and drops emptied folders', async () => {
      const later = commit({ 'only/here.txt': 'x' })
      await repo.resolve('main', signal)
      const paths = ['jobs/etl/run.sh', 'jobs/new.txt', 'only/here.txt', 'never/was']
      await repo.revert({ branch: 'main', target: good, paths, message: 'Revert files', author }, signal)
      expect(setup.origin.git('ls-tree', '-r', '--name-only', 'main').split('\n')).toEqual([
        'app.yaml',
        'jobs/etl/lib/a.txt',
        'jobs/etl/run.sh',
      ])
      expect(setup.origin.git('rev-parse', 'main^')).toBe(later)
    })

    it('adds no commit when there is nothing to change', async () => {
      expect(await repo.revert({ branch: 'main', target: bad, paths: ['.'], message: 'again', author }, signal)).toBe(bad)
      expect(setup.origin.head('main')).toBe(bad)
    })

    it('builds on the newest commit, even one that was not asked for yet', async () => {
      const newer = commit({ 'other.yaml': 'x' })
      await repo.revert({ branch: 'main', target: good, paths: ['app.yaml'], message: 'Revert', author }, signal)
      expect(setup.origin.git('rev-parse', 'main^')).toBe(newer)
    })

    it('refuses paths outside the tree and branches that are none', async () => {
      const revert = (branch: string, path: string) => repo.revert({ branch, target: good, paths: [path], message: 'x', author }, signal)
      await expect(revert('main', '../x')).rejects.toEqual(code('MissingPath'))
      await expect(revert('main', '.git/config')).rejects.toEqual(code('MissingPath'))
      await expect(revert('nowhere', '.')).rejects.toEqual(code('MissingRef'))
      await expect(revert(good, '.')).rejects.toEqual(code('MissingRef'))
      expect(setup.origin.head('main')).toBe(bad)
    })
  })
})
