import { describe, expect, it } from 'vitest'
import { taskSpec } from '../../src/core/task-spec.ts'
import { canonicalJson, digestOf } from '../../src/lib/canonical.ts'
import { bodyOf } from '../../src/model/body.ts'
import type { RunId, TaskId } from '../../src/model/ids.ts'
import { TaskSpec, type UnitSpec } from '../../src/model/task-spec.ts'
import { deploymentVersion, JOB_KEY, jobVersion, oid, revision, task } from '../support/make.ts'

const configs = { app: { LEVEL: 'debug', DROVER_TASK: 'forged', 'a.conf': 'x=1' }, more: { LEVEL: 'info', EXTRA: 'yes' } }
const container = (over: object = {}, rest: object = {}) => ({
  template: { spec: { containers: [{ name: 'web', image: 'a:1', ...over }], ...rest } },
})
const unitOf = (spec: object, over = {}) => taskSpec(task(over), deploymentVersion(spec, { configs })).units[0]

describe('environment', () => {
  it('later sources win: files of a ConfigMap, then env, then ports, then what Drover says', () => {
    const unit = unitOf(
      container({
        envFrom: [{ configMapRef: { name: 'app' } }, { configMapRef: { name: 'more' } }],
        env: [
          { name: 'LEVEL', value: 'warn' },
          { name: 'PORT_HTTP', value: 'forged' },
          { name: 'DROVER_APP', value: 'forged' },
          { name: 'EMPTY' },
        ],
        ports: [{ name: 'http', containerPort: 80 }],
      }),
      { ports: { http: 20_007 } },
    )
    expect(unit?.env).toEqual({
      LEVEL: 'warn',
      'a.conf': 'x=1',
      EXTRA: 'yes',
      EMPTY: '',
      PORT_HTTP: '20007',
      DROVER_APP: 'shop',
      DROVER_NAMESPACE: 'default',
      DROVER_WORKLOAD: 'web',
      DROVER_TASK: 'web-1',
      DROVER_SLOT: '0',
      DROVER_REVISION: revision('first'),
    })
  })

  it('takes the later of two ConfigMaps, puts a prefix before, and reads single keys', () => {
    const unit = unitOf(
      container({
        envFrom: [{ configMapRef: { name: 'app' } }, { configMapRef: { name: 'more' } }, { prefix: 'P_', configMapRef: { name: 'more' } }],
        env: [
          { name: 'CONF', valueFrom: { configMapKeyRef: { name: 'app', key: 'a.conf' } } },
          { name: 'NONE', valueFrom: { configMapKeyRef: { name: 'app', key: 'no-such' } } },
        ],
      }),
    )
    expect(unit?.env).toMatchObject({ LEVEL: 'info', P_LEVEL: 'info', P_EXTRA: 'yes', CONF: 'x=1', NONE: '' })
  })

  it('names ports as PORT_<NAME>, in capitals and without dashes', () => {
    const ports = [
      { name: 'http', containerPort: 80 },
      { name: 'metrics-v2', containerPort: 9090, hostPort: 9090, protocol: 'UDP' },
    ]
    const unit = unitOf(container({ ports }), { ports: { http: 20_001, 'metrics-v2': 9090 } })
    expect(unit?.env).toMatchObject({ PORT_HTTP: '20001', PORT_METRICS_V2: '9090' })
    expect(unit?.ports).toEqual([
      { name: 'http', containerPort: 80, hostPort: 20_001, protocol: 'TCP' },
      { name: 'metrics-v2', containerPort: 9090, hostPort: 9090, protocol: 'UDP' },
    ])
  })
})

