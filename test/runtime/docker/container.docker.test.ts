import { spawnSync } from 'node:child_process'
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { downloadKey } from '../../../runtime/artifacts/downloads.ts'
import { type AttemptRef, type Driver, type Exit, type Handle, WHOLE_LOG } from '../../../runtime/driver.ts'
import { createPeaks } from '../../../runtime/drivers/docker/peaks.ts'
import { cgroupOf } from '../../../runtime/drivers/docker/usage.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { Oid } from '../../../src/model/ids.ts'
import type { TaskSpec } from '../../../src/model/task-spec.ts'
import { freePort } from '../../support/free-port.ts'
import { TEST_KEYRING } from '../../support/vault.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { collect, errorOf, never, newRef, texts } from '../driver-suite/bench.ts'
import { containerSpec, type DockerHarness, dockerHarness, script } from './harness.ts'

describe('docker driver: what runs in the container', () => {
  let harness: DockerHarness
  let driver: Driver
  let ref: AttemptRef

  beforeEach(async () => {
    harness = await dockerHarness()
    driver = await harness.create()
    ref = newRef()
  })
  afterEach(async () => {
    await driver.close()
    await harness.destroy()
  })

  async function start(spec: TaskSpec, artifacts: Readonly<Record<string, string>> = {}): Promise<Handle> {
    await driver.prepare(spec, never())
    return driver.start(ref, spec, { artifacts, secrets: new Map() })
  }
  async function run(spec: TaskSpec, artifacts?: Readonly<Record<string, string>>): Promise<{ exit: Exit; out: string[]; err: string[] }> {
    const handle = await start(spec, artifacts)
    const exit = await driver.wait(handle, never())
    const lines = await collect(driver.logs(handle, WHOLE_LOG, never()))
    return { exit, out: texts(lines, 'stdout'), err: texts(lines, 'stderr') }
  }
  const inspect = (handle: Handle) => harness.docker.getContainer(handle.ref).inspect()

  it('answers on its published host port, on the network of its own', async () => {
    const port = await freePort()
    const ports = [{ name: 'http', containerPort: 8080, hostPort: port, protocol: 'TCP' as const }]
    const handle = await start(containerSpec({ ...script('exec httpd -f -p 8080 -h /www'), ports }, { hostNetwork: false }))
    await waitUntil(async () => (await (await fetch(`http://127.0.0.1:${port}/`)).text()) === 'hello from drover\n')
    expect(Object.keys((await inspect(handle)).NetworkSettings.Networks)).toEqual(['drover'])
  })

  it('gives the environment, working directory, user and arguments as they are, to no shell', async () => {
    const hostile = '$(touch /tmp/pwned) `id` "; rm -rf / #'
    const { out } = await run(
      containerSpec({
        command: ['sh', '-c', 'pwd; id -u; id -g; printf "%s\\n" "$HOSTILE" "$DROVER_ATTEMPT" "$1"', 'sh'],
        args: [hostile],
        env: { HOSTILE: hostile, WITH: 'a=b\nc' },
        workingDir: '/www',
        user: '65534:65534',
      }),
    )
    expect(out).toEqual(['/www', '65534', '65534', hostile, '1', hostile])
  })

  it('S-12, D8, A12: is hardened, limited, and leaves exits and restarts to Drover', async () => {
    const limits = { cpuMillis: 500, memoryBytes: 64 * 1024 * 1024 }
    const handle = await start(containerSpec({ ...script('exec sleep 100000'), limits }))
    const { HostConfig: host } = await inspect(handle)
    expect(host).toMatchObject({
      AutoRemove: false,
      RestartPolicy: { Name: 'no' },
      Privileged: false,
      Init: true,
      CapDrop: ['NET_RAW'],
      SecurityOpt: ['no-new-privileges'],
      PidsLimit: 4096,
      OomScoreAdj: 100,
      Memory: limits.memoryBytes,
      MemorySwap: limits.memoryBytes,
      NanoCpus: 500_000_000,
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } },
    })
    expect([host.CapAdd, host.Devices ?? [], host.DeviceRequests ?? [], host.Binds, host.VolumesFrom]).toEqual([null, [], [], null, null])
    expect([host.PidMode, host.IpcMode, host.UTSMode, host.UsernsMode]).toEqual(['', 'private', '', ''])
    expect([host.SecurityOpt, host.Sysctls ?? {}, host.CgroupParent ?? '']).toEqual([['no-new-privileges'], {}, ''])
  })

  it('A12: ends as OOMKilled when it takes more memory than it may', async () => {
    const eat = script('x=a; while :; do x=$x$x; done')
    const { exit } = await run(containerSpec({ ...eat, limits: { memoryBytes: 16 * 1024 * 1024 } }))
    expect(exit).toMatchObject({ reason: 'OOMKilled', exitCode: 137, signal: 'SIGKILL' })
  })

  it('shows a configuration as files that cannot be written, whoever the task runs as', async () => {
    const volumes = [{ type: 'files' as const, name: 'config', files: { 'app.conf': 'level=1\n', other: 'x' } }]
    const mounts = [
      { volume: 'config', mountPath: '/etc/app', readOnly: true },
      { volume: 'config', mountPath: '/one.conf', subPath: 'app.conf', readOnly: true },
    ]
    const look = script('ls -l /etc/app | cut -c1-10; cat /etc/app/app.conf /one.conf; echo no > /etc/app/app.conf')
    const { out, err } = await run(containerSpec({ ...look, user: 'nobody', mounts }, { volumes }))
    expect(out.slice(1)).toEqual(['-rw-r--r--', '-rw-r--r--', 'level=1', 'level=1'])
    expect(err.join()).toMatch(/Read-only file system/)
  })

  it('S-17: gives secrets as variables and as files in memory, to the task alone and no longer than it', async () => {
    const [variable, file] = [TEST_KEYRING.seal('default/db/user', 'x'), TEST_KEYRING.seal('default/db/key.pem', 'x')]
    const secrets = new Map([
      [variable.of, 'canary variable'],
      [file.of, 'canary\nfile\n'],
    ])
    const mounts = [{ volume: 'db', mountPath: '/secrets', readOnly: true }]
    const look = script(
      'printf "%s\\n" "$DB_USER"; cat /secrets/key.pem; grep " /secrets " /proc/mounts | cut -d" " -f1,3,4; exec sleep 1000',
    )
    const spec = containerSpec(
      { ...look, user: 'nobody', secretEnv: { DB_USER: variable }, mounts },
      { volumes: [{ type: 'secret', name: 'db', files: { 'key.pem': file } }] },
    )
    await driver.prepare(spec, never())
    const handle = await driver.start(ref, spec, { artifacts: {}, secrets })
    const said = async () => texts(await collect(driver.logs(handle, WHOLE_LOG, never())), 'stdout')
    await waitUntil(async () => (await said()).length === 4)
    expect(await said()).toEqual(['canary variable', 'canary', 'file', expect.stringMatching(/^tmpfs tmpfs ro/)])
    const { Mounts } = await inspect(handle)
    const source = Mounts.find(({ Destination }) => Destination === '/secrets')?.Source ?? ''
    expect((await stat(join(source, 'key.pem'))).isFile()).toBe(true)
    expect(spawnSync('grep', ['-rl', 'canary', harness.stateDir], { encoding: 'utf8' })).toMatchObject({ status: 1, stdout: '' })
    await driver.stop(handle, 0)
    await driver.remove(ref)
    await expect(stat(source)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('keeps an emptyDir over restarts in place, and no longer than the task', async () => {
    const volumes = [{ type: 'emptyDir' as const, name: 'work' }]
    const mounts = [{ volume: 'work', mountPath: '/data', subPath: 'a/b', readOnly: false }]
    const spec = containerSpec({ ...script('echo $DROVER_ATTEMPT >> /data/seen; cat /data/seen'), user: 'nobody', mounts }, { volumes })
    const first = ref
    await run(spec)
    ref = { ...first, attempt: 2 }
    expect((await run(spec)).out).toEqual(['1', '2'])
    await driver.remove(first)
    await driver.remove(ref)
    ref = first
    expect((await run(spec)).out).toEqual(['1'])
  })

  it('S-12, S-16: does not follow a link that a task left in its volume out onto the machine', async () => {
    const volumes = [{ type: 'emptyDir' as const, name: 'work' }]
    const whole = [{ volume: 'work', mountPath: '/data', readOnly: false }]
    await run(containerSpec({ ...script('ln -s /etc /data/way; ln -s /nowhere /data/dangling'), mounts: whole }, { volumes }))
    ref = { ...ref, attempt: 2 }
    for (const subPath of ['way', 'way/ssh', 'dangling', '../../..', 'a/../../x']) {
      const mounts = [{ volume: 'work', mountPath: '/data', subPath, readOnly: false }]
      const spec = containerSpec({ ...script('ls /data'), mounts }, { volumes })
      expect(await errorOf(start(spec)), subPath).toMatchObject({ code: 'InvalidVolume' })
    }
  })

  it('mounts a tree of the repository read-only where it is wanted', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'drover-tree-'))
    const tree = Oid.parse('a'.repeat(40))
    await writeFile(join(folder, 'job.sh'), 'echo from the tree\n', { mode: 0o644 })
    try {
      const artifacts = [{ tree, destination: '/app' }]
      const { out, err } = await run(containerSpec({ ...script('sh /app/job.sh; touch /app/x'), artifacts }), { [tree]: folder })
      expect(out).toEqual(['from the tree'])
      expect(err.join()).toMatch(/Read-only file system/)
      ref = newRef()
      expect(await errorOf(start(containerSpec({ artifacts })))).toMatchObject({ code: 'ArtifactMissing' })
      for (const destination of ['relative', '/', '/..']) {
        const spec = containerSpec({ artifacts: [{ tree, destination }] })
        expect(await errorOf(start(spec, { [tree]: folder }))).toMatchObject({ code: 'InvalidVolume' })
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  it('mounts a file that was fetched beside what the image has in its folder', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'drover-download-'))
    const download = { url: 'https://files.example/tool', sha256: 'c'.repeat(64), form: 'executable' as const }
    await writeFile(join(folder, 'tool'), '#!/bin/sh\necho from elsewhere\n')
    await chmod(join(folder, 'tool'), 0o755)
    try {
      const artifacts = [{ download, destination: '/bin/fetched' }]
      const { out, err } = await run(containerSpec({ ...script('fetched; echo x > /bin/fetched'), artifacts }), {
        [downloadKey(download)]: join(folder, 'tool'),
      })
      expect(out).toEqual(['from elsewhere'])
      expect(err.join()).toMatch(/Read-only file system/)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  it('carries its labels, and no manifest can take them over', async () => {
    const labels = {
      app: 'shop',
      namespace: 'default',
      workload: 'web',
      'label/traefik.enable': 'true',
      'label/drover.dev/task': 'stolen',
      'label/drover.dev/other': 'x',
      task: 'stolen',
      agent: 'stolen',
    }
    const handle = await start(containerSpec(script('exec sleep 100000'), { labels }))
    expect((await inspect(handle)).Config.Labels).toEqual({
      'drover.dev/cluster': 'suite',
      'drover.dev/agent': harness.agent,
      'drover.dev/app': 'shop',
      'drover.dev/namespace': 'default',
      'drover.dev/workload': 'web',
      'drover.dev/task': ref.task,
      'drover.dev/attempt': '1',
      'traefik.enable': 'true',
    })
    expect(await driver.owned()).toEqual([ref])
  })

  it('logs: very long lines whole, with the time of each, and a slow reader loses nothing', async () => {
    const before = Date.now()
    const handle = await start(
      containerSpec(script('i=0; while [ $i -lt 3000 ]; do echo "line $i"; i=$((i+1)); done; head -c 60000 /dev/zero | tr "\\0" x; echo')),
    )
    await driver.wait(handle, never())
    const texts: string[] = []
    for await (const line of driver.logs(handle, WHOLE_LOG, never())) {
      texts.push(line.text)
      expect(line.at).toBeGreaterThanOrEqual(before - 1000)
      if (texts.length % 500 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    expect(texts.slice(0, 3000)).toEqual(Array.from({ length: 3000 }, (_, i) => `line ${i}`))
    expect(texts.slice(3000)).toEqual(['x'.repeat(60_000)])
  })

  it('has no logs of a container that is gone, and no usage', async () => {
    const handle = await start(containerSpec(script('echo hello')))
    await driver.wait(handle, never())
    await driver.remove(ref)
    expect(await collect(driver.logs(handle, { ...WHOLE_LOG, follow: true }, never()))).toEqual([])
    expect(await driver.stats(handle)).toEqual({ memoryBytes: 0, peakMemoryBytes: null, cpuMicros: 0 })
    await driver.stop(handle, 1_000)
  })

  it('remembers the most memory that a container was seen to use, after its end too', async () => {
    const handle = await start(containerSpec(script('x=$(head -c 16777216 /dev/zero | tr "\\0" x); sleep 1000')))
    const peaks = createPeaks(systemClock)
    const over = new AbortController()
    const watching = peaks.watch(handle.ref, (await inspect(handle)).State.Pid, over.signal)
    await waitUntil(() => (peaks.of(handle.ref) ?? 0) > 2 ** 24)
    const seen = peaks.of(handle.ref)
    await driver.stop(handle, 0)
    over.abort()
    await watching
    expect(peaks.of(handle.ref)).toBeGreaterThanOrEqual(seen ?? Number.POSITIVE_INFINITY)
  })

  it('takes no other container for this one, although its process has the number', async () => {
    const handle = await start(containerSpec(script('sleep 1000')))
    const { Pid } = (await inspect(handle)).State
    expect(await cgroupOf(handle.ref, Pid)).not.toBeNull()
    expect(await cgroupOf('0'.repeat(64), Pid)).toBeNull()
  })

  it('measures what it uses', async () => {
    const handle = await start(containerSpec(script('i=0; while :; do i=$((i+1)); done')))
    await waitUntil(async () => (await driver.stats(handle)).cpuMicros > 100_000)
    const usage = await driver.stats(handle)
    expect(usage.memoryBytes).toBeGreaterThan(100_000)
    expect(usage.peakMemoryBytes).toBeGreaterThanOrEqual(usage.memoryBytes)
  })
})
