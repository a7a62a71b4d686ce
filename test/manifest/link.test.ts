import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseBlob } from '../../src/manifest/blob.ts'
import { link } from '../../src/manifest/link.ts'
import { configMap, HEAD, linkTexts, said, workload } from './support.ts'

const app = (mode: string): string => `${HEAD}kind: App\nmetadata: {name: shop}\nspec: {sync: {mode: ${mode}}}\n`
const needs = (kind: string, name: string): string[] => [
  `dependsOn: [{kind: ${kind}, name: ${name}, condition: ${kind === 'Job' ? 'Complete' : 'Available'}}]`,
]
const usesConfig = (name: string) => ({ unit: [`envFrom: [{configMapRef: {name: ${name}}}]`] })
const keys = (texts: Record<string, string>) => linkTexts(texts).desired.workloads.map((one) => one.key)

describe('what a revision says shall run', () => {
  it('is every workload with what it uses, and nothing it does not use', () => {
    const { desired, problems } = linkTexts({
      'web.yaml': workload('Deployment', 'web', {
        unit: [
          'env: [{name: LEVEL, valueFrom: {configMapKeyRef: {name: settings, key: level}}}]',
          'envFrom: [{configMapRef: {name: all}}]',
          'artifacts: [{git: ./web//site/}, {git: bin}, {git: web/site, destination: again}]',
        ],
      }),
      'config.yaml': `${configMap('settings', 'data: {level: info, secret: "no"}\n')}---\n${configMap('all', 'data: {A: "1", B: "2"}\n')}---\n${configMap('unused')}`,
    })
    expect(problems).toEqual([])
    expect(desired).toMatchObject({ policy: null, policyBroken: false, broken: [], unreadable: [] })
    expect(desired.workloads).toMatchObject([
      {
        key: 'default/Deployment/web',
        file: 'web.yaml',
        line: 1,
        configs: { settings: { level: 'info' }, all: { A: '1', B: '2' } },
        trees: ['bin', 'web/site'],
      },
    ])
    expect(desired.workloads[0]?.configs.settings).toEqual({ level: 'info' })
  })

  it('keeps namespaces apart', () => {
    const elsewhere = configMap('settings').replace('{name: settings}', '{name: settings, namespace: other}')
    expect(linkTexts({ 'a.yaml': workload('Job', 'a', usesConfig('settings')), 'b.yaml': elsewhere }).desired.broken).toEqual([
      'default/Job/a',
    ])
  })

  it('lets a Deployment and a Job share a name', () => {
    expect(keys({ 'a.yaml': workload('Job', 'a'), 'b.yaml': workload('Deployment', 'a') })).toEqual([
      'default/Deployment/a',
      'default/Job/a',
    ])
  })
})

