import { describe, expect, it } from 'vitest'
import { diffWorkloads } from '../../src/core/plan-changes.ts'
import { countPlan, type PlanContext, renderPlan } from '../../src/core/plan-text.ts'
import { planView } from '../../src/core/plan-view.ts'
import { type WorkloadKey, workloadKey } from '../../src/model/ids.ts'
import { PlanView } from '../../src/model/views.ts'
import { deployment, job, keyed, web } from './plan-support.ts'

const OLD = `main@sha1:${'1a2b3c4d'.repeat(5)}`
const NEW = `main@sha1:${'5e6f7a8b'.repeat(5)}`
const context: PlanContext = { app: 'shop', from: OLD, to: NEW, removals: 'Last' }
const key = (name: string): WorkloadKey => workloadKey('default', 'Deployment', name)

const conf = (lines: string[]): string => `${lines.join('\n')}\n`
const live = keyed(
  deployment('api', { replicas: 2, template: web({}) }),
  deployment(
    'web',
    {
      replicas: 3,
      strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: web({
        env: [
          { name: 'GREETING', value: 'good day' },
          { name: 'API_TOKEN', value: 'hunter2' },
        ],
        resources: { limits: { cpu: '500m', memory: '128Mi' } },
      }),
    },
    { configs: { site: { 'app.conf': conf(['a', 'b', 'c']), level: 'info' } }, trees: { 'web/static': 'c'.repeat(40) } },
  ),
  deployment('old', { replicas: 2, template: web({}) }),
  deployment('same', { template: web({}) }),
)
const desired = keyed(
  deployment('api', { replicas: 3, template: web({}) }),
  deployment(
    'web',
    {
      replicas: 3,
      strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: web({
        image: 'nginx:1.27',
        env: [
          { name: 'API_TOKEN', value: 'hunter3' },
          { name: 'GREETING', value: 'good\u001b[2Jnight \u202e' },
          { name: 'NEW', value: '1' },
        ],
        resources: { limits: { cpu: '1', memory: '256Mi' } },
        ports: [{ name: 'http', containerPort: 80 }],
      }),
    },
    { configs: { site: { 'app.conf': conf(['a', 'B', 'C', 'd']), level: 'debug' } }, trees: { 'web/static': 'd'.repeat(40) } },
  ),
  deployment('same', { template: web({}) }),
  job('seed', { template: { spec: { processes: [{ name: 'seed', command: ['node', 'seed.mjs'] }] } } }),
)

const GOLDEN = `\
App shop: main@sha1:1a2b3c4d -> main@sha1:5e6f7a8b

~ Deployment default/api
    ~ spec.replicas: 2 -> 3

- Deployment default/old
    stops 2 tasks

-/+ Deployment default/web (tasks restart)
    ~ spec.template.spec.containers[web].env[API_TOKEN].value: (sensitive, changed) (forces restart)
    ~ spec.template.spec.containers[web].env[GREETING].value: "good day" -> "good\\u001b[2Jnight \\u{202e}" (forces restart)
    + spec.template.spec.containers[web].env[NEW].value: "1" (forces restart)
    ~ spec.template.spec.containers[web].image: nginx:1.26 -> nginx:1.27 (forces restart)
    + spec.template.spec.containers[web].ports[http].containerPort: 80 (forces restart)
    + spec.template.spec.containers[web].ports[http].hostPort: dynamic (forces restart)
    + spec.template.spec.containers[web].ports[http].protocol: TCP (forces restart)
    ~ spec.template.spec.containers[web].resources.limits.cpu: 500m -> 1 (forces restart)
    ~ spec.template.spec.containers[web].resources.limits.memory: 128Mi -> 256Mi (forces restart)
    ~ configMap[site].data.app.conf: 3 lines changed (forces restart)
    ~ configMap[site].data.level: <MARK> -> <MARK> (forces restart)
    ~ git[web/static]: <cccccccc> -> <dddddddd> (forces restart)
    restarts 3 tasks, 1 at a time; start-first: up to 1 extra, none may be missing
    5 of 6 machines have room for one more task
    ! held (Quarantine): these inputs failed at main@sha1:5e6f7a8b; to go on: push another revision

+ Job default/seed
    spec.completions: 1
    spec.template.spec.processes[seed].command: ["node","seed.mjs"]

Order: 1. Deployment default/api, Deployment default/web, Job default/seed  2. Deployment default/old

! held (DeletionBudget): removes 1 of 2 workloads; to go on: drover sync shop --allow-delete

Plan: 1 to add, 1 to change, 1 to replace, 1 to destroy.
`