describe('probes', () => {
  const ports = [
    { name: 'http', containerPort: 80 },
    { name: 'admin', containerPort: 81, hostPort: 8081 },
  ]
  const given = { ports: { http: 20_001, admin: 8081 } }
  const portsAsked = (unit: UnitSpec | undefined) =>
    [unit?.probes.startup, unit?.probes.readiness, unit?.probes.liveness].map((probe) =>
      probe === undefined || probe.check.type === 'exec' ? null : probe.check.port,
    )
  const asks = {
    startupProbe: { tcpSocket: { port: 9 } },
    readinessProbe: { httpGet: { port: 'http' } },
    livenessProbe: { tcpSocket: { port: 'admin' } },
  }

  it('are only those that are given', () => {
    expect(unitOf(container({ ports }))?.probes).toEqual({})
    const unit = unitOf(container({ livenessProbe: { exec: { command: ['check', '-v'] }, periodSeconds: 3 } }))
    expect(unit?.probes).toEqual({
      liveness: {
        check: { type: 'exec', command: ['check', '-v'] },
        initialDelaySeconds: 0,
        periodSeconds: 3,
        timeoutSeconds: 1,
        successThreshold: 1,
        failureThreshold: 3,
      },
    })
  })

  it('say all that is to be asked, and that it is the task itself unless a host is given', () => {
    const httpHeaders = [{ name: 'X-Probe', value: 'yes' }]
    const unit = unitOf(
      container({
        ports,
        readinessProbe: {
          httpGet: { path: '/ready', port: 'http', scheme: 'HTTPS', httpHeaders },
          initialDelaySeconds: 2,
          successThreshold: 2,
        },
        startupProbe: { tcpSocket: { port: 'admin', host: '127.0.0.1' }, timeoutSeconds: 5, failureThreshold: 30 },
        livenessProbe: { httpGet: { port: 80, host: 'example.org' } },
      }),
      given,
    )
    expect(unit?.probes).toMatchObject({
      readiness: {
        check: { type: 'http', scheme: 'HTTPS', host: null, port: 80, path: '/ready', headers: httpHeaders },
        initialDelaySeconds: 2,
        successThreshold: 2,
      },
      startup: { check: { type: 'tcp', host: '127.0.0.1', port: 81 }, timeoutSeconds: 5, failureThreshold: 30 },
      liveness: { check: { type: 'http', scheme: 'HTTP', host: 'example.org', port: 80, path: '/', headers: [] } },
    })
  })

  it("ask a named port of a container on the bridge by the container's number, a number as it is", () => {
    expect(portsAsked(unitOf(container({ ports, ...asks }), given))).toEqual([9, 80, 81])
  })

  it("ask on the machine's network by the port really given", () => {
    expect(portsAsked(unitOf(container({ ports, ...asks }, { hostNetwork: true }), given))).toEqual([9, 20_001, 8081])
    const processes = [{ name: 'web', command: ['run'], ports: ports.map(({ containerPort: _, ...port }) => port), ...asks }]
    expect(portsAsked(unitOf({ template: { spec: { processes } } }, given))).toEqual([9, 20_001, 8081])
    expect(portsAsked(unitOf({ template: { spec: { processes } } }))).toEqual([9, 0, 8081])
  })

  it('make another template when they change, and none where there are none', () => {
    const digestOfTemplate = (unit: object) => digestOf(bodyOf(deploymentVersion(container(unit))).template)
    const plain = digestOfTemplate({})
    expect(canonicalJson(bodyOf(deploymentVersion(container())).template)).not.toContain('Probe')
    expect(new Set([plain, digestOfTemplate(asks), digestOfTemplate({ ...asks, startupProbe: undefined })]).size).toBe(3)
    expect(digestOfTemplate({ startupProbe: undefined, readinessProbe: undefined, livenessProbe: undefined })).toBe(plain)
  })
})

it('volumes hold the content of their ConfigMap, which is mounted read-only', () => {
  const volumes = [
    { name: 'conf', configMap: { name: 'app' } },
    { name: 'tmp', emptyDir: {} },
  ]
  const volumeMounts = [
    { name: 'conf', mountPath: '/etc/app', subPath: 'a.conf' },
    { name: 'tmp', mountPath: '/tmp' },
  ]
  const spec = taskSpec(task(), deploymentVersion(container({ volumeMounts }, { volumes }), { configs }))
  expect(spec.volumes).toEqual([
    { type: 'files', name: 'conf', files: configs.app },
    { type: 'emptyDir', name: 'tmp' },
  ])
  expect(spec.units[0]?.mounts).toEqual([
    { volume: 'conf', mountPath: '/etc/app', subPath: 'a.conf', readOnly: true },
    { volume: 'tmp', mountPath: '/tmp', readOnly: false },
  ])
})