describe('a mistake takes as little as it can out of what runs', () => {
  it('a broken document takes itself, and its dependents stay', () => {
    const { desired } = linkTexts({
      'a.yaml': workload('Job', 'a', { spec: ['replica: 1'] }),
      'b.yaml': workload('Deployment', 'b', { spec: needs('Job', 'a') }),
      'c.yaml': workload('Deployment', 'c'),
    })
    expect(desired.workloads.map((one) => one.key)).toEqual(['default/Deployment/b', 'default/Deployment/c'])
    expect(desired.broken).toEqual(['default/Job/a'])
    expect(desired.unreadable).toEqual([])
  })

  it.each([
    ['missing', ''],
    ['broken', configMap('settings', 'data: {level: 1}\n')],
    ['given twice', `${configMap('settings')}---\n${configMap('settings')}`],
  ])('a ConfigMap that is %s takes its users', (_, config) => {
    const { desired } = linkTexts({
      'c.yaml': config,
      'a.yaml': workload('Job', 'a', usesConfig('settings')),
      'b.yaml': workload('Job', 'b'),
    })
    expect(desired.workloads.map((one) => one.key)).toEqual(['default/Job/b'])
    expect(desired.broken).toEqual(['default/Job/a'])
  })

  it('of two objects with one name neither is used, whatever the order of files', () => {
    const { desired, problems } = linkTexts({ 'b.yaml': workload('Job', 'a'), 'a.yaml': `# first\n${workload('Job', 'a')}` })
    expect(desired).toMatchObject({ workloads: [], broken: ['default/Job/a'] })
    expect(problems.map((problem) => `${problem.file} ${said(problem)}`)).toEqual([
      'b.yaml 1:1 Job default/a is defined twice, first at a.yaml:2:1 | keep one, or rename one',
    ])
  })

  it('a valid object counts as given twice also when the other is broken', () => {
    const broken = workload('Job', 'a', { spec: ['replica: 1'] })
    expect(linkTexts({ 'a.yaml': workload('Job', 'a'), 'b.yaml': broken }).desired).toMatchObject({
      workloads: [],
      broken: ['default/Job/a'],
    })
  })

  it('a circle takes its members, not those that wait for them', () => {
    const { desired } = linkTexts({
      'a.yaml': workload('Job', 'a', { spec: needs('Job', 'b') }),
      'b.yaml': workload('Job', 'b', { spec: needs('Job', 'a') }),
      'c.yaml': workload('Job', 'c', { spec: needs('Job', 'a') }),
      'd.yaml': workload('Job', 'd', { spec: needs('Job', 'd') }),
    })
    expect(desired.workloads.map((one) => one.key)).toEqual(['default/Job/c'])
    expect(desired.broken).toEqual(['default/Job/a', 'default/Job/b', 'default/Job/d'])
  })

  it.each([
    ['not YAML', `${HEAD}kind: Job\nmetadata: [name: a\n`],
    ['without a name', `${HEAD}kind: Job\nmetadata: {}\n`],
    ['with a name that cannot be one', workload('Job', 'A_1')],
    ['of a mistyped kind', workload('Job', 'a').replace('Job', 'Jb')],
    ['of another version', workload('Job', 'a').replace('/v1', '/v1alpha1').replace('Job', 'Task')],
    ['past a limit', `${HEAD}${'['.repeat(100)}`],
  ])('a file %s might be any workload, and says so', (_, text) => {
    const { desired, problems } = linkTexts({ 'x/a.yaml': text, 'b.yaml': workload('Deployment', 'b', { spec: needs('Job', 'gone') }) })
    expect(desired.unreadable).toEqual(['x/a.yaml'])
    expect(desired.workloads.map((one) => one.key)).toEqual(['default/Deployment/b'])
    expect(new Set(problems.map((problem) => problem.file))).toEqual(new Set(['x/a.yaml']))
  })

  it.each([
    ['ConfigMap', configMap('a', 'dta: {}\n')],
    ['ConfigMap without a name', `${HEAD}kind: ConfigMap\nmetadata: {}\n`],
    ['App without a name', `${HEAD}kind: App\nmetadata: {}\n`],
    ['planned kind', `${HEAD}kind: CronJob\nmetadata: {name: a}\n`],
    ['Kubernetes object', 'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n'],
  ])('a broken %s is no workload in hiding', (_, text) => expect(linkTexts({ 'a.yaml': text }).desired.unreadable).toEqual([]))
})

