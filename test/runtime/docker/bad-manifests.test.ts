import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Driver } from '../../../runtime/driver.ts'
import { containerConfig } from '../../../runtime/drivers/docker/container-config.ts'
import { createDockerDriver } from '../../../runtime/drivers/docker/driver.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { parseBlob } from '../../../src/manifest/blob.ts'
import { link } from '../../../src/manifest/link.ts'
import { Assignment } from '../../../src/model/protocol.ts'
import type { TaskSpec, UnitSpec, VolumeSpec } from '../../../src/model/task-spec.ts'
import { errorOf, newRef } from '../driver-suite/bench.ts'
import { containerSpec } from './harness.ts'

/** JSON is YAML, so what is written into a manifest is what is sent in an order. */
type Fields = Readonly<Record<string, unknown>>

interface Said {
  readonly task?: Fields
  readonly unit?: Fields
  readonly more?: string
}

const manifest = ({ task = {}, unit = {}, more = '' }: Said): string => {
  const container = { name: 'main', image: 'app:1', ...unit }
  const body = { template: { spec: { containers: [container], ...task } } }
  return `apiVersion: drover.dev/v1\nkind: Deployment\nmetadata: {name: web}\nspec: ${JSON.stringify(body)}\n${more}`
}

const problemsOf = (said: Said): string[] => link([parseBlob('web.yaml', manifest(said))]).problems.map(({ message }) => message)

const volume = (source: Fields): Said => ({ task: { volumes: [{ name: 'data', ...source }] } })
const context = (fields: Fields): Said => ({ unit: { securityContext: fields } })

/** What other tools take and Drover has no word for: no manifest can ask for it, and no order carry it. */
const UNKNOWN: Readonly<Record<string, Said>> = {
  'privileged, as in Compose': { unit: { privileged: true } },
  'privileged, as in Kubernetes': context({ privileged: true }),
  'a capability, as in Kubernetes': context({ capabilities: { add: ['SYS_ADMIN'] } }),
  'a capability, as in Compose': { unit: { cap_add: ['ALL'] } },
  'a capability, as in Docker': { unit: { CapAdd: ['SYS_PTRACE'] } },
  'new privileges': context({ allowPrivilegeEscalation: true }),
  'the user by number': context({ runAsUser: 0 }),
  'no seccomp, as in Kubernetes': context({ seccompProfile: { type: 'Unconfined' } }),
  'no seccomp, as in Compose': { unit: { security_opt: ['seccomp=unconfined'] } },
  'no AppArmor': { unit: { security_opt: ['apparmor=unconfined'] } },
  'an SELinux type': context({ seLinuxOptions: { type: 'spc_t' } }),
  'an unmasked /proc': context({ procMount: 'Unmasked' }),
  'the pids of the machine, as in Kubernetes': { task: { hostPID: true } },
  'the pids of the machine, as in Compose': { unit: { pid: 'host' } },
  'the IPC of the machine, as in Kubernetes': { task: { hostIPC: true } },
  'the IPC of the machine, as in Compose': { unit: { ipc: 'host' } },
  'the host name of the machine': { unit: { uts: 'host' } },
  'the users of the machine, as in Kubernetes': { task: { hostUsers: true } },
  'the users of the machine, as in Compose': { unit: { userns_mode: 'host' } },
  'the cgroups of the machine': { unit: { cgroup: 'host' } },
  'a cgroup of its choice': { unit: { cgroup_parent: '/' } },
  'the network of another container': { unit: { network_mode: 'container:other' } },
  'a device': { unit: { devices: ['/dev/kvm'] } },
  'devices by rule': { unit: { device_cgroup_rules: ['a *:* rwm'] } },
  'a graphics card': { unit: { DeviceRequests: [{ Count: -1, Capabilities: [['gpu']] }] } },
  'a block device': { unit: { volumeDevices: [{ name: 'data', devicePath: '/dev/sda' }] } },
  'kernel settings, as in Kubernetes': { task: { securityContext: { sysctls: [{ name: 'kernel.core_pattern', value: '|/tmp/x' }] } } },
  'kernel settings, as in Compose': { unit: { sysctls: { 'kernel.shm_rmid_forced': '0' } } },
  'leave to run processes': { task: { allowProcesses: true } },
  'another runtime': { task: { runtimeClassName: 'privileged' } },
  'to be spared when memory runs out': { unit: { oom_score_adj: -1000 } },
  'a restart policy of Docker': { unit: { restart: 'always' } },
  'the root of the machine, as a bind': { unit: { binds: ['/:/host'] } },
  'the socket of Docker, as in Compose': { unit: { volumes: ['/var/run/docker.sock:/var/run/docker.sock'] } },
  'mounts that spread': { unit: { Mounts: [{ Type: 'bind', Source: '/', Target: '/host', BindOptions: { Propagation: 'rshared' } }] } },
  'the volumes of another container': { unit: { volumes_from: ['other'] } },
  'the root of the machine, as a volume': volume({ hostPath: { path: '/' } }),
  'the socket of Docker, as a volume': volume({ hostPath: { path: '/var/run/docker.sock', type: 'Socket' } }),
  'the state of Drover, as a volume': volume({ hostPath: { path: '/var/lib/drover' } }),
  'a network share': volume({ nfs: { server: '10.0.0.1', path: '/' } }),
  'a driver of volumes': volume({ csi: { driver: 'x' } }),
}

