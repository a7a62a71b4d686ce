import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { parseBlob } from '../../src/manifest/blob.ts'
import { manifestObject } from '../../src/manifest/to-yaml.ts'
import type { Manifest } from '../../src/model/manifest.ts'
import { CpuMillis, MemoryBytes } from '../../src/model/quantity.ts'
import { HEAD, manifestOf, said, workload } from './support.ts'

const manifestYaml = (manifest: Manifest): string =>
  stringify(manifestObject(manifest), { aliasDuplicateObjects: false, lineWidth: 0, sortMapEntries: true })

type Json = null | string | number | boolean | Json[] | { [key: string]: Json }

/** The same value with the keys of every map in another order. */
function shuffleKeys(value: Json, seed: number): Json {
  if (Array.isArray(value)) return value.map((item) => shuffleKeys(item, seed))
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value).map(([key, item]) => [key, shuffleKeys(item, seed)] as const)
  return Object.fromEntries(
    entries.sort(([a], [b]) => ((a.length * seed) % 7) - ((b.length * seed) % 7) || (seed % 2 ? 1 : -1) * a.localeCompare(b)),
  )
}

const name = fc.constantFrom('a', 'web', 'x-1', 'long-name-0')
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
const resources = fc.record(
  {
    requests: fc.record(
      { cpu: fc.constantFrom<Json>('10m', '1', 2, 0.07), memory: fc.constantFrom<Json>('8Mi', '1G', 1024) },
      { requiredKeys: [] },
    ),
    limits: fc.record({ cpu: fc.constantFrom<Json>('1500m', 1.5), memory: fc.constantFrom<Json>('1Gi', '1.5Gi') }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
)
const env = fc.uniqueArray(
  fc.record(
    { name: fc.constantFrom('A', 'B', 'C'), value: fc.string({ maxLength: 8 }).filter((text) => !/[\0\p{Cs}]/u.test(text)) },
    { requiredKeys: ['name'] },
  ),
  {
    selector: (variable) => variable.name,
  },
)
const shared = {
  env,
  resources,
  artifacts: fc.constantFrom<Json>(
    [],
    [{ git: 'a/b/', destination: '/x' }],
    [{ url: 'http://a.example/tool', sha256: 'ab'.repeat(32), destination: '/opt/' }],
  ),
}
const container = fc.record(
  { name, image: fc.constant('app:1'), ports: fc.constantFrom<Json>([], [{ name: 'http', containerPort: 80 }]), ...shared },
  { requiredKeys: ['name', 'image'] },
)
const template = fc.record({
  spec: fc.record(
    {
      containers: fc.tuple(container),
      restartPolicy: fc.constant('Always'),
      placement: fc.constantFrom<Json>({}, { nodeSelector: { cores: 8, ssd: true } }),
    },
    { requiredKeys: ['containers'] },
  ),
})
const deployment = fc
  .record({
    replicas: optional(fc.nat({ max: 9 })),
    mode: fc.constantFrom('Replicated', 'Global'),
    type: fc.constantFrom('Recreate', 'RollingUpdate'),
    name,
    template,
  })
  .map(({ replicas, mode, type, name: called, template: given }) => ({
    apiVersion: 'drover.dev/v1',
    kind: 'Deployment',
    metadata: { name: called },
    spec: { mode, strategy: { type }, ...(mode === 'Global' || replicas === undefined ? {} : { replicas }), template: given },
  }))
const asJson = deployment.map((value) => JSON.parse(JSON.stringify(value)) as Json)

const CHECKSUM = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const download = (url: string, more = '', sha256 = CHECKSUM): string =>
  `artifacts: [{url: "${url}", sha256: ${sha256}${more === '' ? '' : `, ${more}`}}]`

describe('normalization', () => {
  it('is blind to the order of keys, and to how YAML is written', () => {
    fc.assert(
      fc.property(asJson, fc.nat({ max: 100 }), (value, seed) => {
        const expected = manifestOf(stringify(value))
        expect(manifestOf(stringify(shuffleKeys(value, seed)))).toEqual(expected)
        expect(manifestOf(JSON.stringify(value, null, seed % 4))).toEqual(expected)
        expect(manifestOf(stringify(value, { collectionStyle: 'flow', defaultStringType: 'QUOTE_DOUBLE' }))).toEqual(expected)
      }),
      { numRuns: 60 },
    )
  })

  it('written out as YAML reads back as the same manifest', () => {
    fc.assert(
      fc.property(asJson, (value) => {
        const manifest = manifestOf(stringify(value))
        const text = manifestYaml(manifest)
        expect(manifestOf(text)).toEqual(manifest)
        expect(manifestYaml(manifestOf(text))).toBe(text)
      }),
      { numRuns: 60 },
    )
  })

  it.each([
    ['driver', { template: [] }, { template: ['driver: process'] }],
    ['restartPolicy', { template: [] }, { template: ['restartPolicy: OnFailure'] }],
    ['priority', { template: [] }, { template: ['priority: 50'] }],
    ['an empty value', { unit: ['env: [{name: A}]'] }, { unit: ['env: [{name: A, value: ""}]'] }],
    ['requests', { unit: ['resources: {limits: {cpu: 1}}'] }, { unit: ['resources: {limits: {cpu: 1}, requests: {cpu: 1000m}}'] }],
    ['order of env', { unit: ['env: [{name: B}, {name: A}]'] }, { unit: ['env: [{name: A}, {name: B}]'] }],
    [
      'what a URL says',
      { unit: [download('https://files.example/bin/tool')] },
      { unit: [download('HTTPS://Files.Example:443/./bin/tool', 'unpack: false, executable: false, destination: ./tool')] },
    ],
    [
      'that an archive is unpacked',
      { unit: [download('https://files.example/etl.tar.gz?v=2', 'destination: a')] },
      { unit: [download('https://files.example/etl.tar.gz?v=2', 'unpack: true, destination: ./a/')] },
    ],
    [
      'a folder for a file',
      { unit: [download('https://files.example/my%20tool', 'destination: bin/')] },
      { unit: [download('https://files.example/my%20tool', '"destination": "bin/my tool"')] },
    ],
    [
      'spelling of checksums',
      { unit: [download('http://a.example/x')] },
      { unit: [download('http://a.example/x', '', CHECKSUM.toUpperCase())] },
    ],
    ['spelling of paths', { unit: ['artifacts: [{git: ./a//b/}]'] }, { unit: ['artifacts: [{git: a/b, destination: ./}]'] }],
    ['empty maps', { spec: [] }, { spec: ['dependsOn: []', 'completions: 1', 'parallelism: 1', 'backoffLimit: 6'] }],
  ])('takes a default and its absence for the same: %s', (_, left, right) => {
    expect(manifestOf(workload('Job', 'a', left))).toEqual(manifestOf(workload('Job', 'a', right)))
  })

  it.each([
    ['a.tar', '', { unpack: true, destination: '.' }],
    ['a.TGZ', 'destination: x', { unpack: true, destination: 'x' }],
    ['a.tar.gz', 'unpack: false', { unpack: false, executable: false, destination: 'a.tar.gz' }],
    ['a.zip', 'destination: lib/', { unpack: false, executable: false, destination: 'lib/a.zip' }],
    ['a', 'unpack: true', { unpack: true, destination: '.' }],
    ['a', 'executable: true, destination: bin/b', { unpack: false, executable: true, destination: 'bin/b' }],
    ['releases/1.2/', 'destination: b/.', null],
    ['%2e%2e', '', null],
    ['a%2fb', '', null],
    ['a%0ab', '', null],
    ['%', '', null],
  ])('says what becomes of a download named %s with "%s"', (name, more, expected) => {
    const text = workload('Job', 'a', { unit: [download(`https://files.example/${name}`, more)] })
    const { problems, documents } = parseBlob('a.yaml', text)
    if (expected === null) expect(problems.map(said)).toEqual([expect.stringContaining('names no file')])
    else {
      const artifacts = [{ url: `https://files.example/${name}`, sha256: CHECKSUM, ...expected }]
      expect(documents[0]?.manifest).toMatchObject({ spec: { template: { spec: { processes: [{ artifacts }] } } } })
    }
  })

  it('does not lend a request to a limit', () => {
    const manifest = manifestOf(workload('Job', 'a', { unit: ['resources: {requests: {cpu: 1}}'] }))
    expect(manifest).toMatchObject({
      spec: { template: { spec: { processes: [{ resources: { requests: { cpu: 1000 }, limits: {} } }] } } },
    })
  })

  it('tells the same problems for the same text', () => {
    const text = workload('Job', 'a', { spec: ['replica: 1', 'x: 2'], unit: ['image: a'] })
    expect(parseBlob('a.yaml', text).problems).toEqual(parseBlob('a.yaml', text).problems)
    expect(parseBlob('a.yaml', text).problems.map(said)).toHaveLength(3)
  })

  it('fills every default of a smallest Deployment', () => {
    const text = `${HEAD}kind: Deployment\nmetadata: {name: a}\nspec:\n  template:\n    spec:\n      containers: [{name: c, image: i}]\n`
    expect(manifestOf(text)).toMatchObject({
      metadata: { namespace: 'default', labels: {}, annotations: {} },
      spec: {
        mode: 'Replicated',
        replicas: 1,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
        template: { spec: { driver: 'docker', restartPolicy: 'Always', terminationGracePeriodSeconds: 30 } },
      },
    })
  })
})

describe('quantities', () => {
  it.each([
    ['1000m', 1000],
    ['1', 1000],
    [1, 1000],
    ['0.07', 70],
    [0.07, 70],
    ['0.0001', 1],
    [1e-7 * 1e4, 1],
  ])('CPU %s is %i thousandths', (given, expected) => expect(CpuMillis.parse(given)).toBe(expected))

  it.each([
    ['1Gi', 1_073_741_824],
    ['1024Mi', 1_073_741_824],
    [1_073_741_824, 1_073_741_824],
    ['1.5k', 1500],
    ['0.5', 1],
  ])('memory %s is %i bytes', (given, expected) => expect(MemoryBytes.parse(given)).toBe(expected))

  it('reads every whole number of thousandths as itself, however it is written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_000_000 }), (millis) => {
        expect([CpuMillis.parse(`${millis}m`), CpuMillis.parse(millis / 1000), CpuMillis.parse((millis / 1000).toFixed(3))]).toEqual([
          millis,
          millis,
          millis,
        ])
      }),
    )
  })

  it.each(['', '1 ', '-1', '1e3', 'Ki', '1KiB', '9'.repeat(31)])('refuses "%s"', (text) => {
    expect(CpuMillis.safeParse(text).success).toBe(false)
    expect(MemoryBytes.safeParse(text).success).toBe(false)
  })

  it.each([1e300, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuses the number %d', (amount) => {
    expect(CpuMillis.safeParse(amount).success).toBe(false)
    expect(MemoryBytes.safeParse(amount).success).toBe(false)
  })
})