it('artifacts become trees by oid', () => {
  const artifacts = [{ git: 'jobs/etl', destination: 'etl' }, { git: 'lib' }]
  const processes = [{ name: 'etl', command: ['python3', 'etl.py'], artifacts, isolation: 'cgroup', user: 'etl', workingDir: 'etl' }]
  const version = deploymentVersion({ template: { spec: { processes } } }, { trees: { 'jobs/etl': oid('etl'), lib: oid('lib') } })
  expect(taskSpec(task(), version)).toMatchObject({
    driver: 'process',
    units: [
      {
        command: ['python3', 'etl.py'],
        isolation: 'cgroup',
        user: 'etl',
        workingDir: 'etl',
        mounts: [],
        artifacts: [
          { tree: oid('etl'), destination: 'etl' },
          { tree: oid('lib'), destination: '.' },
        ],
      },
    ],
  })
})

it('artifacts from a URL become downloads by checksum, with what is to be made of them', () => {
  const sha256 = 'ab'.repeat(32)
  const url = 'https://files.example/tool'
  const artifacts = [
    { url, sha256, unpack: false, executable: false, destination: 'a' },
    { url, sha256, unpack: false, executable: true, destination: 'b' },
    { url, sha256, unpack: true, destination: 'c' },
  ]
  const version = deploymentVersion({ template: { spec: { processes: [{ name: 'etl', command: ['run'], artifacts }] } } })
  const spec = taskSpec(task(), version)
  expect(spec.units[0]?.artifacts).toEqual([
    { download: { url, sha256, form: 'file' }, destination: 'a' },
    { download: { url, sha256, form: 'executable' }, destination: 'b' },
    { download: { url, sha256, form: 'unpacked' }, destination: 'c' },
  ])
  expect(TaskSpec.parse(spec)).toEqual(spec)
})

it('a process brings its sandbox and its limits along, and nothing of them where it names none', () => {
  const sandbox = { hostPaths: [{ path: '/srv/data', readOnly: true }] }
  const confined = [{ name: 'etl', command: ['etl'], isolation: 'sandbox', sandbox, ulimits: { nofile: 64, fsize: '1Mi' } }]
  const spec = taskSpec(task(), deploymentVersion({ template: { spec: { processes: confined } } }))
  expect(TaskSpec.parse(spec)).toEqual(spec)
  expect(spec.units[0]).toMatchObject({
    isolation: 'sandbox',
    sandbox: { network: 'Host', hostPaths: [{ path: '/srv/data', readOnly: true }] },
    ulimits: { nofile: 64, fsize: 2 ** 20 },
  })
  const plain = taskSpec(task(), deploymentVersion({ template: { spec: { processes: [{ name: 'etl', command: ['etl'] }] } } }))
  expect(Object.keys(plain.units[0] ?? {})).not.toEqual(expect.arrayContaining(['sandbox']))
})

describe('rules of the task', () => {
  it('a Deployment restarts always, without end', () => {
    expect(taskSpec(task(), deploymentVersion())).toMatchObject({ restartPolicy: 'Always', maxRestarts: null, gracePeriodSeconds: 30 })
  })

  it('a Job restarts on failure unless it says Never, as often as its run has failures left', () => {
    const ofJob = task({ workload: JOB_KEY, run: 'r' as RunId, maxRestarts: 4 })
    expect(taskSpec(ofJob, jobVersion())).toMatchObject({ restartPolicy: 'OnFailure', maxRestarts: 4 })
    const never = { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'a' }] } } }
    expect(taskSpec(ofJob, jobVersion(never))).toMatchObject({ restartPolicy: 'Never', maxRestarts: 4 })
  })

  it('carries limits, labels and whose it is; every one is a valid order', () => {
    const template = {
      metadata: { labels: { tier: 'front' } },
      spec: { hostNetwork: true, containers: [{ name: 'web', image: 'a', resources: { limits: { cpu: '500m', memory: '64Mi' } } }] },
    }
    const spec = taskSpec(task({ id: 'web-9' as TaskId }), deploymentVersion({ template }))
    expect(TaskSpec.parse(spec)).toEqual(spec)
    expect(spec).toMatchObject({
      driver: 'docker',
      hostNetwork: true,
      labels: { app: 'shop', namespace: 'default', workload: 'web', 'label/tier': 'front' },
      units: [{ limits: { cpuMillis: 500, memoryBytes: 64 * 2 ** 20 } }],
    })
  })
})
