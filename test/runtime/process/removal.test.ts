import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { must } from '../../../src/lib/must.ts'
import { processSpec } from './harness.ts'
import { never, Workbench } from './workbench.ts'

/** Files in each folder of the task: enough that who hears of the first one that goes still comes before the last. */
const FILES = 1000
const FOLDERS = ['x', 'y']

/** Puts a link in the place of each folder as soon as something in it goes. */
const SWAPPER = `
const { renameSync, symlinkSync, watch } = require('node:fs')
const [work, victim] = process.argv.slice(1)
for (const name of ${JSON.stringify(FOLDERS)}) {
  const folder = work + '/' + name
  const watcher = watch(folder, () => {
    watcher.close()
    renameSync(folder, folder + '.aside')
    symlinkSync(victim, folder)
  })
}
process.stdout.write('watches')`

let bench: Workbench
let swapper: ChildProcess | undefined
afterEach(async () => {
  swapper?.kill('SIGKILL')
  await bench.close()
})

it('of what a task of another user has left follows no link that this user puts in the way meanwhile', async () => {
  if (process.getuid?.() !== 0) throw new Error('this test runs a task as another user, which only root may do: run the tests as root')
  bench = await Workbench.open()
  const { driver, ref, paths, harness } = bench
  const victim = join(dirname(harness.stateDir), 'victim')
  await mkdir(victim)
  const make = `for folder in ${FOLDERS.join(' ')}; do mkdir $folder; for i in $(seq ${FILES}); do : > $folder/$i; done; done`
  await driver.wait(await bench.start(processSpec(['sh', '-c', make], { user: '65534:65534' })), never())
  const work = join(paths.foreignHome, 'work')
  const names = await readdir(join(work, 'x'))
  for (const name of names) writeFileSync(join(victim, name), '')
  swapper = spawn(process.execPath, ['-e', SWAPPER, work, victim], { uid: 65_534, gid: 65_534, stdio: ['ignore', 'pipe', 'ignore'] })
  const { stdout } = swapper
  await new Promise((resolve) => must(stdout, 'a pipe was asked for').once('data', resolve))
  // It comes to no end where a folder has another name in the middle of it.
  await driver.remove(ref).catch(() => undefined)
  swapper.kill('SIGKILL')
  await driver.remove(ref)
  expect(names).toHaveLength(FILES)
  expect(await readdir(victim)).toHaveLength(FILES)
  expect(await readdir(dirname(paths.foreignHome))).toEqual([])
})