describe('renderPlan', () => {
  const changes = diffWorkloads(live, desired)
  const rich: PlanContext = {
    ...context,
    room: new Map([[key('web'), { withRoom: 5, agents: 6 }]]),
    workloadHolds: new Map([
      [key('web'), [{ gate: 'Quarantine', message: 'these inputs failed at main@sha1:5e6f7a8b', unblockBy: 'push another revision' }]],
    ]),
    holds: [{ gate: 'DeletionBudget', message: 'removes 1 of 2 workloads', unblockBy: 'drover sync shop --allow-delete' }],
  }

  it('says all of a plan', () => {
    const text = renderPlan(changes, rich)
    const marks = [...text.matchAll(/level: (<[0-9a-f]{8}>) -> (<[0-9a-f]{8}>)/g)].flatMap(([, a, b]) => [a, b])
    expect(new Set(marks).size).toBe(2)
    expect(text.replace(/level: <\w{8}> -> <\w{8}>/, 'level: <MARK> -> <MARK>')).toBe(GOLDEN)
    expect(countPlan(changes)).toEqual({ add: 1, change: 1, replace: 1, destroy: 1 })
  })

  it('says an order only where there is one, and never more names than fit', () => {
    const many = keyed(...Array.from({ length: 8 }, (_, index) => deployment(`d${index}`, { template: web({}) })))
    expect(renderPlan(diffWorkloads(new Map(), many), context)).not.toContain('Order:')
    const last = deployment('last', { dependsOn: [{ kind: 'Deployment', name: 'd0', condition: 'Available' }], template: web({}) })
    const wave = [0, 1, 2, 3, 4].map((index) => `Deployment default/d${index}`).join(', ')
    expect(renderPlan(diffWorkloads(new Map(), new Map([...many, ...keyed(last)])), context)).toContain(
      `\n\nOrder: 1. ${wave} and 3 more  2. Deployment default/last\n\nPlan:`,
    )
  })

  it('says that there is nothing to do', () => {
    expect(renderPlan(diffWorkloads(live, live), context)).toBe('App shop: main@sha1:1a2b3c4d -> main@sha1:5e6f7a8b\n\nNo changes.\n')
    expect(renderPlan([], { ...context, from: null })).toBe('App shop: nothing yet -> main@sha1:5e6f7a8b\n\nNo changes.\n')
  })

  it('lets every line be painted by its mark, and paints nothing else', () => {
    const seen: string[] = []
    const paint = (mark: string, line: string): string => {
      seen.push(mark)
      return line
    }
    const text = renderPlan(changes, { ...rich, paint })
    expect(text).toBe(renderPlan(changes, rich))
    expect(seen).toHaveLength(text.split('\n').filter((line) => line !== '').length)
    expect(new Set(seen)).toEqual(new Set(['header', 'create', 'update', 'replace', 'delete', 'hold', 'note', 'total']))
  })

  it('is also data, with the same words', () => {
    const view = planView(changes, { ...rich, problems: [], fingerprint: 'f1' })
    expect(PlanView.parse(JSON.parse(JSON.stringify(view)))).toEqual(view)
    expect(view.text).toBe(renderPlan(changes, rich))
    expect(view.changes.map(({ action, kind, name }) => `${action} ${kind}/${name}`)).toEqual([
      'update Deployment/api',
      'delete Deployment/old',
      'replace Deployment/web',
      'create Job/seed',
    ])
    expect(view.changes[2]?.notes).toEqual([
      'restarts 3 tasks, 1 at a time; start-first: up to 1 extra, none may be missing',
      '5 of 6 machines have room for one more task',
      'held (Quarantine): these inputs failed at main@sha1:5e6f7a8b; to go on: push another revision',
    ])
    expect(view.order).toEqual([['Deployment default/api', 'Deployment default/web', 'Job default/seed'], ['Deployment default/old']])
    expect(view.fingerprint).toBe('f1')
    expect(view.holds).toEqual([
      'Deployment default/web: held (Quarantine): these inputs failed at main@sha1:5e6f7a8b; to go on: push another revision',
      'held (DeletionBudget): removes 1 of 2 workloads; to go on: drover sync shop --allow-delete',
    ])
    expect(JSON.stringify(view)).not.toContain('hunter')
  })

  it('cuts long values, and still shows that they differ', () => {
    const long = (tail: string) => keyed(deployment('a', { template: web({ command: ['run', `${'x'.repeat(5000)}${tail}`] }) }))
    const line =
      renderPlan(diffWorkloads(long('a'), long('b')), context)
        .split('\n')
        .find((text) => text.includes('command')) ?? ''
    expect(line.length).toBeLessThan(600)
    const [, before, after] = /… (<\w{8}>) -> .*… (<\w{8}>)/.exec(line) ?? []
    expect(before).toBeDefined()
    expect(before).not.toBe(after)
  })

  it('lets no value forge a line or move a cursor, whatever it holds', () => {
    const hostile = '\u001b[1A\r\u0007\u0085\u2028\u200bPlan: 0 to add'
    const version = (value: string) => keyed(deployment('a', { template: web({ env: [{ name: 'X', value }], workingDir: value }) }))
    const text = renderPlan(diffWorkloads(version('a'), version(hostile)), { ...context, app: hostile, to: hostile })
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
    expect(text.split('\n').filter((line) => line.startsWith('Plan:'))).toHaveLength(1)
  })

  it('quotes what could be taken for another value', () => {
    const version = (value: string) => keyed(deployment('a', { template: web({ env: [{ name: 'X', value }] }) }))
    for (const value of ['', 'true', '12', '1e5', 'a b', 'a -> b', '<x>', '(sensitive)']) {
      expect(renderPlan(diffWorkloads(version('plain'), version(value)), context)).toContain(`plain -> ${JSON.stringify(value)} (forces`)
    }
  })
})
