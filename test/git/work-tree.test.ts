import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { GitRepository } from '../../src/git/git-backend.ts'
import { openRepository } from '../../src/git/open.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { Oid } from '../../src/model/ids.ts'
import {
  type Changes,
  commitFiles,
  type FixtureRepo,
  gitRepoAt,
  makeBareRepo,
  makeRepo,
  publish,
  type Scratch,
  scratchFolder,
  writeFiles,
} from '../support/git-repo.ts'
import { code, signal } from './remote-fixture.ts'

let scratch: Scratch
let work: FixtureRepo
let repo: GitRepository
let good: Oid
let bad: Oid

const open = (path: string) => openRepository({ repo: path, dir: join(scratch.path, 'clones'), clock: systemClock, random: Math.random })
const revert = (paths: readonly string[], branch = 'main') =>
  repo.revert({ branch, target: good, paths, message: 'Revert to good', author: { name: 'Drover', email: 'd@example.com' } }, signal)
const content = (path: string) => readFileSync(join(work.path, path), 'utf8')

beforeEach(async () => {
  scratch = scratchFolder()
  work = makeRepo(join(scratch.path, 'work'))
  good = commitFiles(work, { 'app.yaml': 'v1', 'jobs/run.sh': 'echo 1', 'jobs/gone': 'x', 'other.yaml': 'o1' })
  bad = commitFiles(work, { 'app.yaml': 'bad', 'jobs/run.sh': 'exit 1', 'jobs/gone': null, 'jobs/new': 'n', 'other.yaml': 'o2' })
  repo = await open(work.path)
})

afterEach(async () => {
  await repo.close()
  scratch.remove()
})

describe('a revert on the branch that is checked out', () => {
  it('takes files and index along', async () => {
    const oid = await revert(['app.yaml', 'jobs'])
    expect(work.git('status', '--porcelain')).toBe('')
    expect(work.git('log', '-2', '--format=%H %s')).toBe(`${oid} Revert to good\n${bad} change`)
    expect(work.git('diff', good, 'HEAD', '--', 'app.yaml', 'jobs')).toBe('')
    expect([content('app.yaml'), content('jobs/run.sh'), content('jobs/gone'), content('other.yaml')]).toEqual(['v1', 'echo 1', 'x', 'o2'])
    expect(existsSync(join(work.path, 'jobs/new'))).toBe(false)
    expect(statSync(join(work.path, 'jobs/run.sh')).mode & 0o111).not.toBe(0)
    expect(work.git('fsck', '--strict', '--no-dangling')).toBe('')
  })

  it('is in the reflog, as any move of a branch', async () => {
    const oid = await revert(['.'])
    expect(work.git('reflog', '-1', '--format=%H %gs', 'main')).toBe(`${oid} drover: Revert to good`)
    expect(work.git('rev-parse', 'HEAD@{1}')).toBe(bad)
  })

  it('keeps what somebody is changing elsewhere in the tree', async () => {
    writeFiles(work, { 'other.yaml': 'being edited', 'notes.txt': 'untracked', 'staged.txt': 's' })
    work.git('add', 'staged.txt')
    await revert(['app.yaml'])
    expect(
      work
        .git('status', '--porcelain')
        .split('\n')
        .map((line) => line.trim()),
    ).toEqual(['M other.yaml', 'A  staged.txt', '?? notes.txt'])
    expect(content('other.yaml')).toBe('being edited')
  })

  const stage = (changes: Changes) => {
    writeFiles(work, changes)
    work.git('add', '-A')
  }

  it.each([
    ['a changed file', () => writeFiles(work, { 'app.yaml': 'mine' })],
    ['a staged change', () => stage({ 'app.yaml': 'mine' })],
    ['an untracked file in the way', () => writeFiles(work, { 'jobs/gone': 'mine' })],
    [
      'a change that is staged but taken back in the file',
      () => {
        stage({ 'app.yaml': 'mine' })
        writeFiles(work, { 'app.yaml': 'bad' })
      },
    ],
  ])('refuses %s and changes nothing', async (_, edit) => {
    edit()
    const before = work.git('status', '--porcelain')
    await expect(revert(['.'])).rejects.toEqual(code('Rejected', 'work tree'))
    expect(work.git('status', '--porcelain')).toBe(before)
    expect(work.head('main')).toBe(bad)
    expect(existsSync(join(work.path, '.git/refs/heads/main.lock'))).toBe(false)
    expect(existsSync(join(work.path, '.git/index.lock'))).toBe(false)
  })

  it('does not take a touched file for a changed one', async () => {
    utimesSync(join(work.path, 'app.yaml'), new Date(0), new Date(0))
    await revert(['app.yaml'])
    expect(work.git('status', '--porcelain')).toBe('')
  })

  it('runs no hook and no program that the repository names', async () => {
    const mark = join(scratch.path, 'ran')
    for (const hook of ['post-checkout', 'reference-transaction', 'post-index-change', 'pre-commit', 'post-commit']) {
      writeFileSync(join(work.path, '.git/hooks', hook), `#!/bin/sh\ntouch ${mark}\n`, { mode: 0o755 })
    }
    work.git('config', 'core.fsmonitor', `touch ${mark}; false`)
    await revert(['.'])
    rmSync(join(work.path, '.git/hooks'), { recursive: true })
    work.git('config', '--unset', 'core.fsmonitor')
    expect(work.git('status', '--porcelain')).toBe('')
    expect(existsSync(mark)).toBe(false)
  })

  it('refuses while another git process writes the index or the branch', async () => {
    writeFileSync(join(work.path, '.git/index.lock'), '')
    await expect(revert(['.'])).rejects.toEqual(code('Rejected', 'index.lock'))
    rmSync(join(work.path, '.git/index.lock'))
    writeFileSync(join(work.path, '.git/refs/heads/main.lock'), '')
    await expect(revert(['.'])).rejects.toEqual(code('Rejected', 'another process'))
    expect(existsSync(join(work.path, '.git/refs/heads/main.lock'))).toBe(true)
    expect([work.head('main'), content('app.yaml')]).toEqual([bad, 'bad'])
  })
})

