import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { must } from '../../src/lib/must.ts'
import type { RunView } from '../../src/model/views.ts'
import { Drover } from '../support/drover.ts'
import { commitFiles, makeRepo, scratchFolder } from '../support/git-repo.ts'
import { waitUntil } from '../support/wait-until.ts'

const MIB = 2 ** 20
/** Takes memory until it is killed for it. */
const EATER = 'const all = []; console.error("eating"); for (;;) all.push(Buffer.alloc(2 ** 20, 1))'
/** Holds 64 MiB, and ends with 7 once there is a file of that name. */
const HOLDER = `const all = Buffer.alloc(64 * 2 ** 20, 1)
console.log('holds', all.length)
setInterval(() => { if (require('fs').existsSync(process.env.END)) { console.log('ends'); process.exit(7) } }, 20)`

interface JobShape {
  readonly parts?: number
  readonly backoffLimit?: number
  readonly unit: object
  readonly runtime: 'processes' | 'containers'
}

function job(name: string, { parts = 1, backoffLimit = 0, unit, runtime }: JobShape): string {
  const template = { spec: { restartPolicy: 'OnFailure', [runtime]: [{ name: 'main', ...unit }] } }
  const hostNetwork = runtime === 'containers' ? { hostNetwork: true } : {}
  const spec = { completions: parts, parallelism: parts, backoffLimit, template: { spec: { ...template.spec, ...hostNetwork } } }
  return JSON.stringify({ apiVersion: 'drover.dev/v1', kind: 'Job', metadata: { name }, spec })
}

