import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const root = join(import.meta.dirname, '../..')

it('ends quietly when its reader has seen enough', async () => {
  const child = spawn(process.execPath, ['--import', 'tsx', join(root, 'src/main.ts'), 'schema'], { cwd: root })
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdout.destroy()
  const [code] = await once(child, 'close', { signal: AbortSignal.timeout(15_000) })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
})