describe('a revert on a branch that is not checked out', () => {
  it('leaves files and index alone', async () => {
    work.git('checkout', '-q', '-b', 'elsewhere', good)
    writeFiles(work, { 'app.yaml': 'being edited' })
    const oid = await revert(['.'])
    expect(work.head('main')).toBe(oid)
    expect([work.head(), content('app.yaml')]).toEqual([good, 'being edited'])
  })

  it('moves a branch that git has packed', async () => {
    work.git('checkout', '-q', '--detach')
    work.git('pack-refs', '--all')
    work.git('gc', '-q')
    expect((await repo.resolve('main', signal)).oid).toBe(bad)
    const oid = await revert(['.'])
    expect([work.head('main'), (await repo.resolve('main', signal)).oid]).toEqual([oid, oid])
  })

  it('refuses a branch that another work tree shows', async () => {
    work.git('checkout', '-q', '--detach')
    work.git('worktree', 'add', '-q', join(scratch.path, 'second'), 'main')
    await expect(revert(['.'])).rejects.toEqual(code('Rejected', 'another work tree'))
    const second = gitRepoAt(join(scratch.path, 'second'))
    await repo.close()
    repo = await open(second.path)
    const oid = await revert(['.'])
    expect([second.head(), second.git('status', '--porcelain')]).toEqual([oid, ''])
  })
})

describe('two writers', () => {
  it('never lose a commit: one of them is told to try again', async () => {
    const outcomes = await Promise.allSettled([revert(['app.yaml']), revert(['jobs']), revert(['other.yaml'])])
    const written = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
    expect(written.length).toBeGreaterThan(0)
    expect(refused).toEqual(refused.map(() => code('Rejected')))
    expect(work.git('log', '--format=%H', `${bad}..main`).split('\n').sort()).toEqual([...written].sort())
    expect(work.git('status', '--porcelain')).toBe('')
  })

  it.each(['file://', ''])('see a push that came in between (%s)', async (scheme) => {
    const origin = makeBareRepo(join(scratch.path, 'origin.git'))
    publish(work, origin)
    await repo.close()
    repo = await open(`${scheme}${origin.path}`)
    const outcomes = await Promise.allSettled([revert(['app.yaml']), revert(['jobs'])])
    const written = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    expect(outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => reason)).toEqual(
      Array.from({ length: 2 - written.length }, () => code('Rejected')),
    )
    expect(origin.git('log', '--format=%H', `${bad}..main`).split('\n').sort()).toEqual([...written].sort())
  })
})

