import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { cli, Drover } from '../support/drover.ts'
import { container, processes } from '../support/e2e-manifests.ts'
import { commitFiles, makeRepo, scratchFolder } from '../support/git-repo.ts'
import { taskProcesses } from '../support/task-processes.ts'
import { waitUntil } from '../support/wait-until.ts'

const scratch = scratchFolder()
const repo = makeRepo(join(scratch.path, 'repo'))
const mark = `SUITE=${scratch.path}`
const marked = (text: string) => text.replace('env: [', `env: [{name: SUITE, value: "${scratch.path}"}, `)
/** It goes on until it is told to stop, and then says so by its exit code. */
const batch = processes('batch', { version: '1' })
  .replace('kind: Deployment', 'kind: Job')
  .replace('  replicas: 1\n', '  backoffLimit: 0\n')
  .replace('exit 0', 'exit 5')
const drover = new Drover({ repo: repo.path })

beforeAll(async () => {
  commitFiles(repo, {
    'c.yaml': marked(container('c', { version: '1' })),
    'p.yaml': marked(processes('p', { version: '1' })),
    'batch.yaml': marked(batch),
  })
  await drover.start()
  await waitUntil(async () => (await drover.tasks()).filter((task) => task.phase === 'Running').length === 3, { timeoutMs: 30_000 })
})

afterAll(async () => {
  await drover.destroy()
  scratch.remove()
})

it('down ends drover up and stops every task; the next up tells how they ended and runs them anew', async () => {
  const before = await drover.tasks()
  expect(await cli(['down', '--data-dir', drover.dataDir])).toMatchObject({ code: 0, stderr: expect.stringContaining('stopped 3 tasks') })
  expect(taskProcesses(mark).size).toBe(0)
  await drover.start()
  await waitUntil(async () => (await drover.tasks()).filter((task) => task.phase === 'Running').length === 3, { timeoutMs: 30_000 })
  const after = await drover.tasks()
  const ended = (workload: string) => after.find((task) => task.id === before.find((old) => old.workload === workload)?.id)
  expect(ended('p')).toMatchObject({ phase: 'Stopped', exitCode: 0 })
  expect(ended('c')).toMatchObject({ phase: 'Stopped', exitCode: 0 })
  expect(ended('batch')).toMatchObject({ phase: 'Stopped', exitCode: 5 })
  expect((await drover.runs()).map((run) => run.phase)).toEqual(['Running'])
})
