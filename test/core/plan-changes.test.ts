import { describe, expect, it } from 'vitest'
import { diffWorkloads, type WorkloadChange } from '../../src/core/plan-changes.ts'
import type { WorkloadKey } from '../../src/model/ids.ts'
import type { WorkloadVersion } from '../../src/model/version.ts'
import { deployment, job, keyed, web } from './plan-support.ts'

const only = (before: WorkloadVersion, after: WorkloadVersion): WorkloadChange =>
  diffWorkloads(keyed(before), keyed(after))[0] as WorkloadChange
const told = ({ fields }: WorkloadChange): unknown[] => fields.map(({ path, before, after, summary }) => [path, before, after, summary])

describe('diffWorkloads', () => {
  it('tells every workload of both sides once, sorted by key', () => {
    const live = keyed(deployment('a', { template: web({}) }), deployment('gone', { template: web({}) }))
    const desired = keyed(job('new', { template: web({}) }), deployment('a', { template: web({}) }))
    expect(diffWorkloads(live, desired).map(({ key, action }) => [key, action])).toEqual([
      ['default/Deployment/a', 'none'],
      ['default/Deployment/gone', 'delete'],
      ['default/Job/new', 'create'],
    ])
  })

  it('tells that what runs for each commit runs, though nothing of it changed', () => {
    const each = keyed(job('each', { runPolicy: 'EveryRevision', template: web({}) }))
    const told = (applied: readonly WorkloadKey[]) =>
      diffWorkloads(each, each, new Set(applied)).map(({ action, notes }) => [action, notes])
    expect(told([])).toEqual([['none', []]])
    expect(told([...each.keys()])).toEqual([['update', ['runs, as for each commit']]])
  })

  it('updates in place what is outside the template', () => {
    const change = only(deployment('a', { replicas: 2, template: web({}) }), deployment('a', { replicas: 3, template: web({}) }))
    expect(change).toEqual({
      key: 'default/Deployment/a',
      action: 'update',
      fields: [{ path: 'spec.replicas', before: 2, after: 3, forcesRestart: false, summary: null }],
      notes: [],
      dependsOn: [],
    })
  })

  it('updates in place a priority, which says who goes first and nothing of what runs', () => {
    const change = only(deployment('a', { template: web({}) }), deployment('a', { template: web({}, { priority: 90 }) }))
    expect(change.action).toBe('update')
    expect(change.fields).toEqual([{ path: 'spec.template.spec.priority', before: 50, after: 90, forcesRestart: false, summary: null }])
  })

  it('replaces when the template, a ConfigMap it uses or a tree it ships changed, and says which fields force it', () => {
    const template = web({ env: [] })
    const before = deployment('a', { replicas: 2, template }, { configs: { app: { x: '1' } }, trees: { jobs: 'a'.repeat(40) } })
    const by = (spec: object, inputs: object): WorkloadChange =>
      only(before, deployment('a', { replicas: 3, ...spec }, { ...before, ...inputs }))
    const changes = [
      by({ template: web({ image: 'nginx:2' }) }, {}),
      by({ template }, { configs: { app: { x: '2' } } }),
      by({ template }, { trees: {} }),
    ]
    expect(changes.map(({ action }) => action)).toEqual(['replace', 'replace', 'replace'])
    expect(changes.map(({ fields }) => fields.filter(({ forcesRestart }) => forcesRestart).map(({ path }) => path))).toEqual([
      ['spec.template.spec.containers[web].image'],
      ['configMap[app].data.x'],
      ['git[jobs]'],
    ])
  })

  it('never calls a restart nothing: another order of ports makes another digest', () => {
    const ports = [
      { name: 'a', containerPort: 1 },
      { name: 'b', containerPort: 2 },
    ]
    const change = only(deployment('a', { template: web({ ports }) }), deployment('a', { template: web({ ports: [...ports].reverse() }) }))
    expect(change.action).toBe('replace')
    expect(told(change)).toEqual([['spec.template.spec.containers[web].ports', ['a', 'b'], ['b', 'a'], null]])
  })

  it('says quantities and ports as manifests do', () => {
    const limits = (cpu: string, memory: string) => ({ resources: { limits: { cpu, memory } } })
    const ports = (hostPort: number) => ({ ports: [{ name: 'http', containerPort: 80, hostPort }] })
    const before = deployment('a', { template: web({ ...limits('0.5', '1024Ki'), ...ports(0) }) })
    const after = deployment('a', { template: web({ ...limits('2', '1.5Gi'), ...ports(8080) }) })
    expect(told(only(before, after))).toEqual([
      ['spec.template.spec.containers[web].ports[http].hostPort', 'dynamic', 8080, null],
      ['spec.template.spec.containers[web].resources.limits.cpu', '500m', 2, null],
      ['spec.template.spec.containers[web].resources.limits.memory', '1Mi', '1536Mi', null],
    ])
  })
})

