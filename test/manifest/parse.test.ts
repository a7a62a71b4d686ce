import { describe, expect, it } from 'vitest'
import { parseBlob } from '../../src/manifest/blob.ts'
import { isManifestPath } from '../../src/manifest/parse.ts'
import { configMap, HEAD, said, workload } from './support.ts'

const names = (text: string, path = 'a.yaml') => parseBlob(path, text).documents.map((document) => document.identity?.name ?? null)
const problems = (text: string, path = 'a.yaml') => parseBlob(path, text).problems.map(said)

describe('which files are manifests', () => {
  it.each([
    ['web.yaml', true],
    ['a/b/web.yml', true],
    ['web.json', true],
    ['WEB.YAML', true],
    ['web.yaml.bak', false],
    ['README.md', false],
    ['yaml', false],
  ])('%s: %s', (path, expected) => expect(isManifestPath(path)).toBe(expected))

  it.each([
    ['package.json', '{"name": "x", "version": "1.0.0", "scripts": {"a": "b"}}'],
    ['compose.yaml', 'services:\n  web: &web {image: x}\n  api: {<<: *web}\n'],
    ['.gitlab-ci.yml', 'stages: [build]\nbuild:\n  script: !reference [.base, script]\n'],
    ['tsconfig.json', '{\n  // comments are no JSON\n  "compilerOptions": {}\n}'],
    ['values.yaml', 'image: {{ .Values.image }}\n  x'],
    ['list.yaml', '- 1\n- 2\n'],
    ['text.yaml', 'just text\n'],
    ['empty.yaml', ''],
    ['comment.yaml', '# nothing\n---\n---\n# more\n'],
    ['big.json', `["${'x'.repeat(2_000_000)}"]`],
  ])('%s of another tool is left alone', (path, text) => {
    expect(parseBlob(path, text)).toEqual({ path, size: 0, documents: [], problems: [], unreadable: false })
  })

  it('reads no file but YAML and JSON', () => expect(names(configMap('a'), 'a.txt')).toEqual([]))

  it('refuses a document without a type beside manifests: it may be one that lost its head', () => {
    const file = parseBlob('a.yaml', `${configMap('a')}---\nmetadata: {name: b}\n`)
    expect(file.problems.map(said)).toEqual(['5:1 a manifest needs apiVersion and kind | write apiVersion: drover.dev/v1'])
    expect(file.unreadable).toBe(true)
  })

  it('reports a file that cannot be read when it means to be a manifest', () => {
    expect(problems(`${HEAD}kind: [`)).toHaveLength(1)
    expect(problems(`${HEAD}data: "${'x'.repeat(2_000_000)}"`)).toEqual(['1:1 the file is larger than 1 MiB | split it into several files'])
  })
})

describe('drover:ignore', () => {
  it.each([
    ['first line', `# drover:ignore\n${configMap('a')}`, true],
    ['after other comments', `# ours\n\n#drover:ignore\r\n${configMap('a')}`, true],
    ['after a byte order mark', `\uFEFF# drover:ignore\n${configMap('a')}`, true],
    ['below the first field', `${configMap('a')}# drover:ignore\n`, false],
    ['inside a sentence', `# see drover:ignore\n${configMap('a')}`, false],
  ])('%s', (_, text, ignored) => expect(names(text)).toEqual(ignored ? [] : ['a']))
})

describe('documents', () => {
  it('reads JSON, with tabs', () => {
    const text = JSON.stringify({ apiVersion: 'drover.dev/v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { x: '1' } }, null, '\t')
    expect(problems(text, 'a.json')).toEqual([])
    expect(names(text, 'a.json')).toEqual(['a'])
  })

  it('skips empty documents and keeps the lines of the others', () => {
    const text = `---\n# empty\n---\n${configMap('a')}---\n---\n${configMap('b', 'dta: {}\n')}`
    expect(names(text)).toEqual(['a', 'b'])
    expect(problems(text)).toEqual(['12:1 unknown field `dta` | did you mean "data"?'])
  })

  it('takes only the broken document out', () => {
    const text = `${configMap('a')}---\n${HEAD}kind: Job\nmetadata: {name: b, : [}\n---\n${configMap('c')}`
    const file = parseBlob('a.yaml', text)
    expect(file.documents.map((document) => document.manifest?.metadata.name)).toEqual(['a', undefined, 'c'])
    expect(file.problems).toHaveLength(1)
  })

  it('counts lines the same with CRLF and with a byte order mark', () => {
    const text = configMap('a', 'dta: {}\n')
    expect(problems(text.replaceAll('\n', '\r\n'))).toEqual(problems(text))
    expect(problems(`\uFEFF${text}`)).toEqual(problems(text))
  })

  it('reads YAML 1.2: yes and on are text, 010 is ten', () => {
    const data = 'data: {a: yes, b: on, c: "010"}\n'
    expect(parseBlob('a.yaml', configMap('a', data)).documents[0]?.manifest).toMatchObject({ data: { a: 'yes', b: 'on', c: '010' } })
  })

  it('keeps keys as they are written', () => {
    expect(parseBlob('a.yaml', configMap('a', 'data: {1.10: x, true: y}\n')).documents[0]?.manifest).toMatchObject({
      data: { '1.10': 'x', true: 'y' },
    })
  })

  it('tells the first 24 of many problems and that there are more', () => {
    const text = workload('Job', 'a', { spec: Array.from({ length: 40 }, (_, index) => `field${index}: 1`) })
    const told = problems(text)
    expect(told).toHaveLength(25)
    expect(told.at(-1)).toBe('29:3 there are more problems from here on | mend those above first')
  })

  it('points at a field of a list item by its place, also where normalization sorts the list', () => {
    const text = workload('Job', 'a', {
      unit: ['env:', '  - {name: Z, valueFrom: {configMapKeyRef: {name: c, key: k}}}', '  - {name: A, value: x}'],
    })
    expect(parseBlob('a.yaml', text).documents[0]?.references).toEqual([
      {
        type: 'data',
        kind: 'ConfigMap',
        name: 'c',
        use: { as: 'key', key: 'k', at: { line: 11, column: 69 } },
        at: { line: 11, column: 61 },
      },
    ])
  })
})