describe('a revert beside git itself', () => {
  /** Commits on `main` 25 times, each only if the branch has not moved meanwhile, and prints what it has written. */
  const COMMITTER = `for i in $(seq 25); do
    old=$(git rev-parse main)
    new=$(git -c user.name=G -c user.email=g@x commit-tree -p $old -m "git $i" $(git rev-parse main^{tree}))
    git update-ref refs/heads/main $new $old && echo $new
  done 2>/dev/null`

  it('loses no commit of either', async () => {
    const origin = makeBareRepo(join(scratch.path, 'origin.git'))
    publish(work, origin)
    await repo.close()
    repo = await open(origin.path)
    const git = spawn('sh', ['-c', COMMITTER], { cwd: origin.path, stdio: ['ignore', 'pipe', 'inherit'] })
    const running = { ended: false }
    const byGit = git.stdout.setEncoding('utf8').reduce((text: string, chunk: string) => text + chunk, '')
    git.once('close', () => {
      running.ended = true
    })
    const ours: Oid[] = []
    // On a busy machine git may win every turn; once it has ended one of ours goes through.
    for (let turn = 0; !running.ended || ours.length === 0; turn++) {
      const target = turn % 2 === 0 ? good : bad
      const options = { branch: 'main', target, paths: ['.'], message: `turn ${turn}`, author: { name: 'D', email: 'd@x' } }
      const before = new Set(ours)
      await repo.revert(options, signal).then(
        (oid) => !before.has(oid) && ours.push(oid),
        (error: unknown) => expect(error).toEqual(code('Rejected')),
      )
    }
    const log = origin.git('log', '--format=%H %s', `${bad}..main`).split('\n')
    const written = (await byGit).trim().split('\n')
    expect(
      log
        .filter((line) => / git /.test(line))
        .map((line) => line.slice(0, 40))
        .sort(),
    ).toEqual(written.sort())
    const turns = log.filter((line) => / turn /.test(line)).map((line) => line.slice(0, 40))
    expect(ours.filter((oid) => turns.includes(oid)).sort()).toEqual([...turns].sort())
    const all = [bad, ...log.map((line) => line.slice(0, 40))]
    expect(ours.filter((oid) => !all.includes(oid))).toEqual([])
    expect(turns.length).toBeGreaterThan(0)
  })
})

describe('reading a repository in place', () => {
  it('writes nothing', async () => {
    const before = work.git('count-objects', '-v')
    await repo.resolve('main', signal)
    await repo.files(await repo.treeAt(bad, '.'), signal)
    expect(work.git('count-objects', '-v')).toBe(before)
    expect(existsSync(join(scratch.path, 'clones'))).toBe(false)
  })

  it('goes on through a gc and a repack by git', async () => {
    const { files } = await repo.files(await repo.treeAt(good, '.'), signal)
    work.git('gc', '-q', '--prune=now')
    await repo.blob(files[0]?.oid ?? good)
    commitFiles(work, { 'app.yaml': 'v3' })
    work.git('repack', '-q', '-a', '-d', '-F')
    expect(Buffer.from(await repo.blob(files[1]?.oid ?? good)).toString()).toBe('x')
    expect((await repo.resolve('main', signal)).oid).toBe(work.head())
  })

  it('finds objects that a clone borrows from another repository', async () => {
    work.git('clone', '-q', '--shared', work.path, join(scratch.path, 'borrowed'))
    const borrowed = await open(join(scratch.path, 'borrowed'))
    const { files } = await borrowed.files(await borrowed.treeAt((await borrowed.resolve('main', signal)).oid, '.'), signal)
    expect(Buffer.from(await borrowed.blob(files[0]?.oid ?? good)).toString()).toBe('bad')
    await borrowed.close()
  })

  it('says when an object is missing or rotten instead of showing less', async () => {
    const tree = await repo.treeAt(bad, 'jobs')
    const file = join(work.path, '.git/objects', tree.slice(0, 2), tree.slice(2))
    rmSync(file)
    await expect(repo.files(await repo.treeAt(bad, '.'), signal)).rejects.toEqual(code('Corrupt', tree))
    writeFileSync(file, 'rotten')
    await expect(repo.files(await repo.treeAt(bad, '.'), signal)).rejects.toEqual(code('Corrupt'))
  })

  it('refuses formats it cannot read rather than finding nothing', async () => {
    const other = join(scratch.path, 'sha256')
    mkdirSync(other)
    gitRepoAt(other).git('init', '-q', '--object-format=sha256')
    await expect(open(other)).rejects.toEqual(code('Unsupported', 'SHA-256'))
  })
})
