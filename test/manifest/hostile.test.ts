import { afterEach, describe, expect, it } from 'vitest'
import { parseBlob } from '../../src/manifest/blob.ts'
import { frame } from '../../src/manifest/frame.ts'
import { link } from '../../src/manifest/link.ts'
import { configMap, HEAD, workload } from './support.ts'

/** Node's default, which vitest raises: the YAML library makes an Error a mistake, and a longer trace costs fourfold. */
Error.stackTraceLimit = 10

const MEGABYTE = 1_000_000
/** Milliseconds of processor time since `start`: what others do on the machine does not count. */
function cpuMillis(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1000
}

const keysBefore = Reflect.ownKeys(Object.prototype)
const lines = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join('\n')
const data = (text: string): string => configMap('a', `data:\n${text}`)
const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${lines(20, (level) => `b${level}: &b${level} [${'*a,'.repeat(9)}]`)}`

/** What each must be answered with; null: it is allowed. */
const PAYLOADS: Record<string, [text: string, message: string | null]> = {
  '20,000 keys': [data(lines(20_000, (index) => `  k${index}: v`)), 'more than 5,000 keys'],
  '20,000 keys in one line': [data(`  {${lines(20_000, (index) => `k${index}: v,`).replaceAll('\n', ' ')}}`), '80,000 YAML tokens'],
  '5,000 keys': [data(lines(5000, (index) => `  k${index}: v`)), null],
  '20,000 equal keys': [data(lines(20_000, () => '  k: v')), 'more than 5,000 keys'],
  '4,000 equal keys': [data(lines(4000, () => '  k: v')), 'given twice'],
  '20,000 brackets': [HEAD + '['.repeat(20_000), 'nested more than 50'],
  '500,000 brackets, closed': [`${HEAD}a: ${'['.repeat(500_000)}${']'.repeat(500_000)}`, 'nested more than 50'],
  '20,000 nested maps': [`${HEAD}a: ${'{a: '.repeat(20_000)}`, 'nested more than 50'],
  '100,000 nested lists': [`# apiVersion\n${'- '.repeat(100_000)}x`, 'nested more than 50'],
  '100,000 nested keys': [`# apiVersion\n${'? '.repeat(100_000)}`, 'nested more than 50'],
  'deep by indent': [HEAD + lines(1400, (level) => `${' '.repeat(level)}a:`), 'nested more than 50'],
  'alias bomb': [HEAD + bomb, 'aliases are not supported'],
  '20,000 aliases': [`${HEAD}a: &a x\nb: [${'*a, '.repeat(20_000)}]`, 'aliases are not supported'],
  'alias to itself': [`${HEAD}a: &a [*a]`, 'aliases are not supported'],
  'merge bomb': [`${HEAD}<<: [{a: 1}, {b: 2}]`, 'merge keys'],
  'a line of a megabyte': [data(`  a: ${'x'.repeat(MEGABYTE)}`), 'at most 262144'],
  'a quoted line of a megabyte': [data(`  a: "${'\\n'.repeat(500_000)}"`), 'at most 262144'],
  'a megabyte without end': [data(`  a: "${'x\n '.repeat(300_000)}`), 'not valid YAML'],
  'a megabyte of empty lines': [`${HEAD}${'\n'.repeat(MEGABYTE)}`, '100,000 empty lines'],
  'a megabyte of commas': [`${HEAD}a: [${','.repeat(MEGABYTE)}]`, '80,000 YAML tokens'],
  'a megabyte of quotes': [HEAD + '"'.repeat(MEGABYTE), '80,000 YAML tokens'],
  '75,000 commas': [`${HEAD}a: [${','.repeat(75_000)}]`, 'not valid YAML'],
  '300,000 tags': [HEAD + '!a '.repeat(300_000), '80,000 YAML tokens'],
  'a tag of a megabyte': [`${HEAD}a: !${'x'.repeat(MEGABYTE)} y`, 'not'],
  '250,000 documents': [`${configMap('a')}${'---\n'.repeat(250_000)}`, '500 documents'],
  directives: [`%TAG ! tag:evil,2026:\n---\n${configMap('a')}`, 'directives'],
  'a script tag': [`${HEAD}a: !!js/function "function () { return 1 }"`, 'is not supported'],
  __proto__: [data('  __proto__: {polluted: "yes"}'), '`__proto__` is not allowed'],
  'quoted __proto__': [data('  "__proto__": {polluted: "yes"}'), '`__proto__` is not allowed'],
  'escaped __proto__': [data('  "\\x5f_proto__": {polluted: "yes"}'), '`__proto__` is not allowed'],
  'constructor.prototype': [data('  constructor: {prototype: {polluted: "yes"}}'), '`constructor` is not allowed'],
  '__proto__ as a field': [`${HEAD}kind: Job\n__proto__: {kind: ConfigMap}\n`, '`__proto__` is not allowed'],
  '__proto__ as a name': [configMap('__proto__'), 'must be lower-case'],
  'inherited names as fields': [`${configMap('a')}toString: 1\nhasOwnProperty: 1\n`, 'unknown field `toString`'],
  'inherited name as kind': [`${HEAD}kind: toString\nmetadata: {name: a}\n`, 'unknown kind'],
  'a name of 100 kB': [`${HEAD}kind: Job\nmetadata: {name: ${`${'a-'.repeat(50_000)}a`}}\n`, 'must be lower-case'],
  'a quantity of 100 kB': [workload('Job', 'a', { unit: [`resources: {limits: {cpu: "${'1'.repeat(100_000)}x"}}`] }), 'at most 32'],
  'an image of 100 kB': [workload('Job', 'a', { unit: [`image: "${'a/'.repeat(50_000)}"`] }), 'unknown field'],
  'a path of 100 kB': [workload('Job', 'a', { unit: [`artifacts: [{git: "${'a/../'.repeat(20_000)}"}]`] }), 'must have at most 512'],
  '2,000 unknown fields': [
    workload('Job', 'a', { spec: Array.from({ length: 2000 }, (_, index) => `completion${index}: 1`) }),
    'more problems',
  ],
  '9,000 unknown fields, one a port': [
    workload('Job', 'a', { unit: ['ports:', ...Array.from({ length: 9000 }, (_, index) => `  - {nme${index}: 1}`)] }),
    'more problems',
  ],
  'an unknown field of 100 kB': [workload('Job', 'a', { spec: [`? ${'é'.repeat(50_000)}\n  : 1`] }), 'unknown field'],
  'a number beyond all': [workload('Job', 'a', { spec: ['completions: 1e999'] }), 'completions'],
}

