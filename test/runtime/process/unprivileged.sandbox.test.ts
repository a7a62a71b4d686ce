import { execFile } from 'node:child_process'
import { chmod, chown, mkdir, mkdtemp, readlink, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { probeCgroups, removeBases } from '../../../runtime/drivers/process/cgroup-tree.ts'
import { layoutOf } from '../../../runtime/drivers/process/names.ts'
import { compile } from '../../support/compile.ts'

const NOBODY = 65534

describe('an agent that is not root, with cgroups that root has given to it', () => {
  let compiled: string
  let root: string
  const stateDir = () => join(root, 'state')
  const cgroups = async () => (await probeCgroups(`drover-unprivileged-${layoutOf(stateDir()).mark}`)).tree

  beforeAll(async () => {
    if (process.getuid?.() !== 0) throw new Error('this test gives cgroups to another user, which only root may do: run the tests as root')
    compiled = await compile(new URL('unprivileged.ts', import.meta.url))
    await chmod(compiled, 0o755)
    root = await mkdtemp('/var/tmp/drover-unprivileged-')
    await mkdir(stateDir())
    for (const folder of [root, stateDir()]) await chown(folder, NOBODY, NOBODY)
    for (const { base } of await cgroups()) await chown(base, NOBODY, NOBODY)
  }, 60_000)
  afterAll(async () => {
    await removeBases(await cgroups())
    for (const folder of [compiled, root]) await rm(folder, { recursive: true })
  })

  it.each(['Host', 'None'])('runs sandboxes and probes in them, with network %s', async (network) => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [join(compiled, 'test/runtime/process/unprivileged.js'), stateDir(), network],
      { uid: NOBODY, gid: NOBODY, cwd: '/' },
    )
    const { probed, exit, lines } = JSON.parse(stdout)
    const [state, rights = ''] = lines
    expect(exit).toMatchObject({ exitCode: 143, signal: 'SIGTERM' })
    expect(state).toContain('No such file or directory')
    expect(rights).toMatch(/^65534 0000000000000000 1 net:/)
    expect(probed).toEqual({ passed: false, message: `exit code 1: ${rights}` })
    expect(rights.endsWith(await readlink('/proc/self/ns/net'))).toBe(network === 'Host')
  })
})
