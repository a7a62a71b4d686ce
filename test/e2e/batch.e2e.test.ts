import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RunView } from '../../src/model/views.ts'
import { Drover } from '../support/drover.ts'
import { commitFiles, makeRepo, scratchFolder } from '../support/git-repo.ts'
import { waitUntil } from '../support/wait-until.ts'

const scratch = scratchFolder()
const repo = makeRepo(join(scratch.path, 'repo'))
const ledger = join(scratch.path, 'ledger')
const drover = new Drover({ repo: repo.path })

const job = (name: string, spec: string) => `apiVersion: drover.dev/v1
kind: Job
metadata: {name: ${name}}
spec:
  ${spec}
  template:
    spec:
      processes:
        - name: main
          command: [sh, script.sh, ${ledger}, ${name}]
          artifacts: [{git: code, destination: .}]
`
const script = (version: number) => `echo "$2 v${version}" >> "$1"\n`
const lines = (name: string) =>
  readFileSync(ledger, 'utf8')
    .split('\n')
    .flatMap((line) => (line.startsWith(`${name} `) ? [line.slice(name.length + 1)] : []))

/** Names whose newest run of each has succeeded, once nothing is under way. */
async function settled(): Promise<readonly RunView[]> {
  const head = repo.head()
  await waitUntil(async () => (await drover.app())?.lastAppliedRevision?.endsWith(head) === true, { timeoutMs: 20_000 })
  await waitUntil(async () => (await drover.runs()).every(({ finishedAt }) => finishedAt !== null), { timeoutMs: 20_000 })
  return drover.runs()
}

const POLICIES = {
  once: 'runPolicy: OncePerSpec',
  again: 'runPolicy: OnChange',
  skips: 'runPolicy: OnChange\n  onRevert: Skip',
  blocks: 'runPolicy: OnChange\n  onRevert: Block',
  each: 'runPolicy: EveryRevision',
}

beforeAll(async () => {
  const jobs = Object.entries(POLICIES).map(([name, spec]) => [`${name}.yaml`, job(name, spec)])
  commitFiles(repo, { ...Object.fromEntries(jobs), 'code/script.sh': script(1) }, 'first')
  await drover.start()
})
afterAll(async () => {
  await drover.destroy()
  scratch.remove()
})

describe('a Job whose script git ships', () => {
  it('runs once for the first commit, and again with the new script for the next', async () => {
    await settled()
    for (const name of Object.keys(POLICIES)) expect(lines(name), name).toEqual(['v1'])
    commitFiles(repo, { 'code/script.sh': script(2) }, 'second')
    const runs = await settled()
    for (const name of Object.keys(POLICIES)) expect(lines(name), name).toEqual(['v1', 'v2'])
    expect(runs.every(({ phase, exitCode }) => phase === 'Succeeded' && exitCode === 0)).toBe(true)
  })

  it('runs the old script again after a revert where its policy says so, and else does not', async () => {
    commitFiles(repo, { 'code/script.sh': script(1) }, 'revert')
    await settled()
    await waitUntil(() => lines('again').length === 3 && lines('each').length === 3, { timeoutMs: 20_000 })
    expect(lines('again')).toEqual(['v1', 'v2', 'v1'])
    expect(lines('each')).toEqual(['v1', 'v2', 'v1'])
    for (const name of ['once', 'skips', 'blocks']) expect(lines(name), name).toEqual(['v1', 'v2'])
    const health = new Map(((await drover.app())?.workloads ?? []).map((workload) => [workload.name, workload]))
    expect(health.get('skips')).toMatchObject({ health: 'Healthy' })
    expect(health.get('blocks')).toMatchObject({ health: 'Suspended', reasons: [{ code: 'WaitsForPerson' }] })
  })

  it('runs for a commit that changes nothing of it only where it runs for each', async () => {
    commitFiles(repo, { 'README.md': 'nothing new' }, 'words')
    await settled()
    await waitUntil(() => lines('each').length === 4, { timeoutMs: 20_000 })
    expect(Object.keys(POLICIES).map((name) => lines(name).length)).toEqual([2, 3, 2, 2, 4])
  })
})
