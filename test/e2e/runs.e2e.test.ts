import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { RunView } from '../../src/model/views.ts'
import { Drover } from '../support/drover.ts'
import { cron } from '../support/e2e-manifests.ts'
import { commitFiles, makeRepo, scratchFolder } from '../support/git-repo.ts'
import { waitUntil } from '../support/wait-until.ts'

const scratch = scratchFolder()
const repo = makeRepo(join(scratch.path, 'repo'))
const ledger = join(scratch.path, 'ledger')
const drover = new Drover({ repo: repo.path })

/** a, then b and c, then d when both succeeded; a has a slot on leap days only. */
const graph = (exitOfC: number) => ({
  'a.yaml': cron('a', { when: 'schedule: 0 0 29 2 *', exitCode: 0, ledger }),
  'b.yaml': cron('b', { when: 'after: [a]', exitCode: 0, ledger }),
  'c.yaml': cron('c', { when: 'after: [a]', exitCode: exitOfC, ledger }),
  'd.yaml': cron('d', { when: 'after: [b, c]', exitCode: 0, ledger }),
})
const told = (): string[] => readFileSync(ledger, 'utf8').trim().split('\n')
/** As it is printed, with every duration the same. */
async function picture(...args: string[]): Promise<string[]> {
  const { code, stdout } = await drover.cli('get', 'runs', '--graph', ...args)
  expect(code).toBe(0)
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/\b\d+s\b/g, '0s').replace(/ +/g, ' '))
}
const runsOf = async (name: string): Promise<RunView[]> => (await drover.runs()).filter(({ job }) => job === name)

beforeAll(async () => {
  commitFiles(repo, graph(3))
  await drover.start()
  await drover.healthyAt(repo.head())
})

afterAll(async () => {
  await drover.destroy()
  scratch.remove()
})

it('a graph that is run by hand stops at the node that fails', async () => {
  expect(await drover.cli('run', 'cronjob/a', '--wait')).toMatchObject({ code: 0, stdout: 'run/default.a-manual-1\n' })
  await waitUntil(async () => (await drover.runs()).filter(({ finishedAt }) => finishedAt !== null).length === 3)
  expect(await drover.cli('wait', 'run/default.b-manual-1')).toMatchObject({ code: 0 })
  expect(await drover.cli('wait', 'run/default.c-manual-1')).toMatchObject({ code: 3 })
  expect(told().toSorted()).toEqual(['a', 'b', 'c'])
  expect(await picture()).toEqual([
    'run/default.a-manual-1: Failed, Manual, 0s ago',
    'CRONJOB PHASE DURATION ABOUT',
    'a Succeeded 0s -',
    '|- b Succeeded 0s -',
    '|- c Failed 0s BackoffLimitExceeded, exit code 3',
    '`- d (b, c) Blocked - waits for c, which failed',
  ])
  const why = await drover.cli('why', 'cronjob/d')
  expect(why.stdout).toContain('ParentFailed: run/default.c-manual-1 failed: BackoffLimitExceeded')
  expect((await drover.cli('status', '--exit-code')).code).toBe(3)
})

it('and goes on from there once that is mended and run again', async () => {
  commitFiles(repo, graph(0), 'mend c')
  await drover.healthyAt(repo.head())
  expect(told()).toHaveLength(3)
  expect(await drover.cli('run', 'run/default.c-manual-1', '--wait')).toMatchObject({ code: 0, stdout: 'run/default.c-manual-1-2\n' })
  expect(await drover.cli('wait', 'run/default.d-manual-1')).toMatchObject({ code: 0 })
  expect(told().slice(3)).toEqual(['c', 'd'])
  expect(await picture('run/default.c-manual-1')).toEqual([
    'run/default.a-manual-1: Succeeded, Manual, 0s ago',
    'CRONJOB PHASE DURATION ABOUT',
    'a Succeeded 0s -',
    '|- b Succeeded 0s -',
    '|- c Succeeded 0s -',
    '`- d (b, c) Succeeded 0s -',
  ])
  expect((await drover.cli('status', '--exit-code')).code).toBe(0)
  const events = await drover.cli('events', 'cronjob/c')
  expect(events.stdout.match(/\bRun\w+/g)).toEqual(['RunStarted', 'RunFailed', 'RunStarted', 'RunSucceeded'])
})

it('slots start runs by themselves until git says suspend, and a person runs it all the same', async () => {
  const tick = (more: string) => ({ 'tick.yaml': cron('tick', { when: `schedule: "* * * * * *"\n  ${more}`, exitCode: 0, ledger }) })
  commitFiles(repo, tick('suspend: false'), 'tick')
  await waitUntil(async () => (await runsOf('tick')).filter(({ phase }) => phase === 'Succeeded').length >= 2, { timeoutMs: 30_000 })
  commitFiles(repo, tick('suspend: true'), 'rest')
  await drover.until('at rest', ({ workloads }) => workloads.some(({ name, health }) => name === 'tick' && health === 'Suspended'))
  await waitUntil(async () => (await runsOf('tick')).every(({ finishedAt }) => finishedAt !== null))
  const slots = (await runsOf('tick')).map(({ slot }) => slot)
  expect(new Set(slots).size).toBe(slots.length)
  const byHand = await drover.cli('run', 'cj/tick', '--wait', '-o', 'json')
  expect(byHand).toMatchObject({ code: 0, stderr: expect.stringContaining('cronjob/tick is suspended') })
  expect(JSON.parse(byHand.stdout)).toMatchObject({ trigger: 'Manual', phase: 'Succeeded', slot: null, succeeded: 1, completions: 1 })
  expect((await drover.cli('logs', 'cronjob/tick')).code).toBe(0)
})

it('what cannot run is refused by its exit code', async () => {
  const codes = async (...commands: string[]) =>
    Promise.all(commands.map(async (command) => (await drover.cli(...command.split(' '))).code))
  expect(await codes('run cronjob/none', 'run run/none', 'run task/none', 'wait cronjob/a')).toEqual([5, 5, 2, 2])
})
