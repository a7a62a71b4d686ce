import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Drover } from '../support/drover.ts'
import { fake } from '../support/e2e-manifests.ts'
import { commitFiles, makeRepo, scratchFolder } from '../support/git-repo.ts'
import { waitUntil } from '../support/wait-until.ts'

const GRACE_SECONDS = 2
/** What is promised beyond the grace. */
const GONE_WITHIN_MS = (GRACE_SECONDS + 2) * 1_000
/** No other process of this machine sleeps for so long. */
const SLEEP = `${1_000_000_000 + process.pid}`
/** Deaf to TERM, as all that it starts: daemons that left session and parent, one of them with nothing in its environment, and a child. */
const SCRIPT = `trap "" TERM INT HUP
(setsid sh -c "sleep ${SLEEP} & exec sleep ${SLEEP}" &)
(setsid env -i sleep ${SLEEP} &)
sleep ${SLEEP} &
exec sleep ${SLEEP}`
const SLEEPERS_EACH = 5

const workload = (kind: 'Deployment' | 'Job', name: string): string => `apiVersion: drover.dev/v1
kind: ${kind}
metadata: {name: ${name}}
spec:
  template:
    spec:
      terminationGracePeriodSeconds: ${GRACE_SECONDS}
      processes:
      - {name: main, command: [sh, -c, ${JSON.stringify(SCRIPT)}]}
`

const scratch = scratchFolder()
const repo = makeRepo(join(scratch.path, 'repo'))
const drover = new Drover({ repo: repo.path })

beforeAll(async () => {
  commitFiles(repo, {
    'rest.yaml': fake('rest', { version: '1' }),
    'service.yaml': workload('Deployment', 'service'),
    'batch.yaml': workload('Job', 'batch'),
  })
  await drover.start()
})

afterAll(async () => {
  await drover.destroy()
  scratch.remove()
})

/** By their command line: one of them has no environment. */
function sleepers(): string[] {
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandLineOf(pid) === `sleep\0${SLEEP}\0`)
}

/** Empty for one that ends while it is looked at. */
function commandLineOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

it('a task that ignores TERM is gone with its daemons soon after its grace, once git no longer holds it', async () => {
  await waitUntil(() => sleepers().length === 2 * SLEEPERS_EACH)
  const commit = commitFiles(repo, { 'service.yaml': null, 'batch.yaml': null })
  await drover.observed(commit)
  await waitUntil(() => sleepers().length === 0, { timeoutMs: GONE_WITHIN_MS })
  // A path with nothing in it would be taken for a mistake, and stop nothing.
  await drover.until('what is left', ({ workloads }) => workloads.map(({ name }) => name).join() === 'rest')
  expect((await drover.runs()).map(({ phase, reason }) => [phase, reason])).toEqual([['Failed', 'Removed']])
})