describe('what an attempt leaves', () => {
  const scratch = scratchFolder()
  const repo = makeRepo(join(scratch.path, 'repo'))
  const drover = new Drover({ repo: repo.path })
  const end = join(scratch.path, 'end')

  beforeAll(async () => {
    commitFiles(repo, { 'empty.yaml': job('first', { runtime: 'processes', unit: { command: ['true'] } }) }, 'first')
    await drover.start()
  })
  afterAll(async () => {
    await drover.destroy()
    scratch.remove()
  })

  async function runOf(name: string): Promise<RunView> {
    await waitUntil(async () => (await drover.runs()).some((run) => run.job === name))
    return must(
      (await drover.runs()).find((run) => run.job === name),
      name,
    )
  }
  /** Applies the job and waits as a user does. */
  async function ran(name: string, shape: JobShape): Promise<{ run: RunView; code: number; said: string }> {
    commitFiles(repo, { [`${name}.yaml`]: job(name, shape) }, name)
    const { id } = await runOf(name)
    const { code, stderr } = await drover.cli('wait', `run/${id}`, '--timeout', '60s')
    return { run: await runOf(name), code, said: stderr }
  }

  it.each([
    ['eater', 'processes', { command: [process.execPath, '-e', EATER], resources: { limits: { memory: '64Mi' } }, isolation: 'cgroup' }],
    [
      'eater-in-a-box',
      'containers',
      {
        image: 'drover-example/busybox:1',
        command: ['sh', '-c', 'echo eating >&2; x=a; while :; do x=$x$x; done'],
        resources: { limits: { memory: '64Mi' } },
      },
    ],
  ] as const)('%s: killed for lack of memory, with its last words and what it used', async (name, runtime, unit) => {
    const { run, code, said } = await ran(name, { runtime, unit, backoffLimit: 1 })
    expect(code).toBe(3)
    expect(said).toMatch(/failed: BackoffLimitExceeded \(OOMKilled\), exit code 137 \(SIGKILL\), 2 attempts in \d+s\n$/)
    expect(run.attempts).toMatchObject([1, 2].map((attempt) => ({ attempt, exitCode: 137, signal: 'SIGKILL', reason: 'OOMKilled' })))
    for (const { peakMemoryBytes } of run.attempts) expect(peakMemoryBytes ?? 0).toBeLessThanOrEqual(64 * MIB)
    if (runtime === 'processes') for (const { peakMemoryBytes } of run.attempts) expect(peakMemoryBytes).toBeGreaterThan(56 * MIB)
    const { stdout } = await drover.cli('describe', `run/${run.id}`)
    expect(stdout).toMatch(/attempt 2: OOMKilled, exit code 137 \(SIGKILL\), ran \d+s/)
    expect((await drover.cli('get', 'runs', '-o', 'wide')).stdout).toMatch(new RegExp(`${name} .*BackoffLimitExceeded .*SIGKILL`))
    const [task] = (await drover.tasks()).filter(({ run: of }) => of === run.id)
    expect((await drover.cli('describe', `task/${task?.id}`)).stdout).toContain('attempt 1: OOMKilled, exit code 137 (SIGKILL)')
    expect((await drover.cli('logs', `job/${name}`, '--attempt', '1')).stdout).toBe('eating\n')
  })

  it('of a container that ran for a while: the memory that it held', async () => {
    const command = ['sh', '-c', 'x=$(head -c 16777216 /dev/zero | tr "\\0" x); sleep 2; echo held']
    const { run, code, said } = await ran('holder-in-a-box', {
      runtime: 'containers',
      unit: { image: 'drover-example/busybox:1', command },
    })
    expect({ code, said }).toEqual({ code: 0, said: expect.stringMatching(/succeeded: 1 attempt in \d+s\n$/) })
    expect(run.attempts[0]?.peakMemoryBytes).toBeGreaterThan(16 * MIB)
  })

  it('is whole also when it ended while no Drover ran', async () => {
    const unit = { command: [process.execPath, '-e', HOLDER], env: [{ name: 'END', value: end }], isolation: 'cgroup' }
    commitFiles(repo, { 'holder.yaml': job('holder', { runtime: 'processes', unit }) }, 'holder')
    const { id } = await runOf('holder')
    await waitUntil(async () => (await drover.cli('logs', `run/${id}`)).stdout === `holds ${64 * MIB}\n`)
    await drover.end('SIGKILL')
    writeFileSync(end, '')
    await drover.start()
    expect((await drover.cli('wait', `run/${id}`)).code).toBe(3)
    const [attempt] = (await runOf('holder')).attempts
    expect(attempt).toMatchObject({ exitCode: 7, reason: 'Error' })
    expect(attempt?.peakMemoryBytes).toBeGreaterThan(64 * MIB)
    expect((await drover.cli('logs', `run/${id}`)).stdout).toBe(`holds ${64 * MIB}\nends\n`)
  })

  it.each(['processes', 'containers'] as const)('in %s: logs of a run while it goes on, after it, and by time', async (runtime) => {
    const name = `talkers-in-${runtime}`
    const image = runtime === 'containers' ? { image: 'drover-example/busybox:1' } : {}
    const unit = { ...image, command: ['sh', '-c', 'echo begins; sleep 4; echo ends; exit 0'] }
    commitFiles(repo, { [`${name}.yaml`]: job(name, { runtime, parts: 2, unit }) }, name)
    const { id } = await runOf(name)
    const followed = await drover.cli('logs', `run/${id}`, '-f')
    const run = await runOf(name)
    expect(run.phase).toBe('Succeeded')
    const tasks = run.attempts.map(({ task }) => task)
    const expected = tasks.flatMap((task) => [`${task} begins`, `${task} ends`])
    expect(followed.stdout.trimEnd().split('\n').toSorted()).toEqual(expected.toSorted())
    const after = await drover.cli('logs', `run/${id}`, '-o', 'json')
    const lines = after.stdout
      .trimEnd()
      .split('\n')
      .map((text): { task: string; at: number; text: string } => JSON.parse(text))
    expect(lines.map(({ task, text }) => `${task} ${text}`).toSorted()).toEqual(expected.toSorted())
    for (const task of new Set(tasks)) {
      const [begins, ends] = lines.filter((line) => line.task === task).map(({ at }) => at)
      const between = new Date(((begins ?? 0) + (ends ?? 0)) / 2).toISOString()
      expect((await drover.cli('logs', `task/${task}`, '--since', between)).stdout).toBe('ends\n')
      expect((await drover.cli('logs', `task/${task}`, '--until', between, '--timestamps')).stdout).toMatch(/^[\dT:.-]+Z begins\n$/)
    }
  })
})
