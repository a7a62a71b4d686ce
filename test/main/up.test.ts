import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { portOf } from '../support/etcd.ts'
import { makeRepo, scratchFolder } from '../support/git-repo.ts'

const root = join(import.meta.dirname, '../..')
const scratch = scratchFolder()
afterAll(() => scratch.remove())

/** The real program from its sources, until it ends by itself. */
async function droverUp(...args: string[]): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', join(root, 'src/main.ts'), 'up', ...args], {
    cwd: root,
    env: { ...process.env, DROVER_LOG: 'silent', DOCKER_HOST: `unix://${scratch.path}/no-docker.sock` },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  try {
    const [code] = await once(child, 'close', { signal: AbortSignal.timeout(45_000) })
    return { code, stderr }
  } finally {
    child.kill('SIGKILL')
  }
}

it('ends with an error, and does not hang, when its port is taken', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { path } = makeRepo(join(scratch.path, 'repo'))
  const listen = `127.0.0.1:${portOf(other)}`
  const { code, stderr } = await droverUp('--repo', path, '--data-dir', join(scratch.path, 'data'), '--listen', listen)
  other.close()
  expect({ code, stderr }).toEqual({ code: 1, stderr: `error: ${listen} is taken: another program, or another drover, listens there\n` })
})