/** What Drover has a word for, at a place or with a value that leads out: `order` is the same past all validation. */
interface Known extends Said {
  readonly message: RegExp
  readonly order: { readonly unit?: Partial<UnitSpec>; readonly volumes?: VolumeSpec[]; readonly units?: UnitSpec[] }
  readonly code: string
}

const EMPTY: VolumeSpec = { type: 'emptyDir', name: 'data' }
const mount = (over: Fields) => ({ mounts: [{ volume: 'data', mountPath: '/data', readOnly: false, ...over }] })
const mounted = (over: Fields): Said => ({
  task: { volumes: [{ name: 'data', emptyDir: {} }] },
  unit: { volumeMounts: [{ name: 'data', mountPath: '/data', ...over }] },
})
const file = (name: string): VolumeSpec => ({ type: 'files', name: 'data', files: { [name]: 'x' } })
const configMap = (key: string): string =>
  `---\napiVersion: drover.dev/v1\nkind: ConfigMap\nmetadata: {name: conf}\ndata: ${JSON.stringify({ [key]: 'x' })}\n`

const KNOWN: Readonly<Record<string, Known>> = {
  'a mount over everything': {
    ...mounted({ mountPath: '/' }),
    message: /mountPath/,
    order: { unit: mount({ mountPath: '/' }), volumes: [EMPTY] },
    code: 'InvalidVolume',
  },
  'a mount over everything, by a detour': {
    ...mounted({ mountPath: '/data/..' }),
    message: /mountPath/,
    order: { unit: mount({ mountPath: '/data/..' }), volumes: [EMPTY] },
    code: 'InvalidVolume',
  },
  'a mount at no absolute path': {
    ...mounted({ mountPath: 'data' }),
    message: /mountPath` must be an absolute path/,
    order: { unit: mount({ mountPath: 'data' }), volumes: [EMPTY] },
    code: 'InvalidVolume',
  },
  'a folder beside its volume': {
    ...mounted({ subPath: '../../other' }),
    message: /subPath` must be a relative path/,
    order: { unit: mount({ subPath: '../../other' }), volumes: [EMPTY] },
    code: 'InvalidVolume',
  },
  'a folder of the machine in its volume': {
    ...mounted({ subPath: '/etc' }),
    message: /subPath` must be a relative path/,
    order: { unit: mount({ subPath: '../../../../../../../../etc' }), volumes: [EMPTY] },
    code: 'InvalidVolume',
  },
  'a volume beside the others': {
    task: { volumes: [{ name: '../data', emptyDir: {} }] },
    message: /name` must be lower-case/,
    order: { volumes: [{ type: 'emptyDir', name: '../data' }] },
    code: 'InvalidVolume',
  },
  'a file beside its folder': {
    ...volume({ configMap: { name: 'conf' } }),
    more: configMap('../../passwd'),
    message: /must be a file name/,
    order: { volumes: [file('../../passwd')] },
    code: 'InvalidVolume',
  },
  'a file by an absolute name': {
    ...volume({ configMap: { name: 'conf' } }),
    more: configMap('/etc/passwd'),
    message: /must be a file name/,
    order: { volumes: [file('/etc/passwd')] },
    code: 'InvalidVolume',
  },
  'an image that leaves its place in a URL': {
    unit: { image: '../containers/json?all=1' },
    message: /image` must be the name of an image/,
    order: { unit: { image: '../containers/json?all=1' } },
    code: 'InvalidImageName',
  },
  'two containers in one task': {
    task: {
      containers: [
        { name: 'a', image: 'app:1' },
        { name: 'b', image: 'app:1' },
      ],
    },
    message: /several containers/,
    order: { units: [...containerSpec({ name: 'a' }).units, ...containerSpec({ name: 'b' }).units] },
    code: 'NotSupported',
  },
}

const order = (spec: unknown) => Assignment.parse({ task: 'web-1', generation: 1, desired: 'run', spec })
const plan = (spec: TaskSpec) =>
  containerConfig({
    identity: { cluster: 'c', agent: 'a' },
    ref: { ...newRef(), task: order(spec).task },
    spec,
    secrets: new Map(),
    mounts: [],
    network: 'drover',
  })

describe('what no task may have', () => {
  let folder: string
  let driver: Driver
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drover-bad-'))
    const nowhere = { socketPath: join(folder, 'none.sock'), cluster: 'c', agent: 'a', stateDir: folder }
    driver = createDockerDriver({ ...nowhere, clock: systemClock, log: silentLog })
  })
  afterAll(async () => {
    await driver.close()
    await rm(folder, { recursive: true })
  })
  const start = (spec: TaskSpec) => errorOf(driver.start(newRef(), spec, { artifacts: {}, secrets: new Map() }))

  it('S-12: these tests could fail: a good manifest is valid, and a good order gets as far as Docker', async () => {
    expect(problemsOf({})).toEqual([])
    expect(problemsOf(mounted({ subPath: 'a/b' }))).toEqual([])
    expect(await start(containerSpec(mount({ subPath: 'a/b' }), { volumes: [EMPTY] }))).toMatchObject({ name: 'RetryableError' })
  })

  it.each(Object.entries(UNKNOWN))('S-12: %s: is no field of a manifest', (_, said) => {
    expect(problemsOf(said).join()).toMatch(/unknown field|is planned, not yet run/)
  })

  it.each(Object.entries(UNKNOWN))(
    'S-12: %s: reaches no container by an order that names it all the same',
    (_, { task = {}, unit = {} }) => {
      const good = containerSpec({})
      const bad = { ...good, ...task, units: good.units.map((one) => ({ ...one, ...unit })) }
      if ('volumes' in task) expect(() => order(bad)).toThrow()
      else expect(plan(order(bad).spec)).toEqual(plan(good))
    },
  )

  it.each(Object.entries(KNOWN))('S-12, S-16: %s: is refused in a manifest', (_, { message, ...said }) => {
    expect(problemsOf(said).join()).toMatch(message)
  })

  it.each(Object.entries(KNOWN))('S-12, S-16: %s: is refused by the agent', async (_, { order: { unit, ...task }, code }) => {
    expect(await start(containerSpec(unit ?? {}, task))).toMatchObject({ name: 'TerminalError', code })
  })
})
