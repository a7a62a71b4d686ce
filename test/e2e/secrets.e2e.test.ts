import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cli, Drover, workloadOf } from '../support/drover.ts'
import { commitFiles, makeRepo, scratchFolder } from '../support/git-repo.ts'
import { waitUntil } from '../support/wait-until.ts'

/** Tasks say only the hash of what they were given, but for the one that gives it away. */
const digest = (text: string): string => createHash('sha256').update(text).digest('hex')
const HASHES = 'printf "%s" "$PASSWORD" | sha256sum'

const container = `apiVersion: drover.dev/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      hostNetwork: true
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: drover-example/busybox:1
        command: [sh, -c, '${HASHES}; printf "%s" "$(cat /secrets/password)" | sha256sum; trap "exit 0" TERM; while :; do sleep 0.2; done']
        env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}]
        volumeMounts: [{name: db, mountPath: /secrets}]
      volumes: [{name: db, secret: {secretName: db}}]
`
const process = `apiVersion: drover.dev/v1
kind: Deployment
metadata: {name: worker}
spec:
  template:
    spec:
      terminationGracePeriodSeconds: 1
      processes:
      - name: main
        command: [sh, -c, '${HASHES}; trap "exit 0" TERM; while :; do sleep 0.2; done']
        env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}]
`
const talker = `apiVersion: drover.dev/v1
kind: Deployment
metadata: {name: talker}
spec:
  template:
    spec:
      hostNetwork: true
      containers:
      - name: main
        image: drover-example/busybox:1
        command: [sh, -c, 'echo "cannot log in with $PASSWORD"; exit 1']
        env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}]
`

describe('a Secret, from the key to the task', () => {
  const scratch = scratchFolder()
  const keyFile = join(scratch.path, 'age.txt')
  const repo = makeRepo(join(scratch.path, 'repo'))
  const drover = new Drover({ repo: repo.path, more: ['--age-key-file', keyFile] })
  let recipient = ''

  /** As a user does it: a plain file outside git, encrypted by the command. */
  async function encrypted(password: string): Promise<string> {
    const path = join(scratch.path, 'db.yaml')
    writeFileSync(
      path,
      `apiVersion: drover.dev/v1\nkind: Secret\nmetadata: {name: db}\nstringData:\n  password: ${password} # the database's\n`,
    )
    const { code, stderr } = await cli(['secret', 'encrypt', path, '--recipient', recipient, '--in-place'])
    expect({ code, stderr }).toMatchObject({ code: 0 })
    const text = readFileSync(path, 'utf8')
    expect(text).not.toContain('canary')
    return text
  }

  beforeAll(async () => {
    const made = await cli(['secret', 'keygen', '--out', keyFile])
    expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^age1/) })
    recipient = made.stdout.trim()
    commitFiles(repo, { 'web.yaml': container, 'worker.yaml': process, 'db.yaml': await encrypted('canary-one') }, 'first')
    await drover.start()
  })
  afterAll(async () => {
    await drover.destroy()
    scratch.remove()
  })

  async function hashesOf(workload: string): Promise<string[]> {
    const running = (await drover.tasks()).filter((task) => task.workload === workload && task.phase === 'Running')
    const outputs = await Promise.all(running.map(({ id }) => drover.cli('logs', `task/${id}`)))
    return outputs.flatMap(({ stdout }) => stdout.split('\n').flatMap((line) => /[0-9a-f]{64}/.exec(line)?.[0] ?? []))
  }
  const given = async (workload: string, password: string, times: number): Promise<void> => {
    await waitUntil(async () => JSON.stringify(await hashesOf(workload)) === JSON.stringify(Array(times).fill(digest(password))))
  }

  it('reaches containers as variable and file, and processes as variable', async () => {
    await drover.healthyAt(repo.head())
    await given('web', 'canary-one', 2)
    await given('worker', 'canary-one', 1)
  })

  it('rolls both when it changes, and again when the commit is reverted', async () => {
    const before = workloadOf(await drover.app(), 'web')?.inputsDigest
    const first = repo.head()
    commitFiles(repo, { 'db.yaml': await encrypted('canary-two') }, 'another password')
    await drover.healthyAt(repo.head())
    await given('web', 'canary-two', 2)
    await given('worker', 'canary-two', 1)
    await drover.proved()
    expect(spawnSync('git', ['-C', repo.path, 'revert', '--no-edit', 'HEAD']).status).toBe(0)
    expect(repo.head()).not.toBe(first)
    await drover.healthyAt(repo.head())
    await given('web', 'canary-one', 2)
    expect(workloadOf(await drover.app(), 'web')?.inputsDigest).toBe(before)
  })

  it('is in plain in nothing that Drover keeps or says, also when a task gives it away', async () => {
    commitFiles(repo, { 'talker.yaml': talker }, 'one that tells its password as it fails')
    await waitUntil(async () => (await drover.rollouts('talker')).some(({ phase }) => phase === 'Failed'), { timeoutMs: 30_000 })
    expect(JSON.stringify(await drover.rollouts('talker'))).toContain('cannot log in with (secret)')
    const asked = await Promise.all(
      [
        ['status', '-o', 'json'],
        ['get', 'tasks', '-o', 'json'],
        ['get', 'rollouts', '-o', 'json'],
        ['describe', 'deployment/web'],
        ['describe', 'deployment/talker'],
        ['why', 'deployment/talker'],
        ['history', 'demo', '-o', 'json'],
        ['plan', '-o', 'json'],
        ['render'],
        ['events'],
      ].map((words) => drover.cli(...words)),
    )
    for (const { stdout, stderr } of asked) expect(stdout + stderr).not.toContain('canary')
    expect(drover.log).not.toContain('canary')
    expect(spawnSync('grep', ['-rla', 'canary', drover.dataDir], { encoding: 'utf8' })).toMatchObject({ status: 1, stdout: '' })
  })
})