afterEach(() => {
  expect(Reflect.ownKeys(Object.prototype)).toEqual(keysBefore)
  expect('polluted' in {}).toBe(false)
})

describe('hostile manifests get a verdict within two seconds', () => {
  it.each(Object.entries(PAYLOADS))('G8: %s', (_, [text, message]) => {
    const start = process.cpuUsage()
    const file = parseBlob('a.yaml', text)
    const { problems } = link([file])
    const frames = problems.map((problem) => frame(problem, text))
    expect(cpuMillis(start)).toBeLessThan(2000)
    expect(problems.map((problem) => problem.message).join('\n')).toContain(message ?? '')
    expect(problems.length > 0).toBe(message !== null)
    expect(JSON.stringify(problems).length).toBeLessThan(20_000)
    expect(frames.every((shown) => shown.length < 1500)).toBe(true)
    expect(structuredClone(file)).toEqual(file)
  })
})

describe('names that every object has are only names', () => {
  it('a ConfigMap may hold a file called toString, and gives it to its user alone', () => {
    const files = [
      parseBlob('a.yaml', configMap('valueof', 'data: {toString: x, hasOwnProperty: y}\n')),
      parseBlob('b.yaml', workload('Job', 'j', { unit: ['envFrom: [{configMapRef: {name: valueof}}]'] })),
      parseBlob('c.yaml', workload('Job', 'k', { unit: ['envFrom: [{configMapRef: {name: tostring}}]'] })),
    ]
    const { desired, problems } = link(files)
    expect(desired.workloads.map((one) => one.configs)).toEqual([{ valueof: { toString: 'x', hasOwnProperty: 'y' } }])
    expect(problems.map((problem) => problem.message)).toEqual(['ConfigMap default/tostring does not exist'])
    const unit = ['env: [{name: A, valueFrom: {configMapKeyRef: {name: valueof, key: isPrototypeOf}}}]']
    const asked = link([parseBlob('a.yaml', configMap('valueof')), parseBlob('b.yaml', workload('Job', 'j', { unit }))])
    expect(asked.problems.map((problem) => problem.message)).toEqual(['ConfigMap default/valueof has no key `isPrototypeOf`'])
  })
})

describe('a revision of many small mistakes', () => {
  it('is linked within two seconds', () => {
    const text = lines(200, (index) =>
      workload('Job', `job-${index}`, {
        spec: [
          'dependsOn:',
          ...Array.from({ length: 20 }, (_, at) => `  - {kind: Job, name: job-${index}-${at}-not-there, condition: Complete}`),
        ],
      }).concat('---'),
    )
    const files = Array.from({ length: 2 }, (_, index) => parseBlob(`f${index}.yaml`, text.replaceAll('job-', `job-${index}-`)))
    expect(files.flatMap((file) => file.problems)).toEqual([])
    const start = process.cpuUsage()
    const { problems } = link(files)
    expect(cpuMillis(start)).toBeLessThan(2000)
    expect(problems).toHaveLength(200)
    expect(problems.at(-1)?.message).toContain('more problems')
  })
})
