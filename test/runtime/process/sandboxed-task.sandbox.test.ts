import { chmod, mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { Handle, Prepared, ProbeResult } from '../../../runtime/driver.ts'
import { childrenOf } from '../../../runtime/drivers/process/proc.ts'
import { Oid } from '../../../src/model/ids.ts'
import type { TaskSpec, UnitSpec } from '../../../src/model/task-spec.ts'
import { TEST_KEYRING } from '../../support/vault.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { processSpec } from './harness.ts'
import { NONE, never, pidsWith, type Setup, uniqueSeconds, Workbench } from './workbench.ts'

const SANDBOX: Partial<UnitSpec> = { isolation: 'sandbox' }
const shell = (text: string): string[] => ['sh', '-c', text]

let bench: Workbench
const open = async (setup: (root: string) => Setup = () => ({})): Promise<void> => {
  bench = await Workbench.open(({ stateDir }) => setup(dirname(stateDir)))
}
afterEach(() => bench.close())

describe('what a sandboxed task has', () => {
  it('a folder, a home and a /tmp of its own, and a little of the machine', async () => {
    await open()
    const { out } = await bench.run(
      shell('pwd; echo "$HOME $TMPDIR"; id -u; umask; touch here /tmp/there /dev/shm/x && ls / /tmp | tr "\\n" " "'),
      SANDBOX,
    )
    const [cwd, places, uid, umask, seen] = out
    expect([cwd, places, uid, umask]).toEqual(['/work', '/work /tmp', '65534', '0022'])
    expect(seen).toMatch(/^\/: bin dev etc lib\S*( lib\S*)* proc (run )?(sbin )?tmp usr work {2}\/tmp: there $/)
    expect(await readdir(join(bench.paths.dir, 'work'))).toEqual(['here'])
    expect(await readdir(join(bench.paths.dir, 'tmp'))).toEqual(['there'])
  })

  it('namespaces of its own, and the network of the machine unless it says otherwise', async () => {
    await open()
    const names = ['pid', 'mnt', 'ipc', 'uts', 'net']
    const ofMachine = await Promise.all(names.map((name) => readlink(`/proc/self/ns/${name}`)))
    const shared = async (network: 'Host' | 'None') => {
      const { out } = await bench.run(shell(`for n in ${names.join(' ')}; do readlink /proc/self/ns/$n; done`), {
        ...SANDBOX,
        sandbox: { network, hostPaths: [] },
      })
      await bench.driver.remove(bench.ref)
      return names.filter((_, index) => out[index] === ofMachine[index])
    }
    expect([await shared('Host'), await shared('None')]).toEqual([['net'], []])
  })

  it.each([
    ['nobody', '65534 65534 65534'],
    ['root', '0 0 0'],
    ['root:nogroup', '0 65534 65534'],
  ])('as %s no rights, and none to win', async (user, ids) => {
    await open()
    const { out } = await bench.run(
      shell('grep -E "^(Cap|NoNewPrivs)" /proc/self/status | cut -f 2 | sort -u | tr "\\n" " "; echo; echo "$(id -u) $(id -g) $(id -G)"'),
      {
        ...SANDBOX,
        user,
      },
    )
    expect(out).toEqual(['0000000000000000 1 ', ids])
  })

  it('no variable but those of its manifest, of Drover, and what the policy passes on', async () => {
    const passEnvironment = ['HTTPS_PROXY', 'NOT_THERE']
    await open(() => ({
      policy: { passEnvironment },
      env: { ...process.env, HTTPS_PROXY: 'http://proxy:3128', LANG: 'de', SECRET: 'canary' },
    }))
    const { out } = await bench.run(['env'], { ...SANDBOX, env: { MINE: '1' } })
    const names = out.map((line) => line.split('=')[0]).sort()
    expect(names).toEqual(['DROVER_ATTEMPT', 'DROVER_MARK', 'DROVER_TASK', 'HOME', 'HTTPS_PROXY', 'LANG', 'MINE', 'PATH', 'TMPDIR'])
    expect(out).toEqual(expect.arrayContaining(['LANG=C.UTF-8', 'HTTPS_PROXY=http://proxy:3128']))
  })

  it('the program and the files that came with it, as its own', async () => {
    await open()
    const tree = Oid.parse('a'.repeat(40))
    const source = join(dirname(bench.harness.stateDir), 'tree')
    await mkdir(join(source, 'bin'), { recursive: true })
    await writeFile(join(source, 'bin/run'), '#!/bin/sh\npwd; echo more >> ../data && cat ../data; exit 3\n')
    await chmod(join(source, 'bin/run'), 0o555)
    await writeFile(join(source, 'data'), 'shipped\n')
    const artifacts = [{ tree, destination: 'app' }]
    const files: Prepared = { ...NONE, artifacts: { [tree]: source } }
    const relative = await bench.run(['./run'], { ...SANDBOX, artifacts, workingDir: 'app/bin' }, files)
    expect(relative).toMatchObject({ exit: { exitCode: 3 }, out: ['/work/app/bin', 'shipped', 'more'] })
    for (const found of [{ env: { PATH: '/work/app/bin:/usr/bin:/bin' } }, { workingDir: '/work/app/bin' }]) {
      await bench.driver.remove(bench.ref)
      const command = found.env === undefined ? ['/work/app/bin/run'] : ['run']
      expect((await bench.run(command, { ...SANDBOX, artifacts, workingDir: 'app/bin', ...found }, files)).exit.exitCode).toBe(3)
    }
  })

  it('its secret variables, which stand in no argument, and no way to where others wait for their shim', async () => {
    await open()
    const value = `canary'" \n$HOME`
    const prepared: Prepared = { artifacts: {}, secrets: new Map([['default/db/password', value]]) }
    const secretEnv = { PASSWORD: TEST_KEYRING.seal('default/db/password', value) }
    const { out } = await bench.run(
      shell('printf "%s" "$PASSWORD"; echo; cat /proc/1/cmdline | tr "\\0" " "; ls -d /run/drover-*'),
      { ...SANDBOX, secretEnv },
      prepared,
    )
    const [first, second, ...rest] = out
    expect(`${first}\n${second}`).toBe(value)
    expect(rest.join()).not.toContain('canary')
    expect(rest.join()).toContain('No such file or directory')
  })

  it('limits of each of its processes', async () => {
    await open()
    const ulimits = { nofile: 77, nproc: 1234, core: 0, fsize: 4096 }
    expect((await bench.run(shell('ulimit -n; ulimit -p; ulimit -c; ulimit -f'), { ...SANDBOX, ulimits })).out).toEqual([
      '77',
      '1234',
      '0',
      '8',
    ])
  })
})

describe('paths of the machine in a sandbox', () => {
  const shared = async (root: string): Promise<string> => {
    const path = join(root, 'shared')
    await mkdir(path)
    await writeFile(join(path, 'file'), 'of the machine')
    for (const folder of [root, path]) await chmod(folder, 0o777)
    return path
  }
  const asking = (path: string, readOnly: boolean): Partial<UnitSpec> => ({
    ...SANDBOX,
    sandbox: { network: 'Host', hostPaths: [{ path, readOnly }] },
  })
  const refusal = (unit: Partial<UnitSpec>) => expect(bench.driver.prepare(processSpec(['true'], unit), never())).rejects

  it('are seen, and written to where both sides say so', async () => {
    await open((root) => ({ policy: { hostPaths: [{ path: join(root, 'shared'), readOnly: false }] } }))
    const path = await shared(dirname(bench.harness.stateDir))
    const words = shell(`cat ${path}/file; echo; echo written > ${path}/new; ls ${path}`)
    // Both streams in the order of time, which two that speak at once may not have.
    const { out } = await bench.run(words, asking(path, true))
    expect(out.filter((line) => !line.includes('Read-only'))).toEqual(['of the machine', 'file'])
    expect(out).toContainEqual(expect.stringContaining('Read-only'))
    await bench.driver.remove(bench.ref)
    expect((await bench.run(words, asking(path, false))).out).toEqual(['of the machine', 'file', 'new'])
    expect(await readFile(join(path, 'new'), 'utf8')).toBe('written\n')
  })

  it('S-12: are refused where the policy does not list them, or only to be read', async () => {
    await open((root) => ({ policy: { hostPaths: [join(root, 'shared'), join(root, 'gone')].map((path) => ({ path, readOnly: true })) } }))
    const path = await shared(dirname(bench.harness.stateDir))
    const code = { code: 'HostPathNotAllowed' }
    await refusal(asking('/etc', true)).toMatchObject(code)
    await refusal(asking(join(path, 'file'), true)).toMatchObject(code)
    await refusal(asking(path, false)).toMatchObject({ ...code, message: expect.stringContaining('readOnly: true') })
    await refusal(asking(join(dirname(path), 'gone'), true)).toMatchObject({ code: 'HostPathMissing' })
  })

  it('S-12: are refused where they hold the state of the agent, whatever the policy says', async () => {
    await open((root) => ({
      policy: { hostPaths: [root, join(root, 'state'), join(root, 'state/attempts')].map((path) => ({ path, readOnly: true })) },
    }))
    await mkdir(join(bench.harness.stateDir, 'attempts'), { recursive: true })
    for (const path of [dirname(bench.harness.stateDir), bench.harness.stateDir, join(bench.harness.stateDir, 'attempts')])
      await refusal(asking(path, true)).toMatchObject({ code: 'HostPathNotAllowed', message: expect.stringContaining('its own state') })
  })

  it('bring programs along, which are not found without them', async () => {
    await open((root) => ({ policy: { hostPaths: [{ path: join(root, 'shared'), readOnly: false }] } }))
    const path = await shared(dirname(bench.harness.stateDir))
    await writeFile(join(path, 'tool'), '#!/bin/sh\nexit 6\n', { mode: 0o755 })
    await refusal(SANDBOX).resolves
    await expect(bench.driver.prepare(processSpec([join(path, 'tool')], SANDBOX), never())).rejects.toMatchObject({
      code: 'ProgramNotFound',
      message: expect.stringContaining('that its sandbox can see'),
    })
    expect((await bench.run([join(path, 'tool')], asking(path, true))).exit.exitCode).toBe(6)
  })
})

describe('the processes of a sandbox', () => {
  const shimPid = async (): Promise<number> => Number((await readFile(bench.paths.claim, 'utf8')).split(' ')[1])

  it('hear of a stop that comes while it is still being made', async () => {
    await open()
    for (let round = 0; round < 5; round += 1) {
      const handle = await bench.start(processSpec(['sleep', uniqueSeconds()], SANDBOX))
      await bench.driver.stop(handle, 3_600_000)
      expect(await bench.driver.wait(handle, never())).toMatchObject({ exitCode: 143, signal: 'SIGTERM' })
      await bench.driver.remove(bench.ref)
    }
  })

  it('end by themselves on TERM, with what they say of it', async () => {
    await open()
    const seconds = uniqueSeconds()
    const handle = await bench.start(processSpec(shell(`trap "echo told; exit 5" TERM; sleep ${seconds} & wait`), SANDBOX))
    await waitUntil(async () => (await pidsWith('sleep', seconds)).length === 1)
    await bench.driver.stop(handle, 3_600_000)
    expect(await bench.driver.wait(handle, never())).toMatchObject({ exitCode: 5, signal: null, reason: 'Error' })
    expect(await bench.output(handle)).toEqual(['told'])
    expect(await pidsWith('sleep', seconds)).toEqual([])
  })

  it.each([
    ['its shim', async () => shimPid(), { exitCode: null, reason: 'LostUnknownExit' }],
    ['its monitor', async () => (await childrenOf(await shimPid()))[0] ?? 0, { exitCode: 137, reason: 'Error' }],
  ])('all end with %s', async (_, victim, exit) => {
    await open()
    const seconds = uniqueSeconds()
    const daemon = shell(`(setsid env -i sleep ${seconds} &); exec sleep ${seconds}`)
    const handle = await bench.start(processSpec(daemon, SANDBOX))
    await waitUntil(async () => (await pidsWith('sleep', seconds)).length === 2)
    process.kill(await victim(), 'SIGKILL')
    await waitUntil(async () => (await pidsWith('sleep', seconds)).length === 0)
    expect(await bench.driver.wait(handle, never())).toMatchObject(exit)
  })
})

describe('the command of a probe of a sandboxed task', () => {
  const asked = (handle: Handle, spec: TaskSpec, text: string): Promise<ProbeResult> =>
    bench.driver.probe(handle, { check: { type: 'exec', command: shell(text) }, spec, secrets: new Map() }, never())

  it.each([
    ['nobody', 'Host'],
    ['root', 'None'],
  ] as const)('sees what the task sees and may what it may, as %s with network %s', async (user, network) => {
    await open()
    const seconds = uniqueSeconds()
    const spec = processSpec(shell(`echo mine > file; exec sleep ${seconds}`), { ...SANDBOX, user, sandbox: { network, hostPaths: [] } })
    const handle = await bench.start(spec)
    await waitUntil(async () => (await pidsWith('sleep', seconds)).length === 1)
    const passes = [
      'test "$(cat file)" = mine && test "$(pwd)" = /work && test "$HOME" = /work',
      `test "$(tr "\\0" " " < /proc/2/cmdline)" = "sleep ${seconds} "`,
      `test "$(id -un)" = ${user}`,
      'test "$(grep -E "^(Cap|NoNewPrivs)" /proc/self/status | cut -f 2 | sort -u | tr "\\n" " ")" = "0000000000000000 1 "',
      `test ! -e ${bench.harness.stateDir} && test ! -e /root`,
      '! touch /etc/x 2> /dev/null',
      'test "$(readlink /proc/self/ns/net)" = "$(readlink /proc/2/ns/net)"',
      'test "$(readlink /proc/self/ns/mnt)" = "$(readlink /proc/2/ns/mnt)"',
    ]
    for (const text of passes) expect(await asked(handle, spec, text), text).toEqual({ passed: true })
  })

  it('waits for a sandbox that is still being made, and never sees the machine in it', async () => {
    await open()
    for (let round = 0; round < 10; round += 1) {
      const spec = processSpec(['sleep', uniqueSeconds()], SANDBOX)
      const handle = await bench.start(spec)
      expect(await asked(handle, spec, `test "$(pwd)" = /work && test ! -e ${bench.harness.stateDir}`)).toEqual({ passed: true })
      await bench.driver.remove(bench.ref)
    }
  })

  it('fails once there is no sandbox any more', async () => {
    await open()
    const spec = processSpec(['true'], SANDBOX)
    const handle = await bench.start(spec)
    await bench.driver.wait(handle, never())
    expect(await asked(handle, spec, 'true')).toEqual({ passed: false, message: 'the process does not run' })
  })
})
