import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { TaskView } from '../../src/model/views.ts'
import { Drover } from '../support/drover.ts'
import { commitFiles, makeRepo, scratchFolder } from '../support/git-repo.ts'
import { pictureOf } from '../support/picture.ts'
import { waitUntil } from '../support/wait-until.ts'

/** A probe asks every second and believes the second failure in a row. */
const NOTICED = { timeoutMs: 10_000 }

const scratch = scratchFolder()
const flags = join(scratch.path, 'flags')
const repo = makeRepo(join(scratch.path, 'repo'))
const drover = new Drover({ repo: repo.path })

/** Answers 503 to a path as long as a file of that name is in its slot's folder; a start mends what made it sick. */
const PROGRAM = `
const fs = require('fs')
const folder = process.env.FLAGS + '/' + process.env.DROVER_SLOT
fs.rmSync(folder + '/live', { force: true })
const answer = (question, response) => response.writeHead(fs.existsSync(folder + question.url) ? 503 : 200).end()
require('http').createServer(answer).listen(process.env.PORT_HTTP, '127.0.0.1')
`

const asks = (path: string) => `{httpGet: {path: ${path}, port: http}, periodSeconds: 1, failureThreshold: 2}`

const manifest = `apiVersion: drover.dev/v1
kind: Deployment
metadata: {name: server}
spec:
  replicas: 2
  template:
    spec:
      terminationGracePeriodSeconds: 1
      processes:
      - name: main
        command: ${JSON.stringify([process.execPath, '-e', PROGRAM])}
        env: [{name: FLAGS, value: "${flags}"}]
        ports: [{name: http}]
        startupProbe: {tcpSocket: {port: http}, periodSeconds: 1, failureThreshold: 30}
        readinessProbe: ${asks('/ready')}
        livenessProbe: ${asks('/live')}
`

beforeAll(async () => {
  for (const slot of ['0', '1']) mkdirSync(join(flags, slot), { recursive: true })
  commitFiles(repo, { 'server.yaml': manifest }, 'first')
  await drover.start()
  await drover.healthyAt(repo.head())
  await drover.proved()
})

afterAll(async () => {
  await drover.destroy()
  scratch.remove()
})

const taskIn = async (slot: string): Promise<TaskView | undefined> => (await drover.running('server')).find((task) => task.slot === slot)
const flag = (slot: string, name: 'ready' | 'live') => join(flags, slot, name)

it('a task whose readiness fails runs on, is not ready, says why, and is ready again afterwards', async () => {
  const before = await pictureOf(drover, 'server')
  writeFileSync(flag('0', 'ready'), '')
  await waitUntil(async () => (await taskIn('0'))?.ready === false, NOTICED)
  expect(await taskIn('0')).toMatchObject({ phase: 'Running', attempt: 1, reasons: [{ code: 'ReadinessProbeFailed' }] })
  expect((await taskIn('0'))?.reasons[0]?.message).toContain('status 503')
  expect(await taskIn('1')).toMatchObject({ ready: true, reasons: [] })
  expect((await drover.app())?.workloads).toMatchObject([{ desired: 2, ready: 1 }])
  rmSync(flag('0', 'ready'))
  await waitUntil(async () => (await taskIn('0'))?.ready === true, NOTICED)
  await drover.until('healthy', (app) => app.health === 'Healthy')
  expect(await pictureOf(drover, 'server')).toEqual(before)
})

it('a task whose liveness fails is restarted in place, and its neighbour is not', async () => {
  const [sick, neighbour] = [await taskIn('0'), await taskIn('1')]
  writeFileSync(flag('0', 'live'), '')
  await waitUntil(async () => (await taskIn('0'))?.attempt === 2 && (await taskIn('0'))?.ready === true, NOTICED)
  const after = await taskIn('0')
  expect(after?.id).toBe(sick?.id)
  expect(after?.attempts).toMatchObject([{ attempt: 1, reason: 'LivenessProbeFailed', message: expect.stringContaining('status 503') }])
  expect(await taskIn('1')).toMatchObject({ id: neighbour?.id, attempt: 1, ready: true })
  await drover.until('healthy', (app) => app.health === 'Healthy')
  expect(
    (await drover.rollouts('server')).map(({ phase }) => phase),
    'a complete rollout stays complete',
  ).toEqual(['Complete'])
})
