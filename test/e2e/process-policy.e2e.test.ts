import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Drover } from '../support/drover.ts'
import { commitFiles, makeRepo, scratchFolder } from '../support/git-repo.ts'
import { waitUntil } from '../support/wait-until.ts'

const scratch = scratchFolder()
const repo = makeRepo(join(scratch.path, 'repo'))
const policy = join(scratch.path, 'policy.yaml')
const drover = new Drover({ repo: repo.path, more: ['--process-policy', policy] })

const job = (name: string, script: string, unit = ''): string => `apiVersion: drover.dev/v1
kind: Job
metadata: {name: ${name}}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      processes:
      - name: main
        command: [sh, -c, '${script}']
${unit}`

beforeAll(async () => {
  writeFileSync(policy, 'minIsolation: sandbox\nmaxPids: 64\n')
  commitFiles(repo, {
    'sandboxed.yaml': job('sandboxed', `pwd; id -u; cat ${drover.dataDir}/secrets.key; echo tried`),
    'weak.yaml': job('weak', 'true', '        isolation: cgroup\n'),
  })
  await drover.start()
})

afterAll(async () => {
  await drover.destroy()
  scratch.remove()
})

it('the policy of the machine holds, whatever git says', async () => {
  await waitUntil(async () => (await drover.runs()).some(({ phase }) => phase === 'Succeeded'), { timeoutMs: 30_000 })
  const { stdout } = await drover.cli('logs', 'job/sandboxed')
  expect(stdout).toMatch(/\/work\n.*65534\n.*tried/s)
  expect(stdout).toContain('No such file or directory')
  const why = await drover.cli('why', 'job/weak')
  expect(why.stdout + why.stderr).toMatch(/IsolationNotAllowed.*isolation: cgroup, only sandbox or stronger/s)
})