describe('the App document', () => {
  it('sets the policy at the root of the path of the app', () => {
    expect(linkTexts({ 'app.yaml': app('Manual') }).desired).toMatchObject({ policy: { mode: 'Manual', prune: true }, policyBroken: false })
    expect(linkTexts({ 'deploy/prod/app.yaml': app('Manual') }, { path: './deploy/prod/' }).desired.policy?.mode).toBe('Manual')
  })

  it.each([
    ['below the root', { 'x/app.yaml': app('Manual') }],
    ['given twice', { 'app.yaml': app('Manual'), 'other.yaml': app('Auto').replace('shop', 'other') }],
    ['broken', { 'app.yaml': app('Sometimes') }],
  ])('%s leaves the policy as it is, with a problem', (_, texts: Record<string, string>) => {
    const { desired, problems } = linkTexts({ ...texts, 'a.yaml': workload('Job', 'a') })
    expect(desired).toMatchObject({ policy: null, policyBroken: true, broken: [] })
    expect(desired.workloads).toHaveLength(1)
    expect(problems).toHaveLength(1)
  })

  it('might be in a file at the root that cannot be read', () => {
    expect(linkTexts({ 'app.yaml': `${HEAD}kind: [` }).desired.policyBroken).toBe(true)
    expect(linkTexts({ 'x/a.yaml': `${HEAD}kind: [` }).desired.policyBroken).toBe(false)
  })
})

describe('limits of a revision', () => {
  it('takes 2,000 files, whatever lies beside them, and not one more', () => {
    const files = Array.from({ length: 2000 }, (_, index) => parseBlob(`f${index}.yaml`, workload('Job', `j${index}`)))
    const others = Array.from({ length: 500 }, (_, index) => parseBlob(`p${index}.json`, '{"name": "x"}'))
    expect(link([...files, ...others])).toMatchObject({ problems: [], desired: { unreadable: [] } })
    const { desired, problems } = link([...files, parseBlob('one-more.yaml', configMap('a'))])
    expect(problems.map((problem) => problem.message)).toEqual([expect.stringContaining('2001 manifest files')])
    expect(desired).toMatchObject({ workloads: [], policyBroken: true })
    expect(desired.unreadable).toHaveLength(2001)
  })

  it('takes 20 MB together', () => {
    const data = `data: {x: "${'x'.repeat(250_000)}"}\n`
    const files = Array.from({ length: 81 }, (_, index) => parseBlob(`f${index}.yaml`, configMap(`c${index}`, data)))
    expect(link(files.slice(0, 79)).problems).toEqual([])
    expect(link(files).problems).toHaveLength(1)
  })
})

describe('the order of files and documents never matters', () => {
  const texts: Record<string, string> = {
    'a.yaml': workload('Job', 'a', usesConfig('settings')),
    'b/b.yaml': workload('Deployment', 'b', { spec: needs('Job', 'a') }),
    'b.yaml': workload('Job', 'loop', { spec: needs('Job', 'pool') }),
    'c.yaml': workload('Job', 'pool', { spec: needs('Job', 'loop') }),
    'd.yaml': workload('Job', 'twice'),
    'e.yaml': workload('Job', 'twice'),
    'f.yaml': configMap('settings'),
    'g.yaml': app('Manual'),
    'h.yaml': `${HEAD}kind: Nope\n`,
  }
  const expected = linkTexts(texts)

  it('for files', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(Object.keys(texts), { minLength: 9 }), (paths) => {
        expect(linkTexts(Object.fromEntries(paths.map((path) => [path, texts[path] ?? ''])))).toEqual(expected)
      }),
      { numRuns: 50 },
    )
  })

  it('for documents of one file', () => {
    const parts = [texts['a.yaml'], texts['b/b.yaml'], texts['f.yaml'], texts['g.yaml']] as string[]
    const names = ({ desired }: ReturnType<typeof linkTexts>) => ({
      ...desired,
      workloads: desired.workloads.map(({ line: _, ...rest }) => rest),
    })
    const first = names(linkTexts({ 'all.yaml': parts.join('---\n') }))
    expect(first.workloads).toHaveLength(2)
    fc.assert(
      fc.property(fc.shuffledSubarray(parts, { minLength: 4 }), (shuffled) => {
        expect(names(linkTexts({ 'all.yaml': shuffled.join('---\n') }))).toEqual(first)
      }),
      { numRuns: 30 },
    )
  })

  it('for what a cache gave back', () => {
    const files = Object.entries(texts).map(([path, text]) => structuredClone(parseBlob(path, text)))
    expect(link(files)).toEqual(expected)
  })
})
