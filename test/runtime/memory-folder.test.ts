import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { giveBackMemory, memoryFolder, removeFromMemory } from '../../runtime/memory-folder.ts'

let first: string
let second: string
beforeEach(async () => {
  first = await mkdtemp('/dev/shm/drover-test-')
  second = await mkdtemp('/dev/shm/drover-test-')
})
afterEach(async () => {
  for (const folder of [first, second]) await rm(folder, { recursive: true })
})

it('is in the first place that can be had, for this user alone', async () => {
  await writeFile(join(first, 'mine'), 'somebody was here before')
  const folder = await memoryFolder('mine', ['/no/such/place', process.cwd(), first, second])
  expect(folder).toBe(join(second, 'mine'))
  expect((await stat(folder)).mode & 0o777).toBe(0o700)
})

it('is refused where there is no place, with what is wrong with each', async () => {
  await writeFile(join(first, 'mine'), '')
  const refused = memoryFolder('mine', [process.cwd(), first])
  await expect(refused).rejects.toMatchObject({ code: 'NoMemoryFolder', message: expect.stringMatching(/is no tmpfs; .*EEXIST/) })
})

it('is emptied and given back, and what is not its own is left alone', async () => {
  await writeFile(join(first, 'mine'), 'of somebody else')
  const folder = await memoryFolder('mine', [second])
  await writeFile(join(folder, 'a'), '')
  await giveBackMemory('mine', [first, second])
  expect(await readdir(folder)).toEqual(['a'])
  await removeFromMemory('mine', 'a', [first, second])
  await removeFromMemory('mine', 'gone already', [first, second])
  await giveBackMemory('mine', [first, second])
  expect(await readdir(second)).toEqual([])
  expect(await readdir(first)).toEqual(['mine'])
})