describe('secrets', () => {
  const everything = (change: WorkloadChange): string => JSON.stringify(change)

  it('never leave with a change: env, ConfigMap values, flags and URLs', () => {
    const version = (secret: string) =>
      deployment(
        'a',
        {
          template: web({
            env: [
              { name: 'DB_PASSWORD', value: secret },
              { name: 'DATABASE', value: `postgres://app:${secret}@db/app` },
            ],
            args: ['--token', secret, `--api-key=${secret}`, 'run'],
          }),
        },
        { configs: { app: { API_TOKEN: secret, plain: `${secret}\nmore` } } },
      )
    const bare = deployment('a', { template: web({}) })
    for (const change of [only(version('hunter2'), version('hunter3')), only(bare, version('hunter2')), only(version('hunter2'), bare)]) {
      expect(everything(change)).not.toContain('hunter')
      expect(everything(change)).toContain('API_TOKEN')
      expect(everything(change)).toContain('DB_PASSWORD')
    }
    expect(told(only(version('hunter2'), version('hunter3'))).map((field) => (field as unknown[])[3])).toEqual([
      '(sensitive, changed)',
      '(sensitive, changed)',
      '(sensitive, changed)',
      '(sensitive, changed)',
      '1 line changed',
    ])
  })

  it('never leave with a header of a probe', () => {
    const version = (names: string[], value: string) =>
      deployment('a', {
        template: web({ readinessProbe: { httpGet: { port: 80, httpHeaders: names.map((name) => ({ name, value })) } } }),
      })
    for (const names of [['Authorization'], ['X', 'X']])
      for (const before of [version(names, 'hunter3'), version([], '')])
        expect(everything(only(before, version(names, 'hunter2')))).not.toContain('hunter')
  })

  it('do not hide other values', () => {
    const version = (value: string) => deployment('a', { template: web({ env: [{ name: 'LOG_LEVEL', value }], args: ['--port', '80'] }) })
    expect(told(only(version('info'), version('debug')))).toEqual([
      ['spec.template.spec.containers[web].env[LOG_LEVEL].value', 'info', 'debug', null],
    ])
  })
})

describe('notes', () => {
  const rolling = (replicas: number, strategy: object, image = 'nginx:1.26') =>
    deployment('a', { replicas, strategy, template: web({ image }) })
  const note = (replicas: number, strategy: object): readonly string[] =>
    only(rolling(replicas, strategy), rolling(replicas, strategy, 'nginx:2')).notes

  it.each<[number, object, string[]]>([
    [
      3,
      { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      ['restarts 3 tasks, 1 at a time; start-first: up to 1 extra, none may be missing'],
    ],
    [3, { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } }, ['restarts 3 tasks, 1 at a time; stop-first: up to 1 may be missing']],
    [
      10,
      { rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
      ['restarts 10 tasks, 5 at a time; start-first: up to 3 extra, 2 may be missing'],
    ],
    [1, {}, ['restarts 1 task, all at once; start-first: up to 1 extra, none may be missing']],
    [4, { type: 'Recreate' }, ['restarts 4 tasks, all at once; Recreate: all old tasks stop first']],
    [0, {}, []],
  ])('%i replicas with %j: %j', (replicas, strategy, expected) => {
    expect(note(replicas, strategy)).toEqual(expected)
  })

  it('tell what a Job and a Global Deployment do', () => {
    expect(only(job('a', { template: web({}) }), job('a', { template: web({ image: 'b' }) })).notes).toEqual([
      'runs again, unless it ran with exactly these inputs before',
    ])
    const everywhere = (image: string) => deployment('a', { mode: 'Global', template: web({ image }) })
    expect(only(everywhere('a'), everywhere('b')).notes).toEqual([
      'restarts its task on every matching agent; start-first: up to 25% extra, 25% may be missing',
    ])
  })

  it('say which port forces the old task to go first', () => {
    const fixed = (image: string) =>
      deployment('a', { replicas: 4, template: web({ image, ports: [{ name: 'http', containerPort: 80, hostPort: 8080 }] }) })
    expect(only(fixed('a'), fixed('b')).notes).toEqual([
      'restarts 4 tasks, 1 at a time; stop-first, because of the fixed host port 8080: up to 1 may be missing',
    ])
  })

  it('say the steps of a canary, and who ends each', () => {
    const canaryOf = (canary: object): string | undefined => only(rolling(4, {}), rolling(4, { canary }, 'nginx:2')).notes[1]
    expect(canaryOf({ steps: [{ replicas: 1 }, { percent: 50 }] })).toBe('canary: 1, 50%, then all')
    expect(
      canaryOf({
        steps: [
          { replicas: 1, pauseSeconds: 30 },
          { percent: 50, manual: true },
        ],
        autoPromote: false,
      }),
    ).toBe('canary: 1 (pauses 30 s), 50% (until `drover promote`), then all after `drover promote`')
  })

  it('say what happens on failure where that is not to go back', () => {
    const failing = (onFailure: string, image: string) => deployment('a', { onFailure, template: web({ image }) })
    const onReplace = (onFailure: string) => only(failing(onFailure, 'a'), failing(onFailure, 'b')).notes.slice(1)
    expect([onReplace('Rollback'), onReplace('Hold'), onReplace('Continue')]).toEqual([
      [],
      ['on failure: stays as it is then'],
      ['on failure: goes on trying'],
    ])
    expect(diffWorkloads(new Map(), keyed(failing('Hold', 'a')))[0]?.notes).toEqual(['on failure: stays as it is then'])
  })
})
