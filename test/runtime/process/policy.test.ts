import { mkdir, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { must } from '../../../src/lib/must.ts'
import type { UnitSpec } from '../../../src/model/task-spec.ts'
import { findProgram } from '../../support/setup/install.mjs'
import { processSpec } from './harness.ts'
import { NONE, never, type Setup, Workbench } from './workbench.ts'

const ROOT = process.getuid?.() === 0

let bench: Workbench
const open = async (setup: Setup = {}): Promise<void> => {
  bench = await Workbench.open(() => setup)
}
afterEach(() => bench.close())

const refusal = (unit: Partial<UnitSpec>, command = ['true']) => expect(bench.driver.prepare(processSpec(command, unit), never())).rejects

describe('what an agent refuses', () => {
  it('S-9: everything, unless processes are allowed', async () => {
    await open()
    const closed = bench.harness.make({ policy: null })
    const code = { code: 'ProcessesNotAllowed' }
    await expect(closed.prepare(processSpec(['true']), never())).rejects.toMatchObject(code)
    await expect(closed.start(bench.ref, processSpec(['true']), NONE)).rejects.toMatchObject(code)
    const { available, detail } = await closed.fingerprint(never())
    expect({ available, why: detail.split(':')[0] }).toEqual({ available: false, why: code.code })
    await closed.close()
  })

  it('an unknown program, user or working directory, and a volume, each with its code', async () => {
    await open()
    await refusal({}, ['no-such-program']).toMatchObject({ code: 'ProgramNotFound' })
    await refusal({ user: 'nobody-at-all' }).toMatchObject({ code: 'UserNotFound' })
    await refusal({ mounts: [{ volume: 'v', mountPath: '/v', readOnly: true }] }).toMatchObject({ code: 'UnsupportedSpec' })
    const start = (command: string[], unit: Partial<UnitSpec> = {}) => expect(bench.start(processSpec(command, unit))).rejects
    await start(['true'], { workingDir: '../..' }).toMatchObject({ code: 'BadWorkingDir' })
    await start(['./not-shipped']).toMatchObject({ code: 'ProgramNotFound' })
    expect(await bench.driver.owned()).toEqual([])
  })

  it('S-9: root, other users, no user and other programs, when its policy says so', async () => {
    await open({ policy: { runAsNonRoot: true, users: ['nobody', 'root'], programs: ['/opt/jobs'] } })
    if (ROOT) await refusal({ user: 'root' }).toMatchObject({ code: 'RootNotAllowed' })
    await refusal({ user: 'daemon' }).toMatchObject({ code: 'UserNotAllowed' })
    await refusal({}).toMatchObject({ code: 'UserNotAllowed', message: expect.stringContaining('nobody, root') })
    if (ROOT) await refusal({ user: 'nobody' }).toMatchObject({ code: 'ProgramNotAllowed' })
  })

  it.each(['4294967295', '4294967296', '65534:4294967295', '65534:4294967296'])(
    'user %s, whose number the kernel would take for none or for root',
    async (user) => {
      await open({ policy: { runAsNonRoot: true } })
      await refusal({ user }).toMatchObject({ code: 'UserNotFound', message: expect.stringContaining('4294967294 is the highest') })
    },
  )

  it('root by default, where root is not wanted', async () => {
    await open({ policy: { runAsNonRoot: true } })
    if (ROOT) await refusal({}).toMatchObject({ code: 'RootNotAllowed' })
  })

  it('a weaker isolation than its policy wants, and gives that to a task that names none', async () => {
    await open({ policy: { minIsolation: 'cgroup' } })
    await refusal({ isolation: 'none' }).toMatchObject({ code: 'IsolationNotAllowed' })
    expect((await bench.driver.fingerprint(never())).isolation).toMatchObject({ minimum: 'cgroup' })
    expect((await bench.run(['cat', '/proc/self/cgroup'], {})).out.join()).toContain(bench.paths.key)
  })

  it('a sandbox where there is no bwrap, and says so before it is asked', async () => {
    await open()
    const bin = join(dirname(bench.harness.stateDir), 'bin')
    await mkdir(bin)
    for (const program of ['sh', 'env', 'true', 'setsid', 'setpriv', 'prlimit', 'nsenter'])
      await symlink(must(await findProgram(program), `${program} is on this machine`), join(bin, program))
    const bare = bench.harness.make({ env: { PATH: bin } })
    expect(await bare.fingerprint(never())).toMatchObject({
      available: true,
      detail: expect.stringContaining('no sandbox: install bubblewrap'),
      isolation: { offered: expect.not.arrayContaining(['sandbox']) },
    })
    const asked = bare.prepare(processSpec(['true'], { isolation: 'sandbox' }), never())
    await expect(asked).rejects.toMatchObject({ code: 'NoSandbox', message: expect.stringContaining('install bubblewrap') })
    await bare.close()
  })
})

describe('what an agent gives', () => {
  it('the user of its policy to a task that names none', async () => {
    await open({ policy: { defaultUser: 'nobody', users: ['daemon'] } })
    if (!ROOT) throw new Error('this test runs a task as another user, which only root may do: run the tests as root')
    expect((await bench.run(['id', '-un'], {})).out).toEqual(['nobody'])
  })

  it('no variables of its own but those that its policy passes on, which a manifest may set anew', async () => {
    const env = { ...process.env, HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: '*', TZ: 'UTC', SECRET: 'canary' }
    await open({ policy: { passEnvironment: ['HTTPS_PROXY', 'NO_PROXY', 'NOT_THERE'] }, env })
    const { out } = await bench.run(['env'], { env: { NO_PROXY: 'localhost' } })
    expect(out).toEqual(expect.arrayContaining(['HTTPS_PROXY=http://proxy:3128', 'NO_PROXY=localhost']))
    expect(out.filter((line) => /^(TZ|SECRET|NOT_THERE)=/.test(line))).toEqual([])
  })
})
