import { chmod, mkdir, mkdtemp, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { downloadKey } from '../../../runtime/artifacts/downloads.ts'
import type { Account } from '../../../runtime/drivers/process/users.ts'
import { furnish, homeIn } from '../../../runtime/drivers/process/work.ts'
import { must } from '../../../src/lib/must.ts'
import { Oid } from '../../../src/model/ids.ts'
import type { ArtifactSpec, Download } from '../../../src/model/task-spec.ts'
import { processSpec } from './harness.ts'

const A = Oid.parse('a'.repeat(40))
const B = Oid.parse('b'.repeat(40))
let root: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'drover-work-test-'))
  for (const dir of ['a/sub', 'b', 'task']) await mkdir(join(root, dir), { recursive: true })
  await writeFile(join(root, 'a/run.sh'), '#!/bin/sh\necho hi\n')
  await chmod(join(root, 'a/run.sh'), 0o555)
  await writeFile(join(root, 'a/sub/data'), 'data')
})
afterEach(() => rm(root, { recursive: true }))

const work = (...path: string[]) => join(root, 'task/work', ...path)

const download = (form: Download['form']): Download => ({ url: 'https://files.example/tool', sha256: 'c'.repeat(64), form })

function placeFor(owner: Account | null, artifacts: ArtifactSpec[]): Promise<void> {
  const unit = must(processSpec(['true'], { artifacts }).units[0], 'a unit')
  return furnish(homeIn(join(root, 'task')), unit, { artifacts: { [A]: join(root, 'a'), [B]: join(root, 'b'), ...downloaded() } }, owner)
}
const place = (...artifacts: ArtifactSpec[]): Promise<void> => placeFor(null, artifacts)

/** One file that was fetched, and a folder that one was unpacked to. */
const downloaded = () => ({
  [downloadKey(download('executable'))]: join(root, 'a/run.sh'),
  [downloadKey(download('unpacked'))]: join(root, 'a'),
})

describe('the files of a task', () => {
  it('from a URL are the file at its path, or what was unpacked in its folder', async () => {
    await place({ download: download('executable'), destination: 'bin/tool' }, { download: download('unpacked'), destination: 'etl' })
    expect((await stat(work('bin/tool'))).mode & 0o777).toBe(0o755)
    expect(await readFile(work('bin/tool'), 'utf8')).toBe('#!/bin/sh\necho hi\n')
    expect(await readFile(work('etl/sub/data'), 'utf8')).toBe('data')
  })

  it.each(['.', '', 'a/..'])('are no file named %j', async (destination) => {
    await expect(place({ download: download('executable'), destination })).rejects.toMatchObject({ code: 'UnsafeArtifact' })
  })

  it('are copies with their modes, the task may write them, and the shared tree stays as it was', async () => {
    await symlink('sub/data', join(root, 'a/link'))
    await place({ tree: A, destination: '.' }, { tree: A, destination: 'deep/er' })
    expect((await stat(work('run.sh'))).mode & 0o777).toBe(0o755)
    expect(await readFile(work('deep/er/sub/data'), 'utf8')).toBe('data')
    expect(await readlink(work('link'))).toBe('sub/data')
    await writeFile(work('sub/data'), 'changed')
    expect(await readFile(join(root, 'a/sub/data'), 'utf8')).toBe('data')
  })

  it.each(['../out', '/etc', 'a/../../b', 'x\0y'])('S-16: do not go to %j', async (destination) => {
    await expect(place({ tree: A, destination })).rejects.toMatchObject({ code: 'UnsafeArtifact' })
  })

  it.each(['/etc', '../../..', 'sub/../../..'])('S-16: hold no link to %s', async (target) => {
    await symlink(target, join(root, 'b/link'))
    await expect(place({ tree: B, destination: '.' })).rejects.toMatchObject({ code: 'UnsafeArtifact' })
  })

  it('S-16: do not follow a link of another artifact out, even one that hides behind a deeper link', async () => {
    // `deep/l` leads to the working directory itself, so `x` copied "into deep/l" would lie one level up from where it seems.
    await mkdir(join(root, 'a/deep'))
    await symlink('..', join(root, 'a/deep/l'))
    await symlink('../..', join(root, 'b/x'))
    await expect(place({ tree: A, destination: '.' }, { tree: B, destination: 'deep/l' })).rejects.toMatchObject({ code: 'UnsafeArtifact' })
  })

  it('clash when a download is to be where a folder is', async () => {
    const both = place({ tree: A, destination: 'x' }, { download: download('executable'), destination: 'x/sub' })
    await expect(both).rejects.toMatchObject({ code: 'ArtifactConflict' })
  })

  it('clash loudly, and must be there', async () => {
    await expect(place({ tree: A, destination: '.' }, { tree: A, destination: '.' })).rejects.toMatchObject({ code: 'ArtifactConflict' })
    await rm(join(root, 'task'), { recursive: true })
    await mkdir(join(root, 'task'))
    const missing = place({ tree: Oid.parse('c'.repeat(40)), destination: '.' })
    await expect(missing).rejects.toMatchObject({ code: 'ArtifactMissing' })
  })

  it("are placed in folders that the task's user gets last, so that nobody is there while the agent still writes", async () => {
    if (process.getuid?.() !== 0) throw new Error('this test gives folders to another user, which only root may do: run the tests as root')
    const owner = { uid: 65_534, gid: 65_534, groups: [] }
    const ownersOf = (...paths: string[]) => Promise.all(paths.map(async (path) => (await stat(join(root, 'task', path))).uid))
    // A link to the working directory itself, through which the next artifact is placed.
    await symlink('.', join(root, 'a/here'))
    const missing = { tree: Oid.parse('c'.repeat(40)), destination: '.' }
    await expect(placeFor(owner, [{ tree: A, destination: '.' }, { tree: B, destination: 'here/more' }, missing])).rejects.toThrow()
    expect(await ownersOf('work', 'tmp', 'work/run.sh', 'work/more')).toEqual([0, 0, 65_534, 65_534])
    expect((await stat(work())).mode & 0o777).toBe(0o700)
    await rm(join(root, 'task'), { recursive: true })
    await mkdir(join(root, 'task'))
    await placeFor(owner, [{ tree: A, destination: '.' }])
    expect(await ownersOf('work', 'tmp', 'work/sub/data')).toEqual([65_534, 65_534, 65_534])
  })
})
